#include "control/health/exec_attempt.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <utility>

namespace astil::health {
namespace {

using boost::asio::posix::stream_descriptor;
using boost::system::error_code;
using Kind = Outcome::Kind;

/// Of a command's output, for the error; the rest is read and forgotten, so that it is not stopped by a full pipe.
constexpr std::size_t kKept = 200;
/// After as much output as is read at once.
constexpr std::chrono::milliseconds kPause{2};

/// A process group, from its start to the end of its leader, whoever still wants to know of it. Lives as long as the
/// kernel has to tell its end.
class Group : public std::enable_shared_from_this<Group> {
 public:
  using Ended = std::function<void(const siginfo_t& how)>;

  Group(boost::asio::io_context& loop, Spawned spawned, std::shared_ptr<std::size_t> running)
      : process_(spawned.process),
        end_(loop, spawned.end.release()),
        output_(loop, spawned.output.release()),
        pause_(loop),
        running_(std::move(running)) {
    ++*running_;
  }
  ~Group() {
    kill();
    --*running_;
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  void follow(Ended ended) {
    ended_ = std::move(ended);
    read();
    await_end();
  }
  /// Nobody wants to know any more.
  void give_up() {
    ended_ = nullptr;
    kill();
  }
  /// Its first line, as far as it is kept.
  [[nodiscard]] std::string said() const { return kept_.substr(0, std::min(kept_.find('\n'), kept_.size())); }

 private:
  void await_end() {
    end_.async_wait(stream_descriptor::wait_read, [this, self = shared_from_this()](error_code error) {
      if (!error) on_end();
    });
  }

  bool wait_for_end(siginfo_t& how, int options) {
    how = {};
    return ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(end_.native_handle()), &how, WEXITED | options) ==
           0;
  }

  void kill() const {
    if (!reaped_) ::kill(-process_, SIGKILL);
  }

  void read() {
    output_.async_read_some(boost::asio::buffer(piece_),
                            [this, self = shared_from_this()](error_code error, std::size_t size) {
                              if (error) return;
                              keep({piece_.data(), size});
                              if (size < piece_.size()) return read();
                              // One that writes without pause is not to keep the loop busy.
                              pause_.expires_after(kPause);
                              pause_.async_wait([this, self](error_code ended) {
                                if (!ended && output_.is_open()) read();
                              });
                            });
  }

  void keep(std::string_view text) { kept_ += text.substr(0, kKept - std::min(kKept, kept_.size())); }

  /// What it has started and left behind goes with it.
  void on_end() {
    siginfo_t how{};
    if (!wait_for_end(how, WNOHANG | WNOWAIT) ? errno == EAGAIN || errno == EINTR : how.si_pid == 0) return await_end();
    kill();
    while (!wait_for_end(how, 0) && errno == EINTR) {
    }
    reaped_ = true;
    error_code error;
    output_.non_blocking(true, error);
    std::array<char, kKept> last{};  // `piece_` may hold what a handler that waits has read
    const std::size_t size = error ? 0 : output_.read_some(boost::asio::buffer(last), error);
    if (!error) keep({last.data(), size});
    output_.close(error);
    pause_.cancel();
    if (const auto ended = std::exchange(ended_, nullptr)) ended(how);
  }

  pid_t process_;
  stream_descriptor end_;
  stream_descriptor output_;
  boost::asio::steady_timer pause_;
  std::shared_ptr<std::size_t> running_;
  Ended ended_;
  bool reaped_ = false;
  std::array<char, 8192> piece_{};
  std::string kept_;
};

/// "exit status 2: CRITICAL - no answer"
Outcome outcome_of(const siginfo_t& how, const std::string& said) {
  const bool exited = how.si_code == CLD_EXITED;
  if (exited && how.si_status == 0) return {};
  if (how.si_pid == 0) return {Kind::failed, "how it ended is not known"};
  std::string error = (exited ? "exit status " : "ended by signal ") + std::to_string(how.si_status);
  std::string shown;
  for (const char letter : said) shown += letter >= ' ' && letter <= '~' ? letter : '?';
  return {Kind::failed, shown.empty() ? error : error + ": " + shown};
}

class ExecAttempt final : public Attempt {
 public:
  ExecAttempt(boost::asio::io_context& loop, ProbeRequest request, Spawner& spawner,
              std::shared_ptr<std::size_t> running, Prober::Done done)
      : Attempt(std::move(request), std::move(done)), loop_(loop), spawner_(spawner), running_(std::move(running)) {}

  void start() override {
    if (*running_ >= kMostCommands) {
      return end_later(loop_.get_executor(),
                       {Kind::not_made, std::to_string(kMostCommands) + " commands of checks run already"});
    }
    spawner_.spawn(command_of(request()), [this, self = std::static_pointer_cast<ExecAttempt>(shared_from_this())](
                                              Result<Spawned> spawned) { on_spawned(std::move(spawned)); });
  }

 private:
  /// A command that is not there says nothing of the backend.
  void on_spawned(Result<Spawned> spawned) {
    if (spawned.has_error()) {
      if (!is_over()) end({Kind::not_made, spawned.error().what});
      return;
    }
    group_ = std::make_shared<Group>(loop_, std::move(*spawned), running_);
    enter(Phase::answer);
    group_->follow([this, self = shared_from_this()](const siginfo_t& how) {
      if (!is_over()) end(outcome_of(how, group_->said()));
    });
    if (is_over()) group_->give_up();
  }

  void close() override {
    if (group_) group_->give_up();
  }

  boost::asio::io_context& loop_;
  Spawner& spawner_;
  std::shared_ptr<std::size_t> running_;
  std::shared_ptr<Group> group_;
};

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

}  // namespace

Command command_of(const ProbeRequest& request) {
  Command command{.words = std::get<config::ExecCheck>(request.probe).command,
                  .environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}};
  if (request.host.is_unspecified()) return command;  // of no server's
  const std::string host = request.host.to_string();
  const std::string port = std::to_string(static_cast<unsigned>(request.port));
  command.environment.insert(command.environment.end(), {"ASTIL_ADDRESS=" + host, "ASTIL_PORT=" + port});
  for (std::string& word : command.words) {
    replace_all(word, "{address}", host);
    replace_all(word, "{port}", port);
  }
  return command;
}

std::shared_ptr<Attempt> make_exec_attempt(boost::asio::io_context& loop, ProbeRequest request, Spawner& spawner,
                                           std::shared_ptr<std::size_t> running, Prober::Done done) {
  return std::make_shared<ExecAttempt>(loop, std::move(request), spawner, std::move(running), std::move(done));
}

}  // namespace astil::health
