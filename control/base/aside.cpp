#include "control/base/aside.hpp"

#include <boost/asio/post.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "control/base/log.hpp"

namespace astil::base {

/// Of the threads and of their owner: it lives as long as the last of them.
struct Aside::Shared {
  std::mutex mutex;
  std::condition_variable more;
  boost::asio::io_context* loop = nullptr;  ///< null: it is over
  std::deque<Work> waiting;
  unsigned most = 1;
  unsigned threads = 0;
  unsigned idle = 0;
};

Aside::Aside(boost::asio::io_context& loop, unsigned most) : shared_(std::make_shared<Shared>()) {
  shared_->loop = &loop;
  shared_->most = most;
}

Aside::~Aside() {
  std::deque<Work> forgotten;  // their own ends are not waited for under the lock
  const std::lock_guard lock(shared_->mutex);
  shared_->loop = nullptr;
  forgotten.swap(shared_->waiting);
  shared_->more.notify_all();
}

void Aside::run(Work work) {
  const std::lock_guard lock(shared_->mutex);
  shared_->waiting.push_back(std::move(work));
  shared_->more.notify_one();
  if (shared_->idle >= shared_->waiting.size() || shared_->threads == shared_->most) return;
  try {
    std::thread([shared = shared_] { work_on(shared); }).detach();
    ++shared_->threads;
  } catch (const std::system_error& failed) {
    // Those that are there, or the next call, see to it.
    log::warning("thread not started", {{"error", failed.what()}});
  }
}

void Aside::work_on(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    ++shared->idle;
    shared->more.wait(lock, [&] { return shared->loop == nullptr || !shared->waiting.empty(); });
    --shared->idle;
    if (shared->loop == nullptr) return;
    Work work = std::move(shared->waiting.front());
    shared->waiting.pop_front();
    lock.unlock();
    Then then = work();
    work = nullptr;
    lock.lock();
    if (shared->loop != nullptr && then) boost::asio::post(*shared->loop, std::move(then));
  }
}

}  // namespace astil::base
