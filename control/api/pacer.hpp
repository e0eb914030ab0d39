// How often something may be done: so many at once, and from then on one in each interval.
#pragma once

#include <algorithm>
#include <chrono>

namespace astil::api {

class Pacer {
 public:
  using Clock = std::chrono::steady_clock;

  Pacer(Clock::duration interval, unsigned burst) : interval_(interval), ahead_(interval * burst) {}

  /// It is done once more: how long to wait before, none or more.
  [[nodiscard]] Clock::duration take(Clock::time_point now) {
    due_ = std::max(due_, now) + interval_;
    return std::max(due_ - ahead_ - now, Clock::duration::zero());
  }

 private:
  Clock::duration interval_;
  Clock::duration ahead_;
  Clock::time_point due_{};  ///< when all that was done would have been, one in each interval
};

}  // namespace astil::api
