// What `astil capture` was asked for, in the packet path's numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/api/view.hpp"
#include "dataplane/core/capture.hpp"

namespace astil::app {

/// The numbers behind a query's names.
struct CaptureTargets {
  std::optional<std::uint32_t> service;                ///< id; none: any
  std::optional<std::vector<std::uint32_t>> backends;  ///< numbers, kMaxCapturedBackends at most; none: any
};

[[nodiscard]] core::CaptureFilter filter_of(const api::CaptureQuery& query, const CaptureTargets& targets);

}  // namespace astil::app
