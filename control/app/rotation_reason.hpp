// Why a backend gets new flows, or why not: the sentence that `astil why` and the events tell.
#pragma once

#include <string>

#include "control/api/view.hpp"

namespace astil::app {

/// What decides it; control/balance/planner.hpp decides by the same.
struct Circumstances {
  bool in_rotation = false;
  api::AdminState admin = api::AdminState::active;
  bool checked = false;  ///< its service has a health check
  api::BackendState health = api::BackendState::unknown;
  std::string last_error;   ///< of the check
  std::string unreachable;  ///< why it has no next hop; empty: it has one
  std::uint32_t weight = 1;
  bool fallback = false;
  bool too_few = false;   ///< of its service's backends are well
  std::string when_down;  ///< of its service, as configured: "fail-open"
};

/// Without a full stop.
[[nodiscard]] std::string rotation_reason(const Circumstances& of);

}  // namespace astil::app
