// `astil capture` against a daemon on a real socket: where the file goes, what is told of it, how it ends.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "control/pcapng/writer.hpp"
#include "tests/unit/cli_commands.hpp"

namespace astil::cli {
namespace {

using test::Outcome;
using test::RunningServer;
using testing::HasSubstr;
using testing::StartsWith;

using CaptureCommand = test::Commands;

/// A daemon's whole answer: three frames, and what was left out.
std::string sample_capture() {
  return pcapng::section_header("astil", "") + pcapng::interface_description({.name = "eth0", .snap = 192}) +
         pcapng::enhanced_packet({}) + pcapng::enhanced_packet({}) + pcapng::enhanced_packet({});
}
std::string sample_end() {
  return pcapng::interface_statistics(
      {.time = 0, .delivered = 2, .over_rate = 30, .lost = 1, .comment = "it has its packets"});
}
std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

TEST_F(CaptureCommand, a_capture_is_written_to_a_file_of_its_owners) {
  daemon.captured->bytes = sample_capture() + sample_end();
  daemon.captured->ended = true;
  const std::string file = folder / "web.pcapng";
  const auto outcome = ask({"capture", "-w", file, "--service", "web", "--backend", "b1", "--client", "192.0.2.0/24",
                            "--rate", "7", "--count", "2", "--size", "5000", "--duration", "9", "--snap", "64"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err,
            "astil: 2 packets captured, in 3 frames; it ended since it has its packets\n"
            "astil: 31 packets left out: 30 above the rate, 1 not taken in time\n");
  EXPECT_EQ(text_of(file), sample_capture() + sample_end());
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const api::CaptureQuery& query = daemon.capture_query;
  EXPECT_EQ(query.service, "web");
  EXPECT_EQ(query.backend, "b1");
  EXPECT_EQ(query.client->bits, 24U);
  EXPECT_EQ(query.rate, 7U);
  EXPECT_EQ(query.count, 2U);
  EXPECT_EQ(query.size, 5000U);
  EXPECT_EQ(query.seconds, 9U);
  EXPECT_EQ(query.snap, 64U);
}

TEST_F(CaptureCommand, a_capture_goes_to_the_standard_output_unless_that_is_a_terminal) {
  daemon.captured->bytes = sample_capture() + sample_end();
  daemon.captured->ended = true;
  EXPECT_EQ(ask({"capture"}).out, sample_capture() + sample_end());
  terminal = true;
  const auto outcome = ask({"capture"});
  EXPECT_EQ(outcome.code, kInvalid);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("--write FILE"));
}

TEST_F(CaptureCommand, a_capture_is_summed_up_as_json) {
  daemon.captured->bytes = sample_capture() + sample_end();
  daemon.captured->ended = true;
  const std::string file = folder / "web.pcapng";
  EXPECT_EQ(ask({"capture", "-w", file, "-o", "json"}).out,
            R"({"file":")" + file +
                R"(","frames":3,"packets":2,"over_rate":30,"lost":1,"ended":"it has its packets"})" + "\n");
  EXPECT_EQ(ask({"capture", "-o", "json"}).code, kInvalid);
}

TEST_F(CaptureCommand, a_capture_that_the_user_ends_is_read_to_its_end) {
  daemon.captured->bytes = sample_capture();
  daemon.captured->at_end = sample_end();
  RunningServer server(daemon);
  Outcome outcome{};
  std::thread capturing([&] { outcome = run_words({"capture"}, server.socket()); });
  while (true) {
    bool begun = false;
    server.on_loop([&] { begun = daemon.captured->ready != nullptr && daemon.captured->bytes.empty(); });
    if (begun) break;
  }
  ::kill(::getpid(), SIGINT);
  capturing.join();
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.out, sample_capture() + sample_end());
  EXPECT_THAT(outcome.err, StartsWith("astil: 2 packets captured"));
}

TEST_F(CaptureCommand, a_capture_whose_daemon_ends_keeps_its_whole_blocks) {
  daemon.captured->bytes = sample_capture() + sample_end().substr(0, 20);
  RunningServer server(daemon);
  Outcome outcome{};
  std::thread capturing([&] { outcome = run_words({"capture"}, server.socket()); });
  while (true) {
    bool begun = false;
    server.on_loop([&] { begun = daemon.captured->ready != nullptr && daemon.captured->bytes.empty(); });
    if (begun) break;
  }
  server.stop();
  capturing.join();
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_EQ(outcome.out, sample_capture());
  EXPECT_THAT(outcome.err, StartsWith("astil: 3 frames captured\nastil: the daemon at "));
}

TEST_F(CaptureCommand, a_capture_that_is_refused_leaves_a_file_as_it_is) {
  const std::string file = write("old.pcapng", "old");
  daemon.capture_refusal = Error{"there is no service 'wbe'", "did you mean web"};
  const auto outcome = ask({"capture", "-w", file, "--service", "wbe"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.err, HasSubstr("there is no service 'wbe'"));
  EXPECT_EQ(text_of(file), "old");
  EXPECT_EQ(ask_nobody({"capture", "-w", file}).code, kRefused);
}

TEST_F(CaptureCommand, a_capture_that_can_not_be_written_ends) {
  daemon.captured->bytes = sample_capture();
  auto left = daemon.captured->left.emplace().get_future();
  RunningServer server(daemon);
  const auto outcome = run_words({"capture", "-w", folder / "none/web.pcapng"}, server.socket());
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.err, HasSubstr("No such file or directory"));
  left.wait();
}

TEST_F(CaptureCommand, a_capture_of_what_makes_no_sense_is_wrong_usage) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"--client", "web"},
                                                                                     {"--client", "192.0.2.0/33"},
                                                                                     {"--count", "0"},
                                                                                     {"--rate", "x"},
                                                                                     {"--snap", "10"},
                                                                                     {"--duration", "100000"},
                                                                                     {"--write", ""},
                                                                                     {"--service", ""}}) {
    std::vector<std::string> all{"capture"};
    all.insert(all.end(), words.begin(), words.end());
    EXPECT_EQ(ask(all).code, kInvalid) << words[0] << " " << words[1];
  }
}

}  // namespace
}  // namespace astil::cli
