#include "dataplane/census.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "dataplane/core/ports.hpp"
#include "dataplane/publication_lock.hpp"

namespace astil::dataplane {
namespace {

/// A table of flows, or of ports.
struct Records {
  std::span<core::FlowLine> lines;
  std::span<core::ClientLine> clients;
};

/// The client beside an entry; none: the table has no room for IPv6 clients.
std::optional<core::Address> client_at(const Records& records, std::size_t line, std::size_t position, bool ipv4) {
  if (ipv4) return core::mapped(records.lines[line].keys[position].client);
  if (line >= records.clients.size()) return std::nullopt;
  return records.clients[line].clients[position];
}

/// The connection whose entry stands at a place; none: its service is no more.
std::optional<core::FlowTuple> flow_at(const Tables& tables, const Records& records, std::size_t line,
                                       std::size_t position, std::uint32_t backend) {
  const std::uint32_t active = tables.active();
  if (active == core::kNoGeneration || backend >= tables.sizes.backends) return std::nullopt;
  const std::uint32_t id = core::shared_load(tables.backends()[backend].service);
  if (id >= tables.sizes.services) return std::nullopt;
  const core::Service& service = tables.services_of(active)[id];
  if (service.in_use == 0) return std::nullopt;
  const core::FlowKey key = records.lines[line].keys[position];
  const auto client = client_at(records, line, position, core::is_ipv4(service.address));
  if (!client) return std::nullopt;
  return core::FlowTuple{.client = *client,
                         .address = service.address,
                         .client_port = key.client_port,
                         .port = key.service_port,
                         .protocol = service.protocol};
}

/// How long affinity entries last, in age ticks, by backend number. Those of backends that were removed, or whose
/// service keeps no affinity, go soon; not at once, since a service may have come while the walk was under way.
std::vector<std::uint16_t> affinity_ticks(const Tables& tables) {
  constexpr std::uint16_t kUseless = 2;
  const std::lock_guard lock(publication_lock());
  std::vector<std::uint16_t> ticks(tables.sizes.backends, kUseless);
  const std::uint32_t active = tables.active();
  if (active == core::kNoGeneration) return ticks;
  for (const core::Service& service : tables.services_of(active)) {
    if (service.in_use == 0 || service.affinity_ticks == 0) continue;
    for (std::uint32_t i = 0; i < service.members; ++i) {
      if (const std::uint32_t number = tables.member(service, i); number < ticks.size())
        ticks[number] = service.affinity_ticks;
    }
  }
  return ticks;
}

/// Of one moment each: a publication may change them while the walk is under way.
struct Timeouts {
  explicit Timeouts(const std::uint16_t (&shared)[core::kFlowStates]) {
    for (std::size_t i = 0; i < core::kFlowStates; ++i) of[i] = core::shared_load(shared[i]);
  }
  std::uint16_t of[core::kFlowStates]{};
};

/// Read in this order, a flow that closes between the two loads widens what `certain_error` allows for.
core::Load read_load(const core::Load& place) {
  const std::uint32_t closed = __atomic_load_n(&place.closed, __ATOMIC_ACQUIRE);
  return {.opened = core::shared_load(place.opened), .closed = closed};
}

class Walk {
 public:
  Walk(const Tables& tables, std::uint32_t tick, const std::vector<std::uint32_t>& given_up)
      : tables_(tables), tick_(tick), affinity_ticks_(affinity_ticks(tables)) {
    if (!given_up.empty()) given_up_.resize(tables.sizes.backends);
    for (const std::uint32_t number : given_up) {
      if (number < given_up_.size()) given_up_[number] = true;
    }
    for (auto* counts : {&census_.flows, &census_.half_open, &census_.named, &census_.active})
      counts->resize(tables.sizes.backends);
    for (const core::Load& load : tables.loads()) census_.loads_before.push_back(read_load(load));
  }

  Census take() {
    std::atomic_thread_fence(std::memory_order_acquire);
    for (core::FlowLine& line : tables_.flows()) {
      for (std::uint64_t& place : line.entries) visit(place);
    }
    for (std::size_t line = 0; line < core::port_lines(tables_.sizes); ++line) {
      for (std::size_t i = 0; i < core::kEntriesPerLine; ++i) visit_port(line, i);
    }
    return std::move(census_);
  }

