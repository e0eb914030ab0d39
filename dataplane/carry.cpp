#include "dataplane/carry.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "dataplane/core/flow_table.hpp"
#include "dataplane/desired.hpp"
#include "dataplane/port_sources.hpp"

namespace astil::dataplane {
namespace {

using Words = std::array<core::Be32, 4>;
using UseName = std::tuple<Words, core::Be16, std::uint8_t, Words, core::Be16, core::Forwarding>;

Words words_of(const core::Address& address) { return std::to_array(address.words); }

/// A use of a backend by what it is called everywhere: the service's and the backend's ends.
std::optional<UseName> name_of(const Tables& tables, std::uint32_t number) {
  const core::Backend& backend = tables.backends()[number];
  const std::uint32_t id = core::shared_load(backend.service);
  if (id >= tables.sizes.services || tables.active() == core::kNoGeneration) return std::nullopt;
  const core::Service& service = tables.services_of(tables.active())[id];
  if (service.in_use == 0) return std::nullopt;
  return UseName{words_of(service.address), service.port, service.protocol,
                 words_of(backend.address), backend.port, backend.forwarding};
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

using IdsByKey = std::unordered_map<ServiceKey, std::uint32_t, ServiceKeyHash>;

IdsByKey ids_by_key(const Tables& tables) {
  IdsByKey ids;
  if (tables.active() == core::kNoGeneration) return ids;
  for (const core::Service& service : tables.services_of(tables.active())) {
    if (service.in_use != 0) ids.emplace(key_of(service), service.id);
  }
  return ids;
}

}  // namespace

FlowCarrier::FlowCarrier(const Tables& from, const Tables& to)
    : from_(from),
      to_(to),
      numbers_(translate_numbers(from, to)),
      written_(from.flows().size() * core::kEntriesPerLine) {}

/// What is given up last is worth most.
std::uint32_t FlowCarrier::worth(std::uint64_t entry, std::uint32_t tick) const {
  return ~core::eviction_rank(entry, tick, to_.settings().timeouts);
}

void FlowCarrier::carry(std::uint32_t tick) {
  native::Frame no_frame({});
  native::Surroundings around;
  around.tick = tick;
  native::NativeEngine<> engine(to_, no_frame, around);
  visit_flows(from_, tick, [&](const FlowRecord& record) {
    carry(engine, record);
    return true;
  });
}

void FlowCarrier::carry(native::NativeEngine<>& engine, const FlowRecord& record) {
  const std::uint32_t number = numbers_[record.entry.backend];
  if (number == core::kNoService) {
    ++carried_.without;
    return;
  }
  core::FlowEntry entry = record.entry;
  entry.backend = number;
  const std::uint64_t value = core::pack(entry);
  const core::FlowHash hash = hash_of(record, to_.settings(), to_.sizes.flow_lines);
  std::uint64_t& written = written_[record.slot];
  // A place that a packet takes at the same moment is looked for again.
  for (int tries = 0; tries < 8; ++tries) {
    core::FlowLines lines = core::flow_lines(engine, hash, false);
    core::FlowPlace place = core::find_flow(engine, hash, lines);
    if (place.line != nullptr && (place.value == value || place.value != written)) {
      ++carried_.known;
      return;
    }
    if (place.line == nullptr) {
      place = core::choose_place(engine, lines, hash, engine.tick());
      if (worth(place.value, engine.tick()) > worth(value, engine.tick())) {
        ++carried_.crowded;
        return;
      }
    }
    if (core::write_flow(engine, place, entry, record.flow)) {
      ++carried_.flows;
      written = value;
      return;
    }
  }
}

PortCarrier::PortCarrier(const Tables& from, const Tables& to)
    : from_(from),
      to_(to),
      numbers_(translate_numbers(from, to)),
      written_(std::size_t{core::port_lines(from.sizes)} * core::kEntriesPerLine) {
  const auto& sources = to.settings().port_sources;
  for (std::size_t place = 0; place < places_.size(); ++place) {
    const core::Address& address = from.settings().port_sources[place];
    const auto found = std::find(std::begin(sources), std::end(sources), address);
    const bool none = is_free(address) || found == std::end(sources);
    places_[place] = none ? core::kNoSource : static_cast<std::uint32_t>(found - std::begin(sources));
  }
}

void PortCarrier::carry() {
  for (std::size_t line = 0; line < core::port_lines(from_.sizes); ++line) {
    for (std::size_t position = 0; position < core::kEntriesPerLine; ++position) carry(line, position);
  }
}

/// Where packets have met the new record, it knows more than the old one, if it is of the same connection.
void PortCarrier::carry(std::size_t line, std::size_t position) {
  const core::FlowLine& source = from_.ports()[line];
  core::FlowEntry entry = core::unpack(core::shared_load(source.entries[position]));
  const std::uint32_t place = places_[line / core::kPortLines];
  if (entry.tag == 0 || core::is_claimed(entry.state) || place == core::kNoSource) return;
  if (entry.backend >= numbers_.size() || numbers_[entry.backend] == core::kNoService) return;
  entry.backend = numbers_[entry.backend];
  const std::uint64_t value = core::pack(entry);
  std::uint64_t& written = written_[line * core::kEntriesPerLine + position];
  if (written == value) return;
  std::atomic_thread_fence(std::memory_order_acquire);
  const core::FlowKey key = source.keys[position];
  core::Address client{};
  if (line < from_.port_clients().size()) client = from_.port_clients()[line].clients[position];
  std::atomic_thread_fence(std::memory_order_acquire);
  // Another connection may have taken the port while its key was read: the next pass brings that one.
  if (core::tag_of(core::shared_load(source.entries[position])) != entry.tag) return;
  const std::size_t to_line = place * std::size_t{core::kPortLines} + line % core::kPortLines;
  core::FlowLine& target = to_.ports()[to_line];
  std::uint64_t there = core::shared_load(target.entries[position]);
  const bool same = there != 0 && target.keys[position] == key && core::tag_of(there) == entry.tag;
  if (same && there != written) return;
  core::FlowEntry claim = entry;
  claim.state = core::FlowState::claimed;
  if (!__atomic_compare_exchange_n(&target.entries[position], &there, core::pack(claim), false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_RELAXED))
    return;  // a packet of the connection was quicker
  target.keys[position] = key;
  if (to_line < to_.port_clients().size()) to_.port_clients()[to_line].clients[position] = client;
  core::shared_store(target.entries[position], value);
  written = value;
}

void carry_counters(const Tables& from, const Tables& to) {
  const auto add = [](core::Counter& to_counter, const core::Counter& counted) {
    to_counter.packets += counted.packets;
    to_counter.bytes += counted.bytes;
    to_counter.connections += counted.connections;
    to_counter.refused += counted.refused;
  };
  const std::vector<std::uint32_t> numbers = translate_numbers(from, to);
  for (std::uint32_t number = 0; number < from.sizes.backends; ++number) {
    if (numbers[number] != core::kNoService) add(to.own_counters()[numbers[number]], from.sum_counter(number));
  }
  const auto ids_to = ids_by_key(to);
  std::vector<std::size_t> drops_to(from.drop_stride(), to.sizes.services);
  for (const auto& [key, id] : ids_by_key(from)) {
    const auto found = ids_to.find(key);
    if (found == ids_to.end()) continue;
    add(to.own_counters()[to.sizes.backends + found->second], from.sum_counter(from.sizes.backends + id));
    drops_to[id] = found->second;
  }
  for (std::size_t place = 0; place < drops_to.size(); ++place) {
    const core::ServiceDrops counted = from.sum_drops(place);
    core::ServiceDrops& carried = to.own_drops(drops_to[place]);
    for (std::size_t i = 0; i < core::kDropReasons; ++i) carried.counts[i] += counted.counts[i];
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
