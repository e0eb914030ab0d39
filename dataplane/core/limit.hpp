// Limits of a rate, each CPU for itself: so many in each 64th of a second, and no more.
#pragma once

#include "dataplane/core/engine.hpp"

namespace astil::core {

/// Counts one more of a kind. False: it is one too many. `most`: in one unit of the fine clock; 0: no limit.
template <class Engine>
ASTIL_INLINE bool is_within_limit(Engine& engine, LimitKind kind, u32 most) {
  CpuRow* row = engine.cpu_row();
  if (row == nullptr || most == 0) return true;
  Limit& limit = row->limits[static_cast<u32>(kind)];
  const u32 now = engine.fine_tick();
  if (limit.unit != now) {
    limit.unit = now;
    limit.count = 0;
  }
  if (limit.count >= most) return false;
  ++limit.count;
  return true;
}

/// Would one more of a kind be one too many? Nothing is counted.
template <class Engine>
ASTIL_INLINE bool has_met_limit(Engine& engine, const CpuRow& row, LimitKind kind, u32 most) {
  const Limit& limit = row.limits[static_cast<u32>(kind)];
  return most != 0 && limit.count >= most && limit.unit == engine.fine_tick();
}

/// A limit a second as one of a unit of the clock, rounded up.
constexpr u32 per_unit(u32 per_second) { return (per_second + kUnitsPerSecond - 1) / kUnitsPerSecond; }

}  // namespace astil::core