 private:
  void visit(std::uint64_t& place) {
    std::uint64_t entry = core::shared_load(place);
    if (entry == 0) return;
    const bool given_up = is_given_up(entry);
    if ((given_up || has_expired(entry)) &&
        __atomic_compare_exchange_n(&place, &entry, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      ++census_.expired;
      if (given_up && !core::is_of_affinity(core::state_of(entry))) ++census_.given_up;
      const std::uint32_t backend = core::backend_of(entry);
      if (core::is_active(entry) != 0 && backend < tables_.loads().size())
        __atomic_fetch_add(&tables_.loads()[backend].closed, 1, __ATOMIC_RELAXED);
      return;
    }
    if (entry != 0) count(entry);  // 0: another was quicker
  }

  void visit_port(std::size_t line, std::size_t position) {
    std::uint64_t& place = tables_.ports()[line].entries[position];
    std::uint64_t entry = core::shared_load(place);
    if (entry == 0) return;
    if ((is_given_up(entry) || core::is_expired(entry, tick_, port_timeouts_.of) != 0) &&
        __atomic_compare_exchange_n(&place, &entry, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      return;
    if (entry == 0) return;  // another was quicker
    const auto source = static_cast<std::uint32_t>(line / core::kPortLines);
    ++census_.ports.used[source];
    const std::uint32_t backend = core::backend_of(entry);
    if (backend < census_.named.size()) ++census_.named[backend];
    // Whatever became of its service: that may come back.
    const core::Settings& settings = tables_.settings();
    const bool ipv4 = core::is_ipv4(settings.port_sources[source]);
    const auto client = client_at({tables_.ports(), tables_.port_clients()}, line, position, ipv4);
    if (client && core::source_in_pool(settings, *client) != source) census_.ports.strays |= std::uint64_t{1} << source;
  }

  [[nodiscard]] bool is_given_up(std::uint64_t entry) const {
    const std::uint32_t backend = core::backend_of(entry);
    return backend < given_up_.size() && given_up_[backend] && !core::is_claimed(core::state_of(entry));
  }

  [[nodiscard]] bool has_expired(std::uint64_t entry) const {
    if (core::state_of(entry) != core::FlowState::affinity) return core::is_expired(entry, tick_, timeouts_.of) != 0;
    const std::uint32_t backend = core::backend_of(entry);
    return backend >= affinity_ticks_.size() || core::idle_ticks(entry, tick_) >= affinity_ticks_[backend];
  }

  void count(std::uint64_t entry) {
    const core::FlowState state = core::state_of(entry);
    ++census_.used;
    ++census_.by_state[static_cast<std::size_t>(state)];
    const std::uint32_t backend = core::backend_of(entry);
    if (backend >= census_.named.size()) return;
    ++census_.named[backend];
    if (!core::is_of_affinity(state)) ++census_.flows[backend];
    if (state == core::FlowState::half_open) ++census_.half_open[backend];
    census_.active[backend] += core::is_active(entry);
  }

  const Tables& tables_;
  std::uint32_t tick_;
  Timeouts timeouts_{tables_.settings().timeouts};
  Timeouts port_timeouts_{tables_.settings().port_timeouts};
  std::vector<std::uint16_t> affinity_ticks_;
  std::vector<bool> given_up_;  ///< by backend number; none: nobody's
  Census census_;
};

}  // namespace

Census take_census(const Tables& tables, std::uint32_t tick, const std::vector<std::uint32_t>& given_up) {
  return Walk(tables, tick, given_up).take();
}

std::int64_t certain_error(const core::Load& before, const core::Load& now, std::uint32_t found) {
  const std::int64_t counted = static_cast<std::int32_t>(before.opened - before.closed);
  const std::int64_t least = counted - found - std::int64_t{now.closed - before.closed};
  const std::int64_t most = counted - found + std::int64_t{now.opened - before.opened};
  if (least > 0) return least;
  return std::min<std::int64_t>(most, 0);
}

void correct_loads(const Tables& tables, Census& census, const std::function<void()>& wait_for_readers) {
  const auto loads = tables.loads();
  const auto error_of = [&](std::size_t number) {
    return certain_error(census.loads_before[number], read_load(loads[number]), census.active[number]);
  };
  std::vector<std::size_t> suspects;
  for (std::size_t number = 0; number < loads.size(); ++number) {
    if (error_of(number) != 0) suspects.push_back(number);
  }
  if (suspects.empty()) return;
  wait_for_readers();
  for (const std::size_t number : suspects) {
    const std::int64_t error = error_of(number);
    std::uint32_t& place = error > 0 ? loads[number].closed : loads[number].opened;
    const auto wrong = static_cast<std::uint32_t>(std::abs(error));
    if (wrong != 0) __atomic_fetch_add(&place, wrong, __ATOMIC_RELAXED);
    census.corrected += wrong;
  }
}

/// The key is written apart from its entry; it is the entry's own if what it names has the entry's tag.
core::FlowHash hash_of(const FlowRecord& record, const core::Settings& settings, std::uint32_t lines) {
  if (core::is_of_affinity(record.entry.state)) return core::affinity_hash(record.flow, settings.hash_key, lines - 1);
  return core::flow_hash(record.flow, settings.hash_key, lines - 1);
}

namespace {

void visit(const Tables& tables, const Records& records, std::uint32_t tick,
           const std::function<bool(const FlowRecord&)>& take) {
  for (std::size_t line = 0; line < records.lines.size(); ++line) {
    for (std::size_t position = 0; position < core::kEntriesPerLine; ++position) {
      const std::uint64_t entry = core::shared_load(records.lines[line].entries[position]);
      if (entry == 0 || core::is_claimed(core::state_of(entry))) continue;
      const auto flow = flow_at(tables, records, line, position, core::backend_of(entry));
      if (!flow) continue;
      const FlowRecord record{.slot = line * core::kEntriesPerLine + position,
                              .entry = core::unpack(entry),
                              .flow = *flow,
                              .idle_seconds = core::idle_ticks(entry, tick) * core::kTickSeconds};
      if (hash_of(record, tables.settings(), 1).tag != record.entry.tag) continue;
      if (!take(record)) return;
    }
  }
}

}  // namespace

void visit_flows(const Tables& tables, std::uint32_t tick, const std::function<bool(const FlowRecord&)>& take) {
  visit(tables, {tables.flows(), tables.clients()}, tick, take);
}

void visit_ports(const Tables& tables, std::uint32_t tick, const std::function<bool(const FlowRecord&)>& take) {
  visit(tables, {tables.ports(), tables.port_clients()}, tick, take);
}

}  // namespace astil::dataplane
