// How soon one publication may follow another: as long after it as it took. Then at least half of the loop's time is
// the checks' and the requests', whatever happens; and ten thousand backends that go down at once make a few
// publications, and not one for each handful of results.
#pragma once

#include <algorithm>
#include <chrono>

namespace astil::app {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;
  /// What is known is not held back for longer.
  static constexpr std::chrono::milliseconds kLongest{2000};

  void took(Clock::time_point begin, Clock::time_point end) {
    next_ = end + std::min<Clock::duration>(end - begin, kLongest);
  }
  /// The next one may begin then.
  [[nodiscard]] Clock::time_point next() const { return next_; }

 private:
  Clock::time_point next_{};
};

}  // namespace astil::app
