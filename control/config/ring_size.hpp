// How long a service's ring is: decided here, because the configuration must know whether all rings fit in their table.
#pragma once

#include <cstdint>

#include "control/config/model.hpp"

namespace astil::config {

/// The smallest prime of at least `ring_slots_per_weight` slots for the smallest weight that is not 0; 0 where every
/// weight is. A prime, so that each of Maglev's permutations visits every slot.
[[nodiscard]] std::uint64_t ring_size(const Service& service);

/// A ring is written beside the one being read, so each has room twice in the table.
inline constexpr std::uint64_t kRingGenerations = 2;

}  // namespace astil::config
