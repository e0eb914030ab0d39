#include "dataplane/tables.hpp"

#include <algorithm>

namespace astil::dataplane {

namespace {

/// By FlowState, in seconds, whole ticks of the clock of ages. Established: what RFC 9293 hosts keep alive within (2
/// hours, RFC 1122 section 4.2.3.6). Half-open and closing flows as LVS has them, rounded up: 60 s for SYN_RECV, 120 s
/// for FIN_WAIT. Closed (10 s for LVS) and claimed ones: two ticks, since one alone can be over in a moment.
constexpr std::array<std::uint32_t, core::kFlowStates> kTimeoutSeconds{0, 32, 64, 64, 7200, 128, 32, 0};

}  // namespace

core::Counter Tables::sum_counter(std::size_t slot) const {
  core::Counter sum{};
  for (std::size_t row = 0; row <= sizes.cpus; ++row) {
    const core::Counter& counter = counters()[row * counter_stride() + slot];
    sum.packets += core::shared_load(counter.packets);
    sum.bytes += core::shared_load(counter.bytes);
    sum.connections += core::shared_load(counter.connections);
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

void initialise(const Tables& tables, std::span<const std::uint64_t, 4> hash_key, std::uint32_t tick_multiplier,
                std::uint32_t layout_version) {
  core::Settings& settings = tables.settings();
  settings.header.layout_version = layout_version;
  settings.header.sizes = tables.sizes;
  std::copy(hash_key.begin(), hash_key.end(), settings.hash_key);
  settings.active = core::kNoGeneration;
  settings.tick_multiplier = tick_multiplier;
  settings.interface_multiplier = 1U << (32U - core::kInterfaceBits);
  for (std::size_t state = 0; state < core::kFlowStates; ++state) {
    settings.timeouts[state] =
        static_cast<std::uint16_t>((kTimeoutSeconds[state] + core::kTickSeconds - 1) / core::kTickSeconds);
  }
  // Until the first publication the packet path looks at every packet, and says that it is not ready.
  std::fill(std::begin(settings.filter), std::end(settings.filter), ~0ULL);
  settings.replies = 1;
  for (core::Backend& backend : tables.backends()) backend.service = core::kNoService;
  __atomic_store_n(&settings.header.magic, core::kLayoutMagic, __ATOMIC_RELEASE);
}

}  // namespace astil::dataplane
