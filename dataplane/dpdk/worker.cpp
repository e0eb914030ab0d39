#include "dataplane/dpdk/worker.hpp"

#include <array>
#include <bit>

#include "dataplane/core/prefetch.hpp"
#include "dataplane/dpdk/mbuf_engine.hpp"
#include "dataplane/jiffies.hpp"

namespace astil::dpdk {

WorkerState::WorkerState(const dataplane::Tables& tables, std::uint32_t row, Outside& around,
                         std::span<core::Hop> kept_hops)
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
      cpu_row(&tables.cpu_rows()[row]),
      hops(kept_hops) {}

void Worker::read_clocks() {
  const std::uint64_t time = dataplane::jiffies_now() * state_.settings->tick_multiplier;
  state_.tick = static_cast<std::uint32_t>(time >> 32U);
  state_.fine_tick = static_cast<std::uint32_t>(time >> core::kFineShift);
  state_.source_clock = time >> core::kSourceClockShift;
}

/// Twice over the burst: what a packet's flow needs is on its way from memory while the other packets are looked at.
/// Where a burst is of few flows, the processor's caches have them, and looking ahead costs more than it saves: then
/// the next bursts are not looked ahead for.
void Worker::look_ahead(std::span<rte_mbuf* const> burst, std::uint32_t ingress) {
  constexpr std::uint32_t kBurstsOfFew = 15;
  std::array<core::Ahead, kLongestBurst> ahead;
  std::uint64_t lines = 0;  // a bit for each that was seen, or some
  for (std::size_t i = 0; i < burst.size(); ++i) {
    MbufEngine engine(state_, burst[i], ingress);
    ahead[i] = core::look_ahead(engine);
    lines |= std::uint64_t{1} << (ahead[i].line % 64);
  }
  for (std::size_t i = 0; i < burst.size(); ++i) {
    MbufEngine engine(state_, burst[i], ingress);
    core::look_further(engine, ahead[i]);
  }
  if (static_cast<std::size_t>(std::popcount(lines)) * 4 <= burst.size()) bursts_of_few_ = kBurstsOfFew;
}

/// One packet alone has nobody to wait with.
void Worker::run(std::span<rte_mbuf* const> burst, std::uint32_t ingress, std::span<core::Verdict> verdicts) {
  if (burst.size() > 1) {
    for (rte_mbuf* frame : burst) __builtin_prefetch(rte_pktmbuf_mtod(frame, const void*));
    if (bursts_of_few_ == 0) {
      look_ahead(burst, ingress);
    } else {
      --bursts_of_few_;
    }
  }
  for (std::size_t i = 0; i < burst.size(); ++i) {
    MbufEngine engine(state_, burst[i], ingress);
    verdicts[i] = core::run(engine);
  }
}

}  // namespace astil::dpdk
