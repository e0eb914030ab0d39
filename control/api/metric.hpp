// What a declaration of a metric is; the declarations are in metrics.cpp, metrics_dns.cpp, metrics_pair.cpp and
// metrics_sync.cpp.
#pragma once

#include <prometheus/metric_type.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/metrics.hpp"

namespace astil::api {

/// Takes one sample: the values of the declared labels, in their order, and the number.
using Emit = std::function<void(std::vector<std::string> label_values, double value)>;

struct Metric {
  std::string_view name;
  prometheus::MetricType type;
  std::string_view help;
  std::vector<std::string_view> labels;
  std::function<void(const MetricsSource&, const Emit&)> collect;
};

inline double number(std::uint64_t value) { return static_cast<double>(value); }

/// Those of the name server.
[[nodiscard]] std::vector<Metric> dns_metrics();
/// Those of a pair.
[[nodiscard]] std::vector<Metric> pair_metrics();
/// Those of flow sync.
[[nodiscard]] std::vector<Metric> sync_metrics();

}  // namespace astil::api
