// Checks by a command: what it is run with, what its end means, that it goes with all it has started.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "control/health/exec_attempt.hpp"
#include "control/health/spawner.hpp"
#include "tests/unit/health_probing.hpp"

namespace astil::health {
namespace {

using testing::HasSubstr;
using Kind = Outcome::Kind;

class Exec : public test::Probing {
 protected:
  static ProbeRequest request(std::vector<std::string> command) {
    return {.host = boost::asio::ip::make_address("192.0.2.7"),
            .port = config::Port{8080},
            .probe = config::ExecCheck{.command = std::move(command)}};
  }
  Outcome run(std::vector<std::string> command) { return once(request(std::move(command))); }
  Outcome once(const ProbeRequest& request) {
    outcome_.reset();
    return probe(request);
  }
  /// Of what the loop hears nothing of.
  void look_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + kLimit;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(1));
    }
  }
  static ProbeRequest shell(const std::string& script) { return request({"/bin/sh", "-c", script}); }
  static bool is_there(const std::string& process) {
    std::ifstream status("/proc/" + process + "/status");
    std::string line;
    while (std::getline(status, line)) {
      if (line.starts_with("State:")) return line.find('Z') == std::string::npos;
    }
    return false;
  }
};

/// A program whose start hangs as if its disk did not answer: who opens it waits for the lease.
class HangingProgram {
 public:
  HangingProgram() {
    file_ = std::filesystem::temp_directory_path() / ("astil-hangs-" + std::to_string(::getpid()));
    std::ofstream(file_) << "#!/bin/sh\n";
    ::chmod(file_.c_str(), 0755);
    ::signal(SIGIO, SIG_IGN);
    held_ = base::Descriptor(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(::fcntl(held_.get(), F_SETLEASE, F_WRLCK), 0);
  }
  HangingProgram(const HangingProgram&) = delete;
  HangingProgram& operator=(const HangingProgram&) = delete;
  ~HangingProgram() {
    held_ = base::Descriptor();
    std::filesystem::remove(file_);
  }
  [[nodiscard]] const std::string& path() const { return file_; }

 private:
  std::string file_;
  base::Descriptor held_;
};

TEST_F(Exec, a_program_that_can_not_be_started_keeps_nobody_from_starting_others) {
  const HangingProgram hanging;
  std::vector<std::string> errors;
  auto spawner = std::make_unique<Spawner>(loop_);
  const auto hang = [&] {
    spawner->spawn({.words = {hanging.path()}, .environment = {}}, [&](Result<Spawned> spawned) {
      errors.push_back(spawned ? std::string("it was started") : spawned.error().text());
    });
  };
  for (int i = 0; i < 50; ++i) hang();
  unsigned started = 0;
  for (int i = 0; i < 50; ++i) {
    spawner->spawn({.words = {"/bin/true"}, .environment = {}}, [&](Result<Spawned> spawned) {
      ASSERT_TRUE(spawned) << spawned.error().text();
      EXPECT_EQ(::waitpid(spawned->process, nullptr, 0), spawned->process);
      ++started;
    });
  }
  look_until([&] { return started == 50; });
  EXPECT_TRUE(errors.empty());
  bool is_past = false;
  boost::asio::steady_timer timer(loop_, std::chrono::milliseconds(1200));
  timer.async_wait([&](const boost::system::error_code& /*never*/) { is_past = true; });
  look_until([&] { return is_past; });
  hang();
  look_until([&] { return !errors.empty(); });
  EXPECT_THAT(errors.front(), HasSubstr("earlier starts of it have not come back"));
  spawner.reset();  // and this does not wait
}

TEST_F(Exec, exit_status_0_is_success) { EXPECT_EQ(run({"/bin/true"}).kind, Kind::passed); }

TEST_F(Exec, another_exit_status_is_a_failure_with_the_first_line_of_the_output) {
  const Outcome outcome = once(shell("echo CRITICAL - no answer; echo more; exit 2"));
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_EQ(outcome.error, "exit status 2: CRITICAL - no answer");
}

TEST_F(Exec, a_command_that_a_signal_ends_is_a_failure) {
  EXPECT_EQ(once(shell("kill -9 $$")).error, "ended by signal 9");
}

TEST_F(Exec, a_command_that_is_not_there_says_nothing_of_the_backend) {
  const Outcome outcome = run({"/nowhere/check"});
  EXPECT_EQ(outcome.kind, Kind::not_made);
  EXPECT_THAT(outcome.error, HasSubstr("/nowhere/check: No such file"));
}

TEST_F(Exec, address_and_port_come_as_arguments_and_environment_and_nothing_else_does) {
  EXPECT_EQ(run({"/bin/sh", "-c", "test \"$1 $2\" = '192.0.2.7 8080' || exit 1", "sh", "{address}", "{port}"}).kind,
            Kind::passed);
  const Command command = command_of(shell(""));
  EXPECT_THAT(command.environment,
              testing::ElementsAre(HasSubstr("PATH="), "LC_ALL=C", "ASTIL_ADDRESS=192.0.2.7", "ASTIL_PORT=8080"));
  ::setenv("SECRET", "1", 1);
  EXPECT_EQ(once(shell("test -z \"$SECRET\" && test \"$ASTIL_PORT\" = 8080")).kind, Kind::passed);
}

TEST_F(Exec, no_shell_reads_the_arguments) {
  EXPECT_EQ(run({"/usr/bin/test", "$(echo a) ; *", "=", "$(echo a) ; *"}).kind, Kind::passed);
}

TEST_F(Exec, a_command_has_no_capabilities_and_no_descriptors_of_ours) {
  EXPECT_EQ(once(shell("test \"$(grep -cE '^Cap(Prm|Eff|Inh|Amb):[[:space:]]*0+$' /proc/self/status)\" = 4")).error,
            "");
  EXPECT_EQ(once(shell("grep -qE '^NoNewPrivs:[[:space:]]*1$' /proc/self/status")).error, "");
  // Of ls, which has opened one more.
  EXPECT_EQ(
      once(shell("test \"$(ls /proc/self/fd | wc -l)\" = 4 || { ls -l /proc/self/fd | tr '\\n' ' '; exit 1; }")).error,
      "");
}

TEST_F(Exec, more_output_than_a_pipe_holds_stops_nobody) {
  const Outcome outcome = once(shell("head -c 300000 /dev/zero | tr '\\0' x; exit 1"));
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_LT(outcome.error.size(), 300U);
}

TEST_F(Exec, one_that_is_given_up_goes_with_its_whole_group) {
  char path[] = "/tmp/astil-exec-XXXXXX";
  const int file = ::mkstemp(path);
  ASSERT_GE(file, 0);
  start(shell("sleep 1000 & echo $! >" + std::string(path) + "; echo $$ >>" + path + "; wait"));
  std::string child;
  std::string leader;
  look_until([&] {
    std::ifstream written(path);
    return static_cast<bool>(std::getline(written, child) && std::getline(written, leader) && !leader.empty());
  });
  EXPECT_TRUE(is_there(child));
  running_.reset();
  look_until([&] { return !is_there(child) && !is_there(leader); });
  EXPECT_FALSE(outcome_);
  ::close(file);
  ::unlink(path);
}

TEST_F(Exec, what_a_command_leaves_behind_ends_with_it) {
  const Outcome outcome = once(shell("sleep 1000 & echo $!; exit 1"));
  const std::string child = outcome.error.substr(outcome.error.rfind(' ') + 1);
  look_until([&] { return !is_there(child); });
}

}  // namespace
}  // namespace astil::health
