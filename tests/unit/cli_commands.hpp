// A command's run against a daemon on a real socket, and what came of it.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "control/cli/run.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::test {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

class Commands : public testing::Test {
 protected:
  /// Runs with the daemon's socket, or one that is not there.
  Outcome run_words(std::vector<std::string> words, const std::string& socket) {
    if (!socket.empty()) words.insert(words.end(), {"--socket", socket});
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    const cli::Surroundings surroundings{.in = in,
                                         .out = out,
                                         .err = err,
                                         .out_is_terminal = terminal,
                                         .now = [this] { return now; },
                                         .sleep = [this](std::chrono::milliseconds time) { slept += time; },
                                         .detach_offline = detach_offline,
                                         .find_socket = find_socket};
    const int code = cli::run(words, surroundings);
    return {code, out.str(), err.str()};
  }
  Outcome ask(const std::vector<std::string>& words) {
    RunningServer server(daemon);
    return run_words(words, server.socket());
  }
  Outcome ask_nobody(const std::vector<std::string>& words) { return run_words(words, folder / "none.sock"); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
    return folder / name;
  }

  FakeDaemon daemon;
  TemporaryFolder folder;
  std::string input;
  bool terminal = false;
  std::chrono::milliseconds slept{0};
  api::TimePoint now{std::chrono::seconds(1'000'011'520)};
  std::function<Result<>(const std::string&)> detach_offline;
  std::function<std::optional<std::string>(const std::string&)> find_socket;
};

}  // namespace astil::test
