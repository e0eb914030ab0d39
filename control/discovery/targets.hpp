// Backends that are found and not written down: what a source names, and how a file names it, in the form of
// Prometheus' file_sd: a list of groups, each with "targets" and perhaps "labels".
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.hpp"
#include "control/config/model.hpp"

namespace astil::discovery {

struct Found {
  config::address host;
  config::Port port{};  ///< 0: the service's
  config::Weight weight{1};
  std::strong_ordering operator<=>(const Found&) const = default;
};

/// Sorted, each address and port once.
using Set = std::vector<Found>;

/// Sorts; of those with the same address and port the first stays.
[[nodiscard]] Set made_set(std::vector<Found> found);

/// At most, of a file: that is what a service's ring can tell apart.
inline constexpr std::size_t kMostTargets = 65'000;

/// "10.0.0.1:80", "[2001:db8::1]:80", or without a port.
[[nodiscard]] Result<Found> read_target(std::string_view text);

/// The targets of a file's text: JSON where its name ends with .json, else YAML. The label "weight" is the weight of
/// its group's backends; other labels are Prometheus' business. One target that is wrong makes it all wrong: half a
/// pool is worse than the one of before.
[[nodiscard]] Result<Set> read_targets(const std::string& text, const std::string& file);

/// The name that such a backend has: its address and port.
[[nodiscard]] std::string name_of(const Found& found, config::Port port);

}  // namespace astil::discovery
