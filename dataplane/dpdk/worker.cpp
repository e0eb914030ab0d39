#include "dataplane/dpdk/worker.hpp"

#include <array>

#include "dataplane/core/prefetch.hpp"
#include "dataplane/dpdk/mbuf_engine.hpp"
#include "dataplane/jiffies.hpp"

namespace astil::dpdk {

WorkerState::WorkerState(const dataplane::Tables& tables, std::uint32_t row, Outside& around)
    : outside(&around),
      settings(&tables.settings()),
      service_index(tables.service_index()),
      services(tables.services()),
      backends(tables.backends()),
      rings(tables.rings()),
      members(tables.members()),
      flows(tables.flows()),
      clients(tables.clients()),
      fragments(tables.fragments()),
      cursors(tables.cursors()),
      loads(tables.loads()),
      source_rules(tables.source_rules()),
      source_ranges(tables.source_ranges()),
      source_buckets(tables.source_buckets()),
      ports(tables.ports()),
      port_clients(tables.port_clients()),
      counters(tables.counters().subspan(row * tables.counter_stride(), tables.counter_stride())),
      drops(tables.drops().subspan(row * tables.drop_stride(), tables.drop_stride())),
      cpu_row(&tables.cpu_rows()[row]) {}

void Worker::read_clocks() {
  const std::uint64_t time = dataplane::jiffies_now() * state_.settings->tick_multiplier;
  state_.tick = static_cast<std::uint32_t>(time >> 32U);
  state_.fine_tick = static_cast<std::uint32_t>(time >> core::kFineShift);
  state_.source_clock = time >> core::kSourceClockShift;
}

// Three times over the burst: what a packet's flow needs is on its way from memory while the other packets are looked
// at. One packet alone has nobody to wait with.
void Worker::run(std::span<rte_mbuf* const> burst, std::uint32_t ingress, std::span<core::Verdict> verdicts) {
  if (burst.size() > 1) {
    std::array<core::Ahead, kLongestBurst> ahead;
    for (rte_mbuf* frame : burst) __builtin_prefetch(rte_pktmbuf_mtod(frame, const void*));
    for (std::size_t i = 0; i < burst.size(); ++i) {
      MbufEngine engine(state_, burst[i], ingress);
      ahead[i] = core::look_ahead(engine);
    }
    for (std::size_t i = 0; i < burst.size(); ++i) {
      MbufEngine engine(state_, burst[i], ingress);
      core::look_further(engine, ahead[i]);
    }
  }
  for (std::size_t i = 0; i < burst.size(); ++i) {
    MbufEngine engine(state_, burst[i], ingress);
    verdicts[i] = core::run(engine);
  }
}

}  // namespace astil::dpdk
