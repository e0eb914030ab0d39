// How long what the checks say of a server can not change: the time that the results which are still needed take.
#pragma once

#include <cstdint>
#include <vector>

#include "control/config/model_health.hpp"
#include "control/health/state.hpp"

namespace astil::app {

/// Seconds, rounded down. A result may come at any moment, and each further one an interval later.
[[nodiscard]] std::uint32_t steady_seconds(const config::HealthCheck& check, const health::State& state);

/// Of a service that needs `minimum` backends: each backend's state, and how long that lasts at least.
struct BackendSteadiness {
  bool is_up = true;
  std::uint32_t seconds = UINT32_MAX;
};
[[nodiscard]] std::uint32_t steady_seconds(std::vector<BackendSteadiness> backends, std::size_t minimum);

}  // namespace astil::app
