// Work that may wait for long, or for ever (a file on a network's file system, a name server), beside the loop. Nobody
// waits for it: what has not come back at the end is forgotten, and does not hold the process up.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

namespace astil::base {

class Aside {
 public:
  /// Runs on the loop.
  using Then = std::function<void()>;
  /// Runs in a thread of its own, and must not refer to anything that can go meanwhile. Throws nothing.
  using Work = std::function<Then()>;

  /// The loop must outlive this. `most`: so many at a time; others wait for their turn.
  Aside(boost::asio::io_context& loop, unsigned most);
  ~Aside();
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  void run(Work work);

 private:
  struct Shared;
  static void work_on(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
};

}  // namespace astil::base
