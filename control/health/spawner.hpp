// Starts commands in a thread of its own, so that the loop waits neither for a disk nor for the kernel. That thread has
// given up all capabilities, and what it starts can get none. A command is the leader of a process group, with nothing
// but its output open.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
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
  explicit Spawner(boost::asio::io_context& loop) : loop_(loop) {}
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// `done` is called on the loop, later. Whoever is given a process has to wait for it.
  void spawn(Command command, Done done);

 private:
  boost::asio::io_context& loop_;
  boost::asio::thread_pool thread_{1};
};

}  // namespace astil::health
