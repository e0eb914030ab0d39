// What one thread gives another to work by, one in place of the other, while the other goes on working.
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace astil::dpdk {

/// One thread gives, another takes; neither waits. What was given stays as long as the taker may look at it.
template <typename T>
class Handed {
 public:
  /// By the giver: what is to be taken from now on.
  void give(T value) {
    given_.push_back(std::make_unique<T>(std::move(value)));
    wanted_.store(given_.back().get(), std::memory_order_release);
  }

  /// By the taker: what was given last, or nullptr before the first. It stays until the next call. What was taken
  /// before is not looked at any more.
  T* take() {
    T* wanted = wanted_.load(std::memory_order_acquire);
    if (wanted != taken_.load(std::memory_order_relaxed)) taken_.store(wanted, std::memory_order_release);
    return wanted;
  }

  /// By the giver: whether the taker looks at what was given last, and at nothing else. What was given before is gone
  /// then. Between two calls of `take` this holds of what the first of them returned.
  bool settle() {
    if (taken_.load(std::memory_order_acquire) != wanted_.load(std::memory_order_relaxed)) return false;
    if (given_.size() > 1) given_.erase(given_.begin(), given_.end() - 1);
    return true;
  }

 private:
  std::vector<std::unique_ptr<T>> given_;  ///< by the giver alone
  std::atomic<T*> wanted_{nullptr};
  std::atomic<T*> taken_{nullptr};
};

}  // namespace astil::dpdk
