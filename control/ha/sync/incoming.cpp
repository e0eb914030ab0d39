#include "control/ha/sync/incoming.hpp"

#include <algorithm>

#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/ports.hpp"

namespace astil::ha::sync {
namespace {

/// What the peer may name at most, so that a peer gone wrong does not take all memory.
constexpr std::size_t kMostNames = std::size_t{1} << 21U;
/// A place that a packet takes at the same moment is looked for again.
constexpr int kTries = 8;

std::size_t slot_of(const core::FlowPlace& place) {
  return std::size_t{place.number} * core::kEntriesPerLine + place.position;
}

}  // namespace

const char* to_string(Fate fate) {
  switch (fate) {
    case Fate::written:
      return "written";
    case Fate::changed:
      return "changed";
    case Fate::known:
      return "known";
    case Fate::older:
      return "older";
    case Fate::unknown_backend:
      return "unknown_backend";
    case Fate::crowded:
      return "crowded";
    case Fate::no_room:
      return "no_room";
    case Fate::conflict:
      return "conflict";
    case Fate::other_key:
      return "other_key";
    case Fate::invalid:
      return "invalid";
    case Fate::count:
      break;
  }
  return "";
}

Incoming::Incoming(const dataplane::Tables& tables, Known& known, const LocalNames& names)
    : tables_(tables), known_(known), names_(names), written_at_(tables.sizes.backends) {}

void Incoming::restart() {
  heard_.clear();
  refused_.clear();
  wanted_.clear();
}

void Incoming::names_changed() {
  for (auto& [id, heard] : heard_) {
    heard.number = names_.number_of(heard.key);
    if (heard.number != LocalNames::kNone && refused_.erase(id) != 0) wanted_.insert(id);
  }
}

void Incoming::take_names(const Body& body) {
  for (std::size_t i = 0; i < body.count; ++i) {
    const Name name = record_at<Name>(body, i);
    if (name.kind != NameKind::use && name.kind != NameKind::port_source) {
      add(Fate::invalid);
      continue;
    }
    const std::uint32_t id = core::host(name.id);
    if (heard_.size() >= kMostNames && !heard_.contains(id)) continue;
    const NameKey key = key_of(name);
    const std::uint32_t number = names_.number_of(key);
    heard_[id] = {.key = key, .kind = name.kind, .number = number};
    if (number != LocalNames::kNone && refused_.erase(id) != 0) wanted_.insert(id);
  }
}

std::vector<std::uint32_t> Incoming::take_wanted() {
  std::vector<std::uint32_t> ids(wanted_.begin(), wanted_.end());
  wanted_.clear();
  return ids;
}

std::uint32_t Incoming::number_of(Be32 id, NameKind kind) {
  const auto found = heard_.find(core::host(id));
  if (found != heard_.end() && found->second.kind == kind && found->second.number != LocalNames::kNone)
    return found->second.number;
  if (refused_.size() < kMostNames) refused_.insert(core::host(id));
  return LocalNames::kNone;
}

/// Fate::written: it can be.
template <class Rest>
Fate Incoming::read(const Rest& rest, const core::Address* wide, core::Be32 client, std::uint32_t tick,
                    Record& record) {
  const auto state = static_cast<core::FlowState>(rest.state);
  if (rest.state == 0 || rest.state > static_cast<std::uint8_t>(core::FlowState::affinity) || core::is_claimed(state))
    return Fate::invalid;
  const std::uint32_t number = number_of(rest.use, NameKind::use);
  if (number == LocalNames::kNone) return Fate::unknown_backend;
  const Name& use = *names_.use(number);
  const bool ipv4 = core::is_ipv4(use.service);
  if (ipv4 != (wide == nullptr)) return Fate::invalid;
  const std::uint32_t idle = std::min<std::uint32_t>(core::host(rest.idle), core::kAgeMask - 4);
  record.flow = {.client = wide != nullptr ? *wide : core::mapped(client),
                 .address = use.service,
                 .client_port = rest.client_port,
                 .port = rest.service_port,
                 .protocol = use.protocol};
  // Where the client's address is of the other version, it would be looked for by another hash.
  if (core::is_ipv4(record.flow.client) != ipv4) return Fate::invalid;
  record.entry = {.tag = 0, .age = (tick - idle) & core::kAgeMask, .state = state, .backend = number};
  return Fate::written;
}

void Incoming::keep(const Record& record, Fate fate, std::uint32_t seconds) {
  add(fate);
  if (fate == Fate::written || fate == Fate::changed || fate == Fate::known)
    written_at_[record.entry.backend] = seconds;
}

void Incoming::take_records(const Body& body, std::uint32_t tick, std::uint32_t seconds) {
  const bool ports = body.kind == Kind::ports4 || body.kind == Kind::ports6;
  const core::Settings& settings = tables_.settings();
  native::Frame no_frame({});
  native::Surroundings around;
  around.tick = tick;
  around.row = tables_.sizes.cpus;
  Engine engine(tables_, no_frame, around);
  records_.clear();
  for (std::size_t i = 0; i < body.count; ++i) {
    Record record;
    Fate fate = Fate::invalid;
    PortRest where{};
    if (body.kind == Kind::flows4) {
      const auto flow = record_at<Flow4>(body, i);
      fate = read(flow.rest, nullptr, flow.client, tick, record);
    } else if (body.kind == Kind::flows6) {
      const auto flow = record_at<Flow6>(body, i);
      const core::Address client = flow.client;
      fate = read(flow.rest, &client, {}, tick, record);
    } else if (body.kind == Kind::ports4) {
      const auto port = record_at<Port4>(body, i);
      fate = read(port.flow.rest, nullptr, port.flow.client, tick, record);
      where = port.port;
    } else if (body.kind == Kind::ports6) {
      const auto port = record_at<Port6>(body, i);
      const core::Address client = port.flow.client;
      fate = read(port.flow.rest, &client, {}, tick, record);
      where = port.port;
    }
    if (fate == Fate::written && ports) {
      record.place = number_of(where.source, NameKind::port_source);
      record.port = core::host(where.port);
      if (record.place == LocalNames::kNone) fate = Fate::unknown_backend;
      if (core::is_of_affinity(record.entry.state)) fate = Fate::invalid;
    }
    if (fate != Fate::written) {
      add(fate);
      continue;
    }
    const std::uint32_t mask = (ports ? core::kPortLines : tables_.sizes.flow_lines) - 1;
    record.hash = core::is_of_affinity(record.entry.state) ? core::affinity_hash(record.flow, settings.hash_key, mask)
                                                           : core::flow_hash(record.flow, settings.hash_key, mask);
    record.entry.tag = record.hash.tag;
    if (!ports) {
      const core::FlowLine& line = tables_.flows()[record.hash.line];
      __builtin_prefetch(&line.entries, 1);
      __builtin_prefetch(&line.keys, 1);
    }
    records_.push_back(record);
  }
  for (const Record& record : records_)
    keep(record, ports ? write_port(engine, record) : write_flow(engine, record), seconds);
}

/// May what stands here of the same connection become what the peer tells of it?
bool Incoming::is_news(std::size_t slot, std::uint64_t here, std::uint64_t told, std::uint32_t tick) const {
  if (known_.is_peers(slot, here)) return true;
  const std::uint32_t idle_here = core::idle_ticks(here, tick);
  const std::uint32_t idle_told = core::idle_ticks(told, tick);
  if (active_ && core::backend_of(here) != core::backend_of(told)) return idle_told < idle_here;
  return idle_told <= idle_here;
}

Fate Incoming::write_flow(Engine& engine, const Record& record) {
  const std::uint64_t told = core::pack(record.entry);
  const bool wide = !core::is_ipv4(record.flow.client);
  if (wide && tables_.sizes.client_lines == 0) return Fate::no_room;
  for (int tries = 0; tries < kTries; ++tries) {
    core::FlowLines lines = core::flow_lines(engine, record.hash, false);
    core::FlowPlace place = core::find_flow(engine, record.hash, lines);
    if (place.line != nullptr && core::is_claimed(core::state_of(place.value))) continue;
    if (place.line != nullptr && core::is_of(engine, place, record.flow)) {
      const std::size_t slot = slot_of(place);
      if (place.value == told) {
        known_.hear(slot, told);
        return Fate::known;
      }
      if (!is_news(slot, place.value, told, engine.tick())) return Fate::older;
      if (!core::change_entry(engine, core::entry_at(place), place.value, told)) continue;
      known_.hear(slot, told);
      return Fate::changed;
    }
    // One that shares the tag, and lives, has its place: of the two the packet path can tell no more than one.
    if (place.line == nullptr) place = core::choose_place(engine, lines, record.hash, engine.tick());
    if (place.line == nullptr) return Fate::crowded;
    const auto& timeouts = tables_.settings().timeouts;
    const auto gives_way = core::eviction_class(place.value, engine.tick(), timeouts);
    const auto own = core::eviction_class(told, engine.tick(), timeouts);
    if (gives_way < core::EvictionClass::expired && gives_way <= own) return Fate::crowded;
    if (core::write_flow(engine, place, record.entry, record.flow)) {
      known_.hear(slot_of(place), told);
      return Fate::written;
    }
  }
  return Fate::crowded;
}

Fate Incoming::write_port(Engine& engine, const Record& record) {
  core::Settings& settings = tables_.settings();
  if (record.port < core::kFirstPort || record.place >= tables_.sizes.port_sources) return Fate::invalid;
  const bool wide = !core::is_ipv4(record.flow.client);
  if (wide && tables_.sizes.client_lines == 0) return Fate::no_room;
  const core::PortIndex index = core::port_index(record.place, core::be16(record.port));
  const std::uint32_t number = index / core::kEntriesPerLine;
  if (number != core::detail::first_port_line(record.place, record.hash) &&
      number != core::detail::second_port_line(record.place, record.hash))
    return Fate::other_key;
  const std::uint64_t told = core::pack(record.entry);
  const std::size_t slot = known_.flows() + index;
  for (int tries = 0; tries < kTries; ++tries) {
    const core::FlowPlace place = core::detail::port_place(engine, index);
    if (core::is_claimed(core::state_of(place.value))) continue;
    const bool same = place.value != 0 && core::detail::is_port_of(engine, place, record.flow);
    if (same && place.value == told) {
      known_.hear(slot, told);
      return Fate::known;
    }
    if (same && !is_news(slot, place.value, told, engine.tick())) return Fate::older;
    const bool rested = core::is_expired(place.value, engine.tick(), settings.port_timeouts) != 0;
    if (!same && place.value != 0 && !known_.is_peers(slot, place.value) && !rested) return Fate::conflict;
    if (same) {
      if (!engine.swap(core::entry_at(place), place.value, told)) continue;
    } else {
      if (!core::detail::claim_port(engine, place, record.entry, record.flow)) continue;
      engine.publish(core::entry_at(place), told);
    }
    known_.hear(slot, told);
    // Where this node's pool sends the client elsewhere, its connection is looked for here all the same.
    if (core::source_in_pool(settings, record.flow.client) != record.place)
      __atomic_fetch_or(&settings.strays, std::uint64_t{1} << record.place, __ATOMIC_RELAXED);
    return same ? Fate::changed : Fate::written;
  }
  return Fate::conflict;
}

}  // namespace astil::ha::sync
