// Trying again what has failed: soon at first, then each time after twice as long. Time comes from outside.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "control/health/alarm.hpp"

namespace astil::app {

class Retry {
 public:
  static constexpr std::chrono::milliseconds kFirst{500};
  static constexpr std::chrono::milliseconds kLongest{10'000};

  /// `alarm` is this one's alone and must outlive it.
  Retry(health::Alarm& alarm, std::function<void()> again) : alarm_(alarm), again_(std::move(again)) {}

  /// It has failed, again or for the first time: `again` is called in a while.
  void failed() {
    alarm_.set(alarm_.now() + delay_, again_);
    delay_ = std::min(2 * delay_, kLongest);
  }

  /// All is well, or nobody wants it any more.
  void rest() {
    alarm_.clear();
    delay_ = kFirst;
  }

 private:
  health::Alarm& alarm_;
  std::function<void()> again_;
  std::chrono::milliseconds delay_ = kFirst;
};

}  // namespace astil::app
