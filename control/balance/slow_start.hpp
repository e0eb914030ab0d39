// Slow start: a backend that comes up begins with a tenth of its weight and gets a tenth more at a time. A ring is
// patched for each step, so that all of them together move the slots that one step to the whole share would have moved.
#pragma once

#include "control/balance/planner.hpp"

namespace astil::balance {

struct SlowStart {
  std::vector<std::uint32_t> tenths;           ///< of its weight that each backend has, 1 to kTenths
  Starts starts;                               ///< of those that have not all
  std::optional<Clock::time_point> next_step;  ///< when the next of them is due more
};

/// For the backends of now, whose rotation is known, out of those before. A service that was not there before starts
/// at once, and so does one where nobody was in rotation: there is no one else to take the flows meanwhile. 0: all do.
[[nodiscard]] SlowStart start_slowly(std::chrono::milliseconds duration,
                                     const std::vector<dataplane::BackendUse>& before, const Starts& starts,
                                     const std::vector<dataplane::BackendUse>& now_in, Clock::time_point now);

/// Makes the weights, which schedulers compare loads by, follow it. While someone starts slowly, all are multiplied as
/// far as there is room, so that a tenth of a small one is a number too.
void weigh(const SlowStart& slow_start, std::vector<dataplane::BackendUse>& backends);

}  // namespace astil::balance
