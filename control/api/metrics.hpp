// The Prometheus metrics: one declaration of each (name, type, help, labels, and how its samples follow from the
// views), from which the scrape and docs/metrics.md are made. Names and units follow Prometheus' naming guide.
#pragma once

#include <string>

#include "control/api/view.hpp"

namespace astil::api {

/// The Content-Type of `metrics_text`.
inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/// What a scrape reads. Both are taken in one go, so that their numbers belong together.
struct MetricsSource {
  StatusView status;
  DropsView drops;
};

/// The answer to a scrape, in Prometheus' text format 0.0.4. A metric without samples is left out.
[[nodiscard]] std::string metrics_text(const MetricsSource& source);

/// docs/metrics.md, from the same declarations.
[[nodiscard]] std::string metrics_reference();

}  // namespace astil::api
