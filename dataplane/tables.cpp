#include "dataplane/tables.hpp"

#include <algorithm>

#include "dataplane/core/ports.hpp"

namespace astil::dataplane {

core::Counter Tables::sum_counter(std::size_t slot) const {
  core::Counter sum{};
  for (std::size_t row = 0; row <= sizes.cpus; ++row) {
    const core::Counter& counter = counters()[row * counter_stride() + slot];
    sum.packets += core::shared_load(counter.packets);
    sum.bytes += core::shared_load(counter.bytes);
    sum.connections += core::shared_load(counter.connections);
    sum.refused += core::shared_load(counter.refused);
  }
  return sum;
}

std::uint64_t Tables::sum_reason(core::Reason reason) const {
  std::uint64_t sum = 0;
  for (const core::CpuRow& row : cpu_rows()) sum += core::shared_load(row.reasons[static_cast<std::size_t>(reason)]);
  return sum;
}

std::uint64_t Tables::sum_event(core::FlowEvent event) const {
  std::uint64_t sum = 0;
  for (const core::CpuRow& row : cpu_rows()) sum += core::shared_load(row.events[static_cast<std::size_t>(event)]);
  return sum;
}

core::ServiceDrops Tables::sum_drops(std::size_t place) const {
  core::ServiceDrops sum{};
  for (std::size_t row = 0; row <= sizes.cpus; ++row) {
    const core::ServiceDrops& drops = this->drops()[row * drop_stride() + place];
    for (std::size_t i = 0; i < core::kDropReasons; ++i) sum.counts[i] += core::shared_load(drops.counts[i]);
  }
  return sum;
}

void write_timeouts(const Tables& tables, const FlowTimeouts& timeouts, std::uint16_t affinity) {
  using core::FlowState;
  const auto store_ticks = [&](FlowState state, std::uint16_t ticks) {
    const auto at = static_cast<std::size_t>(state);
    store(tables.settings().timeouts[at], ticks);
    store(tables.settings().port_timeouts[at], std::max(ticks, core::kPortRest));
  };
  const auto store_seconds = [&](FlowState state, std::uint32_t seconds) { store_ticks(state, ticks_for(seconds)); };
  store_seconds(FlowState::claimed, 1);  // a claimer that never came back
  store_seconds(FlowState::affinity_claimed, 1);
  store_ticks(FlowState::affinity, affinity);
  store_seconds(FlowState::half_open, timeouts.half_open);
  store_seconds(FlowState::answered, timeouts.half_open);
  store_seconds(FlowState::established, timeouts.established);
  store_seconds(FlowState::closing, timeouts.closing);
  store_seconds(FlowState::closed, timeouts.closed);
  store_seconds(FlowState::udp_stream, timeouts.udp_stream);
}

FlowTimeouts read_timeouts(const Tables& tables) {
  using core::FlowState;
  const auto seconds = [&](FlowState state) {
    return (tables.settings().timeouts[static_cast<std::size_t>(state)] - 1U) * core::kTickSeconds;
  };
  return {.half_open = seconds(FlowState::half_open),
          .established = seconds(FlowState::established),
          .closing = seconds(FlowState::closing),
          .closed = seconds(FlowState::closed),
          .udp_stream = seconds(FlowState::udp_stream)};
}

void initialise(const Tables& tables, std::span<const std::uint64_t, core::kHashKeys> hash_key,
                std::uint32_t tick_multiplier, std::uint32_t layout_version) {
  core::Settings& settings = tables.settings();
  settings.header.layout_version = layout_version;
  settings.header.sizes = tables.sizes;
  std::copy(hash_key.begin(), hash_key.end(), settings.hash_key);
  settings.active = core::kNoGeneration;
  settings.tick_multiplier = tick_multiplier;
  settings.interface_multiplier = 1U << (32U - core::kInterfaceBits);
  write_timeouts(tables, {}, 0);
  // Until the first publication the packet path looks at every packet, and says that it is not ready.
  constexpr std::uint8_t kAnything = core::kListedService | core::kListedReplier;
  std::fill(std::begin(settings.filter), std::end(settings.filter), kAnything);
  for (auto& pool : settings.pools) std::fill(std::begin(pool), std::end(pool), core::kNoSource);
  for (core::Backend& backend : tables.backends()) backend.service = core::kNoService;
  __atomic_store_n(&settings.header.magic, core::kLayoutMagic, __ATOMIC_RELEASE);
}

}  // namespace astil::dataplane
