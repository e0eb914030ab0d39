// The census: one walk over the flow table at memory speed, which counts the flows of each backend, forgets what has
// expired and so keeps every count true, whatever crashed in between. No bookkeeping that could drift.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

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
  core::FlowEntry entry;
  core::FlowKey key;
  std::uint32_t idle_seconds = 0;
};

/// Calls `take` for each flow whose key fits its entry, until it returns false.
void visit_flows(const Tables& tables, std::uint32_t tick, const std::function<bool(const FlowRecord&)>& take);

/// Carries flows from one set of tables to another, whose sizes may differ: by key, with backend numbers translated by
/// service and address. What `to` knows already stays as it is there. Both must have published the services that the
/// flows belong to, and have the same secret.
struct Carried {
  std::uint64_t flows = 0;    ///< written
  std::uint64_t known = 0;    ///< stood in `to` already
  std::uint64_t without = 0;  ///< their backend is not in `to`
};
Carried carry_flows(const Tables& from, const Tables& to, std::uint32_t tick);

/// Carries what services and backends have counted, and the counts of reasons and events, to new tables, so that no
/// metric goes back.
void carry_counters(const Tables& from, const Tables& to);

}  // namespace astil::dataplane
