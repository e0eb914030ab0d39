// The census: one walk over the flow table at memory speed, which counts the flows of each backend, forgets what has
// expired and so keeps every count true, whatever crashed in between. No bookkeeping that could drift.
//
// The packet path keeps counts of its own for the schedulers (core::Load), which the census compares with what it found
// (docs/decisions/0010-counts-of-active-flows.md).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "dataplane/core/hash.hpp"
#include "dataplane/tables.hpp"

namespace astil::dataplane {

/// What of the ports of full NAT is in use.
struct PortCount {
  std::array<std::uint64_t, core::kPortSources> used{};  ///< by place of the source address, resting ones included
  std::uint64_t strays = 0;  ///< places that have connections of clients which the pools send elsewhere, a bit for each
};

struct Census {
  std::vector<std::uint32_t> flows;      ///< by backend number, all states; affinity entries are none
  std::vector<std::uint32_t> half_open;  ///< of them, under nat: those that the backend has not answered
  std::vector<std::uint32_t>
      named;  ///< records that name the number, of affinity and ports too: it is not to be reused
  std::array<std::uint64_t, core::kFlowStates> by_state{};
  std::uint64_t used = 0;       ///< entries that are not free
  std::uint64_t expired = 0;    ///< entries that this census has freed
  std::uint64_t given_up = 0;   ///< of them, flows that had not expired
  std::uint64_t corrected = 0;  ///< active flows that core::Load had too many or too few, by `correct_loads`

  PortCount ports;

  std::vector<core::Load> loads_before;  ///< what stood there when the walk began
  std::vector<std::uint32_t> active;     ///< what the walk found of it (core::is_active)
};

/// Reads the whole table. May run in a thread of its own beside the packet path and the publisher. `given_up`: backends
/// whose entries are freed as if they had expired.
Census take_census(const Tables& tables, std::uint32_t tick, const std::vector<std::uint32_t>& given_up = {});

/// What is certainly wrong with a count of active flows, too many if positive. `before` and `now`: what stood there
/// when the walk began, and after it; `found`: what the walk found.
///
/// The walk meets each entry at another moment, and a change is seen or not, by where it is. So what it finds is the
/// number of when it began, less at most all flows that have closed since, more at most all that have opened since. A
/// count that is right lies within; of one that lies outside, so much is wrong for certain.
[[nodiscard]] std::int64_t certain_error(const core::Load& before, const core::Load& now, std::uint32_t found);

/// Corrects the counts of active flows by what is certainly wrong. `wait_for_readers` returns when every packet that is
/// under way is done: until then what it has changed may not be counted. It is called only where something seems wrong.
void correct_loads(const Tables& tables, Census& census, const std::function<void()>& wait_for_readers);

/// One flow, as tools show it; or, in state `affinity`, one client: `flow.client` is then the first bits of addresses,
/// its port 0.
struct FlowRecord {
  std::size_t slot = 0;  ///< of the table
  core::FlowEntry entry;
  core::FlowTuple flow;
  std::uint32_t idle_seconds = 0;
};

/// Likewise of the ports of full NAT; `slot` is a core::PortIndex.
void visit_ports(const Tables& tables, std::uint32_t tick, const std::function<bool(const FlowRecord&)>& take);

/// Where the record stands in a table with so many lines.
core::FlowHash hash_of(const FlowRecord& record, const core::Settings& settings, std::uint32_t lines);

/// Calls `take` for each flow or affinity entry whose key fits it, until it returns false.
void visit_flows(const Tables& tables, std::uint32_t tick, const std::function<bool(const FlowRecord&)>& take);

}  // namespace astil::dataplane
