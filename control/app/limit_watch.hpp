// When the limit of new flows begins to bite, and when it has ceased to: out of a counter that is looked at now and
// then. It ends when nothing has been limited for a while, so that a flood that comes in waves makes two lines in the
// log, and not two for each wave.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace astil::app {

class LimitWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Change { none, began, ended };

  /// So long nothing must have been limited.
  static constexpr std::chrono::seconds kQuiet{30};

  /// `counted`: flows that were limited so far. The first call only takes note of it.
  Change see(std::uint64_t counted, TimePoint now) {
    const std::uint64_t before = counted_.value_or(counted);
    counted_ = counted;
    if (counted > before) {
      last_ = now;
      flows_ = (met_ ? flows_ : 0) + counted - before;
      return std::exchange(met_, true) ? Change::none : Change::began;
    }
    if (!met_ || now - last_ < kQuiet) return Change::none;
    met_ = false;
    return Change::ended;
  }

  [[nodiscard]] bool is_met() const { return met_; }
  /// How many were limited since it began last.
  [[nodiscard]] std::uint64_t flows() const { return flows_; }

 private:
  std::optional<std::uint64_t> counted_;
  TimePoint last_{};
  std::uint64_t flows_ = 0;
  bool met_ = false;
};

}  // namespace astil::app
