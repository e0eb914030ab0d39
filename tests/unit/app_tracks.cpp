// What astild tracks for the groups' priorities. Time, probes and chance are the test's; files are real.
#include "control/app/tracks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "control/app/pair_plan.hpp"

namespace astil::app {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::make_address;
using health::Health;
using health::Outcome;
using ::testing::HasSubstr;
using Kind = health::Outcome::Kind;

class HandAlarm final : public health::Alarm {
 public:
  [[nodiscard]] health::Clock::time_point now() const override { return now_; }
  void set(health::Clock::time_point at, std::function<void()> wake) override { order_ = {at, std::move(wake)}; }
  void clear() override { order_.second = nullptr; }
  void pass(health::Clock::duration span) {
    const auto end = now_ + span;
    while (order_.second && order_.first <= end) {
      now_ = std::max(now_, order_.first);
      std::exchange(order_.second, nullptr)();
    }
    now_ = end;
  }
  [[nodiscard]] bool is_set() const { return order_.second != nullptr; }

 private:
  health::Clock::time_point now_{1h};
  std::pair<health::Clock::time_point, std::function<void()>> order_;
};

/// Each probe ends when the test says so, or is given up.
class HandProber final : public health::Prober {
 public:
  struct Running final : health::RunningProbe {
    Running(HandProber& p, std::size_t i) : prober(p), id(i) {}
    ~Running() override { prober.open.erase(id); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    [[nodiscard]] health::Phase phase() const override { return health::Phase::answer; }
    HandProber& prober;
    std::size_t id;
  };
  std::unique_ptr<health::RunningProbe> start(const health::ProbeRequest& request, Done done) override {
    requests.push_back(request);
    open.emplace(requests.size(), std::move(done));
    return std::make_unique<Running>(*this, requests.size());
  }
  void end_all(const Outcome& outcome) {
    const auto now_open = open;
    for (const auto& [id, done] : now_open) done(outcome);
  }
  std::vector<health::ProbeRequest> requests;
  std::map<std::size_t, Done> open;
};

class app_tracks : public ::testing::Test {
 protected:
  app_tracks() {
    config::VrrpGroup web{.name = "web", .interface = "lo", .virtual_router_id = 51};
    web.addresses = {make_address("192.0.2.10")};
    web.track = {
        {.name = "gateway", .type = config::TrackType::gateway, .address = make_address("192.0.2.1"), .subtract = 30},
        {.name = "script", .type = config::TrackType::exec, .command = {"/bin/check", "-x"}, .subtract = 5},
        {.name = "flag", .type = config::TrackType::file, .file = path_, .subtract = 3},
        {.name = "cable", .type = config::TrackType::interface, .interface = "eth1", .subtract = 9}};
    ha_.node = "lb1";
    ha_.groups = {web};
    write("1\n");
  }
  ~app_tracks() override { std::filesystem::remove(path_); }

  void write(const std::string& text) const { std::ofstream(path_) << text; }
  std::pair<int, int> bits() const {
    const auto record = tracks_.record(ha_, plan_pair(ha_, {}, {}));
    return {record.known[0], record.failing[0]};
  }
  /// Time passes until both are under way.
  void await_probes() {
    for (int i = 0; i < 300 && prober_.open.size() < 2; ++i) probes_.pass(10ms);
    ASSERT_EQ(prober_.open.size(), 2U);
  }
  void probe(const Outcome& outcome) {
    await_probes();
    prober_.end_all(outcome);
  }

  const std::string path_ = ::testing::TempDir() + "tracks." + std::to_string(::getpid());
  config::Ha ha_;
  HandProber prober_;
  HandAlarm probes_;
  HandAlarm files_;
  int changes_ = 0;
  Tracks tracks_{prober_, probes_, files_, [] { return 0.5; }, [this] { ++changes_; }};
};

TEST_F(app_tracks, what_was_not_looked_at_yet_is_not_known) {
  tracks_.follow(ha_);
  EXPECT_EQ(bits(), std::pair(0b0100, 0b0000));
  EXPECT_EQ(tracks_.known("web", "gateway").health, Health::unknown);
}

TEST_F(app_tracks, the_first_probe_decides_and_then_as_many_as_are_configured) {
  tracks_.follow(ha_);
  probe({});
  EXPECT_EQ(bits(), std::pair(0b0111, 0b0000));
  const int before = changes_;
  probe({Kind::failed, "no answer"});
  probe({Kind::failed, "no answer"});
  EXPECT_EQ(bits(), std::pair(0b0111, 0b0000));
  EXPECT_EQ(tracks_.known("web", "gateway").error, "no answer");
  probe({Kind::failed, "no answer"});
  EXPECT_EQ(bits(), std::pair(0b0111, 0b0011));
  EXPECT_GT(changes_, before);
  probe({});
  probe({});
  EXPECT_EQ(bits(), std::pair(0b0111, 0b0000));
  EXPECT_EQ(tracks_.known("web", "script").counters.failed, 3U);
}

TEST_F(app_tracks, a_gateway_is_asked_for_an_echo_and_a_command_run_as_it_stands) {
  ha_.groups[0].track[0].address = make_address("fe80::1");
  tracks_.follow(ha_);
  await_probes();
  ASSERT_EQ(prober_.requests.size(), 2U);
  for (const auto& request : prober_.requests) {
    if (const auto* exec = std::get_if<config::ExecCheck>(&request.probe)) {
      EXPECT_THAT(exec->command, ::testing::ElementsAre("/bin/check", "-x"));
      continue;
    }
    EXPECT_TRUE(std::holds_alternative<config::IcmpCheck>(request.probe));
    EXPECT_NE(request.host.to_v6().scope_id(), 0U);  // of the group's interface
  }
}

TEST_F(app_tracks, a_file_that_is_missing_empty_or_begins_with_0_fails) {
  tracks_.follow(ha_);
  for (const auto& [text, error] : {std::pair("0\n", "begins with 0"), std::pair("", "empty")}) {
    write(text);
    files_.pass(500ms);
    EXPECT_EQ(bits(), std::pair(0b0100, 0b0100)) << text;
    EXPECT_THAT(tracks_.known("web", "flag").error, HasSubstr(error));
  }
  write("yes");
  files_.pass(500ms);
  EXPECT_EQ(bits(), std::pair(0b0100, 0b0000));
  std::filesystem::remove(path_);
  files_.pass(500ms);
  EXPECT_EQ(bits(), std::pair(0b0100, 0b0100));
  EXPECT_THAT(tracks_.known("web", "flag").error, HasSubstr("No such file"));
  EXPECT_EQ(changes_, 3);
}

TEST_F(app_tracks, a_change_elsewhere_forgets_nothing_and_nothing_is_looked_at_at_rest) {
  tracks_.follow(ha_);
  probe({Kind::failed, "no answer"});
  ha_.groups[0].priority = 50;
  tracks_.follow(ha_);
  EXPECT_EQ(bits(), std::pair(0b0111, 0b0011));
  tracks_.rest();
  EXPECT_FALSE(files_.is_set());
  const std::size_t made = prober_.requests.size();
  probes_.pass(1min);
  EXPECT_EQ(prober_.requests.size(), made);
}

}  // namespace
}  // namespace astil::app
