#include "dataplane/census.hpp"

#include "dataplane/core/flow_table.hpp"

namespace astil::dataplane {
namespace {

/// The key is written apart from its entry; it is the entry's own if the connection it names has the entry's tag.
bool belongs_to(const Tables& tables, const core::FlowTuple& flow, std::uint32_t tag) {
  return core::flow_hash(flow, tables.settings().hash_key, 0).tag == tag;
}

/// The connection whose entry stands at a place; none: its service is no more.
std::optional<core::FlowTuple> flow_at(const Tables& tables, std::size_t line, std::size_t position,
                                       std::uint32_t backend) {
  const std::uint32_t active = tables.active();
  if (active == core::kNoGeneration || backend >= tables.sizes.backends) return std::nullopt;
  const std::uint32_t id = core::shared_load(tables.backends()[backend].service);
  if (id >= tables.sizes.services) return std::nullopt;
  const core::Service& service = tables.services_of(active)[id];
  if (service.in_use == 0) return std::nullopt;
  const core::FlowKey key = tables.flows()[line].keys[position];
  const bool ipv4 = core::is_ipv4(service.address);
  if (!ipv4 && line >= tables.clients().size()) return std::nullopt;
  return core::FlowTuple{.client = ipv4 ? core::mapped(key.client) : tables.clients()[line].clients[position],
                         .address = service.address,
                         .client_port = key.client_port,
                         .port = key.service_port,
                         .protocol = service.protocol};
}

}  // namespace

Census take_census(const Tables& tables, std::uint32_t tick) {
  Census census;
  census.active.resize(tables.sizes.backends);
  const auto& timeouts = tables.settings().timeouts;
  for (core::FlowLine& line : tables.flows()) {
    for (std::uint64_t& place : line.entries) {
      std::uint64_t entry = core::shared_load(place);
      if (entry == 0) continue;
      if (core::is_expired(entry, tick, timeouts) != 0 &&
          __atomic_compare_exchange_n(&place, &entry, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        ++census.expired;
        continue;
      }
      if (entry == 0) continue;  // another was quicker
      ++census.used;
      ++census.by_state[static_cast<std::size_t>(core::state_of(entry))];
      if (const std::uint32_t backend = core::backend_of(entry); backend < census.active.size())
        ++census.active[backend];
    }
  }
  return census;
}

void visit_flows(const Tables& tables, std::uint32_t tick, const std::function<bool(const FlowRecord&)>& take) {
  const auto lines = tables.flows();
  for (std::size_t line = 0; line < lines.size(); ++line) {
    for (std::size_t position = 0; position < core::kEntriesPerLine; ++position) {
      const std::uint64_t entry = core::shared_load(lines[line].entries[position]);
      if (entry == 0 || core::state_of(entry) == core::FlowState::claimed) continue;
      const auto flow = flow_at(tables, line, position, core::backend_of(entry));
      if (!flow || !belongs_to(tables, *flow, core::tag_of(entry))) continue;
      if (!take({.slot = line * core::kEntriesPerLine + position,
                 .entry = core::unpack(entry),
                 .flow = *flow,
                 .idle_seconds = core::idle_ticks(entry, tick) * core::kTickSeconds})) {
        return;
      }
    }
  }
}

}  // namespace astil::dataplane
