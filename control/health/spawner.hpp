// Starts commands in threads of its own, so that the loop waits neither for a disk nor for the kernel. These threads
// have given up all capabilities, and what they start can get none. A command is the leader of a process group, with
// nothing but its output open.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/base/result.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::health {

struct Command {
  std::vector<std::string> words;        ///< the first is an absolute path
  std::vector<std::string> environment;  ///< NAME=value; nothing else is passed on
};

struct Spawned {
  pid_t process = -1;       ///< and its group
  base::Descriptor end;     ///< readable once it has ended (pidfd)
  base::Descriptor output;  ///< what it writes, errors too; non-blocking
};

class Spawner {
 public:
  using Done = std::function<void(Result<Spawned>)>;

  /// The loop must outlive this.
  explicit Spawner(boost::asio::io_context& loop) : loop_(loop) { shared_->loop = &loop; }
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// `done` is called on the loop, later. Whoever is given a process has to wait for it. A program whose starts do not
  /// come back, since its disk does not answer, keeps few threads, and further starts of it are errors at once.
  void spawn(Command command, Done done);

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr unsigned kThreads = 8;
  static constexpr std::size_t kOfOneProgram = 2;  ///< threads at a time
  static constexpr std::chrono::seconds kHangs{1};

  struct Job {
    Command command;
    Done done;
  };
  /// What threads share, which may hang for longer than there is a spawner.
  struct Shared {
    std::mutex mutex;
    boost::asio::io_context* loop = nullptr;  ///< null: nobody waits any more
    std::deque<Job> waiting{};
    std::multimap<std::string, Clock::time_point> under_way{};  ///< since when, by program
  };
  [[nodiscard]] static std::optional<Job> next_of(Shared& shared);
  static void work(Shared& shared);

  boost::asio::io_context& loop_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::unique_ptr<boost::asio::thread_pool> threads_ = std::make_unique<boost::asio::thread_pool>(kThreads);
};

}  // namespace astil::health
