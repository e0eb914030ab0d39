// A change that is taken back unless it is confirmed in time. Time comes from outside.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "control/health/alarm.hpp"

namespace astil::app {

class Confirmation {
 public:
  /// When what could not be taken back is tried again.
  static constexpr std::chrono::seconds kAgain{5};

  /// `take_back` says whether it is done. `alarm` is this one's alone and must outlive it.
  Confirmation(health::Alarm& alarm, std::function<bool()> take_back)
      : alarm_(alarm), take_back_(std::move(take_back)) {}

  void await(std::chrono::seconds limit) {
    until_ = alarm_.now() + limit;
    alarm_.set(*until_, [this] { expire(); });
  }
  /// It is confirmed, or something else runs.
  void end() {
    until_.reset();
    alarm_.clear();
  }

  [[nodiscard]] bool awaits() const { return until_.has_value(); }
  /// Until then; none: nothing waits.
  [[nodiscard]] std::optional<health::Clock::time_point> until() const { return until_; }

 private:
  void expire() {
    if (take_back_()) return end();
    alarm_.set(alarm_.now() + kAgain, [this] { expire(); });
  }

  health::Alarm& alarm_;
  std::function<bool()> take_back_;
  std::optional<health::Clock::time_point> until_;
};

}  // namespace astil::app
