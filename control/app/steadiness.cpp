#include "control/app/steadiness.hpp"

#include <algorithm>

namespace astil::app {

std::uint32_t steady_seconds(const config::HealthCheck& check, const health::State& state) {
  unsigned needed = 1;
  if (state.health == health::Health::up) {
    // Failures have an error; after a success there is none.
    needed = state.last_error.empty() ? check.fall : check.fall - std::min(state.consecutive, check.fall - 1);
  } else if (state.health == health::Health::down) {
    // So many in a row can be failures alone; fewer may be successes.
    needed = state.consecutive >= check.rise ? check.rise : check.rise - state.consecutive;
  }
  const auto time = check.interval * (needed - 1);
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

std::uint32_t steady_seconds(std::vector<BackendSteadiness> backends, std::size_t minimum) {
  const auto up = static_cast<std::size_t>(
      std::count_if(backends.begin(), backends.end(), [](const BackendSteadiness& each) { return each.is_up; }));
  const bool is_well = up >= minimum;
  const std::size_t changes = is_well ? up - minimum + 1 : minimum - up;
  std::vector<std::uint32_t> times;
  for (const BackendSteadiness& each : backends) {
    if (each.is_up == is_well) times.push_back(each.seconds);
  }
  if (times.size() < changes) return UINT32_MAX;
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(changes) - 1, times.end());
  return times[changes - 1];
}

}  // namespace astil::app
