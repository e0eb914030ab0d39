#include "dataplane/census.hpp"

#include <map>
#include <optional>
#include <tuple>

#include "dataplane/core/flow_table.hpp"
#include "dataplane/native/native_engine.hpp"

namespace astil::dataplane {
namespace {

/// The connection that an entry with this key stands for; none where the backend or its service is not in the tables.
std::optional<core::FlowTuple> tuple_of(const Tables& tables, std::uint32_t backend, const core::FlowKey& key) {
  const std::uint32_t active = tables.active();
  if (active == core::kNoGeneration || backend >= tables.sizes.backends) return std::nullopt;
  const std::uint32_t id = core::shared_load(tables.backends()[backend].service);
  if (id >= tables.sizes.services) return std::nullopt;
  const core::Service& service = tables.services_of(active)[id];
  if (service.in_use == 0) return std::nullopt;
  return core::FlowTuple{.client = key.client,
                         .address = service.address.words[0],
                         .client_port = key.client_port,
                         .port = service.port,
                         .protocol = service.protocol};
}

/// The key is written apart from its entry; it is the entry's own if the connection it names has the entry's tag.
bool belongs_to(const Tables& tables, const core::FlowTuple& flow, std::uint32_t tag) {
  return core::flow_hash(flow, tables.settings().hash_key, 0).tag == tag;
}

using UseName = std::tuple<core::Be32, core::Be16, std::uint8_t, core::Be32, core::Be16>;

/// A use of a backend by what it is called everywhere: the service's and the backend's ends.
std::optional<UseName> name_of(const Tables& tables, std::uint32_t number) {
  const core::Backend& backend = tables.backends()[number];
  const std::uint32_t id = core::shared_load(backend.service);
  if (id >= tables.sizes.services || tables.active() == core::kNoGeneration) return std::nullopt;
  const core::Service& service = tables.services_of(tables.active())[id];
  if (service.in_use == 0) return std::nullopt;
  return UseName{service.address.words[0], service.port, service.protocol, backend.address.words[0], backend.port};
}

/// Numbers in `from` to numbers in `to`; core::kNoService: none.
std::vector<std::uint32_t> translate_numbers(const Tables& from, const Tables& to) {
  std::map<UseName, std::uint32_t> by_name;
  for (std::uint32_t number = 0; number < to.sizes.backends; ++number) {
    if (const auto name = name_of(to, number)) by_name[*name] = number;
  }
  std::vector<std::uint32_t> numbers(from.sizes.backends, core::kNoService);
  for (std::uint32_t number = 0; number < from.sizes.backends; ++number) {
    const auto name = name_of(from, number);
    if (!name) continue;
    if (const auto found = by_name.find(*name); found != by_name.end()) numbers[number] = found->second;
  }
  return numbers;
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
      const core::FlowKey key = lines[line].keys[position];
      const auto flow = tuple_of(tables, core::backend_of(entry), key);
      if (!flow || !belongs_to(tables, *flow, core::tag_of(entry))) continue;
      if (!take({.entry = core::unpack(entry),
                 .key = key,
                 .idle_seconds = core::idle_ticks(entry, tick) * core::kTickSeconds})) {
        return;
      }
    }
  }
}

Carried carry_flows(const Tables& from, const Tables& to, std::uint32_t tick) {
  Carried carried;
  const std::vector<std::uint32_t> numbers = translate_numbers(from, to);
  native::Frame no_frame({});
  native::Surroundings around;
  around.tick = tick;
  native::NativeEngine<> engine(to, no_frame, around);
  visit_flows(from, tick, [&](const FlowRecord& record) {
    const std::uint32_t number = numbers[record.entry.backend];
    const auto flow = number == core::kNoService ? std::nullopt : tuple_of(to, number, record.key);
    if (!flow) {
      ++carried.without;
      return true;
    }
    const core::FlowHash hash = core::flow_hash(*flow, to.settings().hash_key, to.sizes.flow_lines - 1);
    const core::FlowPlace known = core::find_flow(engine, hash);
    if (known.entry != nullptr) {
      ++carried.known;
      return true;
    }
    core::FlowEntry entry = record.entry;
    entry.backend = number;
    // A place that a packet takes at the same moment is looked for again.
    for (int tries = 0; tries < 8; ++tries) {
      if (core::write_flow(engine, core::choose_place(engine, hash, tick), entry, record.key)) {
        ++carried.flows;
        break;
      }
    }
    return true;
  });
  return carried;
}

void carry_counters(const Tables& from, const Tables& to) {
  const auto add = [](core::Counter& to_counter, const core::Counter& counted) {
    to_counter.packets += counted.packets;
    to_counter.bytes += counted.bytes;
    to_counter.connections += counted.connections;
  };
  const std::vector<std::uint32_t> numbers = translate_numbers(from, to);
  for (std::uint32_t number = 0; number < from.sizes.backends; ++number) {
    if (numbers[number] != core::kNoService) add(to.own_counters()[numbers[number]], from.sum_counter(number));
  }
  if (from.active() != core::kNoGeneration && to.active() != core::kNoGeneration) {
    for (const core::Service& old : from.services_of(from.active())) {
      for (const core::Service& service : to.services_of(to.active())) {
        if (old.in_use == 0 || service.in_use == 0 || old.address != service.address || old.port != service.port)
          continue;
        add(to.own_counters()[to.sizes.backends + service.id], from.sum_counter(from.sizes.backends + old.id));
      }
    }
  }
  core::CpuRow& row = to.cpu_rows()[to.sizes.cpus];
  for (std::size_t i = 0; i < static_cast<std::size_t>(core::Reason::count); ++i) {
    row.reasons[i] += from.sum_reason(static_cast<core::Reason>(i));
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(core::FlowEvent::count); ++i) {
    row.events[i] += from.sum_event(static_cast<core::FlowEvent>(i));
  }
}

}  // namespace astil::dataplane
