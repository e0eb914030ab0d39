// The census: one walk over the flow table at memory speed, which counts the flows of each backend, forgets what has
// expired and so keeps every count true, whatever crashed in between. No bookkeeping that could drift.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "dataplane/core/hash.hpp"
#include "dataplane/tables.hpp"

namespace astil::dataplane {

struct Census {
  std::vector<std::uint32_t> active;  ///< flows by backend number, all states
  std::array<std::uint64_t, core::kFlowStates> by_state{};
  std::uint64_t used = 0;     ///< entries that are not free
  std::uint64_t expired = 0;  ///< entries that this census has freed
};

/// Reads the whole table. May run in a thread of its own beside the packet path and the publisher.
Census take_census(const Tables& tables, std::uint32_t tick);

/// One flow, as tools show it.
struct FlowRecord {
  std::size_t slot = 0;  ///< of the table
  core::FlowEntry entry;
  core::FlowTuple flow;
  std::uint32_t idle_seconds = 0;
};

/// Calls `take` for each flow whose key fits its entry, until it returns false.
void visit_flows(const Tables& tables, std::uint32_t tick, const std::function<bool(const FlowRecord&)>& take);

}  // namespace astil::dataplane
