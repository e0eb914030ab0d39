// What differs between two configurations, in words, by service and backend, and how many flows that concerns: what
// `astil plan` and `astil apply` answer, and a line each in the log.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/api/view.hpp"
#include "control/config/model.hpp"

namespace astil::app {

/// Flows by the last census.
struct FlowCounts {
  std::uint64_t all = 0;
  std::function<std::uint64_t(const config::Service& service)>
      of_service;  ///< with those of backends that were removed
  std::function<std::uint64_t(const config::Service& service, const config::Backend& backend)> of_backend;
};

/// All of the view but what becomes of rings.
[[nodiscard]] api::ApplyView describe_changes(const config::Model& from, const config::Model& to,
                                              const FlowCounts& flows);

}  // namespace astil::app
