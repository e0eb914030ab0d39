// Full NAT: which port of which source address a connection has. An exact table: the place of a record is its port, so
// that two connections never share one, and a reply is found by its destination alone. A connection has two candidate
// lines by its keyed hash, as in the flow table, and is told from others by its whole key, never by its tag. What lives
// is not given up for what is new: where nothing else has a candidate, the new one is dropped by name. Without locks,
// as the flow table. See docs/decisions/0015-full-nat.md.
#pragma once

#include "dataplane/core/steer.hpp"

namespace astil::core {

/// A place in the table of ports: that of the source address in Settings::port_sources, above 16 bits of port.
using PortIndex = u32;
static_assert((kPortSources << 16U) <= 1U << 23U, "a fragment's entry has room for it");
inline constexpr PortIndex kNoPort = ~0U;
constexpr u32 source_of_port(PortIndex index) { return index >> 16U; }
constexpr Be16 port_of(PortIndex index) { return be16(static_cast<u16>(index)); }
constexpr PortIndex port_index(u32 source, Be16 port) { return (source << 16U) | host(port); }

/// How long a port rests behind the last packet of what it was used for, in age ticks: the backend's TIME_WAIT of 60 s
/// (RFC 9293, section 3.4.2; Linux) shall not meet another connection.
inline constexpr u16 kPortRest = 5;

/// Who has a port, or wants one. Lies in CpuRow::connection.
struct Connection {
  FlowTuple flow;
  FlowHash hash;
};
static_assert(sizeof(Connection) <= sizeof(CpuRow::connection));

ASTIL_INLINE Connection& connection_in(CpuRow& row) { return reinterpret_cast<Connection&>(row.connection); }

template <class Engine>
ASTIL_INLINE FlowHash connection_hash(Engine& engine, const FlowTuple& flow) {
  return flow_hash(flow, engine.settings()->hash_key, kPortLines - 1);
}

/// The place of the source address that a client's new connections have; kNoSource: there is none.
ASTIL_INLINE u32 source_in_pool(const Settings& settings, const Address& client) {
  constexpr u32 kWhole = 128;
  return settings.pools[is_ipv4(client) ? 0 : 1][client_hash(client, kWhole, settings.hash_key) % kPoolPlaces];
}
template <class Engine>
ASTIL_INLINE u32 source_for(Engine& engine, const Address& client) {
  return source_in_pool(*engine.settings(), client);
}

namespace detail {

/// A line of those that a source address has. Ports below kFirstPort are in none.
constexpr u32 port_line_at(u32 source, u32 hash) {
  constexpr u32 kFirstLine = kFirstPort / kEntriesPerLine;
  return source * kPortLines + kFirstLine + ring_slot(hash, kPortLines - kFirstLine);
}
constexpr u32 first_port_line(u32 source, const FlowHash& hash) { return port_line_at(source, hash.ring); }
/// Not by the tag alone: of many connections some share one, and those would always meet.
constexpr u32 second_port_line(u32 source, const FlowHash& hash) {
  return port_line_at(source, (hash.ring ^ hash.tag) * 0x9e3779b1U);
}

constexpr PortIndex index_of(const FlowPlace& place) {
  return place.number * kEntriesPerLine + (place.position & (kEntriesPerLine - 1));
}

template <class Engine>
ASTIL_INLINE FlowPlace port_place(Engine& engine, PortIndex index) {
  const u32 number = index / kEntriesPerLine;
  FlowLine* line = engine.port_line(number);
  if (line == nullptr) return {};
  return place_at(line, number, index & (kEntriesPerLine - 1));
}

/// The address of an IPv6 client beside a record; nullptr: this table has none.
template <class Engine>
ASTIL_INLINE Address* port_client_at(Engine& engine, const FlowPlace& place) {
  ClientLine* line = engine.port_client_line(place.number);
  if (line == nullptr) return nullptr;
  line = as_one_pointer(line);  // or the place in it would be worked out before the check
  return &line->clients[place.position & (kEntriesPerLine - 1)];
}

/// Is the record still of the connection that it was of? Its age and state may have changed: packets of one connection
/// come on several CPUs.
ASTIL_INLINE bool is_still(const FlowPlace& place) {
  constexpr u64 kWho = pack({.tag = ~0U, .backend = (1U << kBackendBits) - 1});
  const u64 now = shared_load(*entry_at(place));
  return ((now ^ place.value) & kWho) == 0 && !is_claimed(state_of_flow(now));
}

/// Is the record the connection's, and was it so while it was read?
template <class Engine>
ASTIL_INLINE bool is_port_of(Engine& engine, const FlowPlace& place, const FlowTuple& flow) {
  const Backend* backend = engine.backend(backend_of(place.value));
  if (is_claimed(state_of_flow(place.value)) || !(*key_at(place) == key_of(flow))) return false;
  if (backend == nullptr || !serves(*backend, flow)) return false;
  if (!is_ipv4(flow.client)) {
    const Address* client = port_client_at(engine, place);
    if (client == nullptr || !(*client == flow.client)) return false;
  }
  return is_still(place);
}

/// Takes a place as it was read. False: another was quicker.
template <class Engine>
ASTIL_INLINE bool claim_port(Engine& engine, const FlowPlace& place, const FlowEntry& entry, const FlowTuple& flow) {
  Address* client = nullptr;
  if (!is_ipv4(flow.client)) {
    client = port_client_at(engine, place);
    if (client == nullptr) return false;
  }
  FlowEntry claim = entry;
  claim.state = FlowState::claimed;
  if (!engine.swap(entry_at(place), place.value, pack(claim))) return false;
  engine.store_key(*key_at(place), key_of(flow));
  if (client != nullptr) engine.store_client(*client, flow.client);
  return true;
}

/// Has a line the connection's record, or a claim that may become it, in another place than `except`?
template <class Engine>
ASTIL_INLINE bool has_twin(Engine& engine, const Connection& connection, u32 number, const u64* except) {
  FlowLine* line = engine.port_line(number);
  if (line == nullptr) return false;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    const FlowPlace place{.line = line, .position = i, .value = shared_load(line->entries[i]), .number = number};
    if (tag_of(place.value) != connection.hash.tag || entry_at(place) == except) continue;
    if (is_claimed(state_of_flow(place.value)) || is_port_of(engine, place, connection.flow)) return true;
  }
  return false;
}

/// Which ports may be given out: all, or while connections are carried to other tables, half of them.
template <class Engine>
ASTIL_INLINE u8 free_positions(Engine& engine) {
  const u32 carrying = engine.settings()->header.ring_only;
  if (carrying == kAlone) return 0xff;
  return carrying == kOld ? 0x55 : 0xaa;
}

template <class Engine>
ASTIL_INLINE PortIndex find_port_in(Engine& engine, const Connection& connection, u32 number) {
  FlowLine* line = engine.port_line(number);
  if (line == nullptr) return kNoPort;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    const FlowPlace place{.line = line, .position = i, .value = shared_load(line->entries[i]), .number = number};
    if (tag_of(place.value) == connection.hash.tag && is_port_of(engine, place, connection.flow))
      return index_of(place);
  }
  return kNoPort;
}

}  // namespace detail

/// The connection's port of one source address; kNoPort: it has none there.
template <class Engine>
ASTIL_INLINE PortIndex find_port(Engine& engine, const Connection& connection, u32 source) {
  if (source >= kPortSources) return kNoPort;
  const PortIndex index = detail::find_port_in(engine, connection, detail::first_port_line(source, connection.hash));
  if (index != kNoPort) return index;
  return detail::find_port_in(engine, connection, detail::second_port_line(source, connection.hash));
}

/// Gives a connection a port of its client's source address; kNoPort: none is free. What is half-open gives up its
/// port, since a flood could hold all of them; what is more does not. Where two packets of one connection come at once,
/// and each is about to take a port, both see the other's claim, and the one that sees it gives its own up.
template <class Engine>
ASTIL_INLINE PortIndex take_port(Engine& engine, const Connection& connection, u32 backend) {
  const u32 source = source_for(engine, connection.flow.client);
  if (source >= kPortSources) return kNoPort;
  const FlowHash& hash = connection.hash;
  const u32 tick = engine.tick();
  const Settings* settings = engine.settings();
  const u32 numbers[2] = {detail::first_port_line(source, hash), detail::second_port_line(source, hash)};
  FlowLine* first = engine.port_line(numbers[0]);
  FlowLine* second = engine.port_line(numbers[1]);
  if (first == nullptr || second == nullptr) return kNoPort;
  const u8 positions = detail::free_positions(engine);
  const Choice choice{.positions = positions, .own = static_cast<u8>(detail::own_position(hash.tag)), .ports = 1};
  const u32 victim = astil_choose_victim(first, second, settings, tick, std::bit_cast<u32>(choice));
  const bool in_second = (victim & kEntriesPerLine) != 0;
  const FlowPlace place =
      detail::place_at(in_second ? second : first, in_second ? numbers[1] : numbers[0], victim & 7U);
  const EvictionClass given_up = eviction_class(place.value, tick, settings->port_timeouts);
  const EvictionClass least = positions == 0xff ? EvictionClass::half_open : EvictionClass::expired;
  // One that has ended, and has rested, gives way before a connection is refused.
  const bool rested =
      positions == 0xff && given_up == EvictionClass::closing && idle_ticks(place.value, tick) >= kPortRest;
  if ((given_up < least && !rested) || ((positions >> (victim & 7U)) & 1U) == 0) return kNoPort;
  const FlowEntry entry{.tag = hash.tag, .age = tick & kAgeMask, .state = FlowState::half_open, .backend = backend};
  if (!detail::claim_port(engine, place, entry, connection.flow)) return kNoPort;
  const u64* own = entry_at(place);
  const bool twice =
      detail::has_twin(engine, connection, numbers[0], own) || detail::has_twin(engine, connection, numbers[1], own);
  engine.publish(entry_at(place), twice ? 0 : pack(entry));
  return twice ? kNoPort : detail::index_of(place);
}

namespace detail {

/// The state of a port's record. What a client can make up makes no more of it than half-open, which gives way: until
/// the backend has answered, and after an end until it sends data.
constexpr FlowState next_port_state(FlowState state, const Sign& sign, bool later_tick) {
  const bool from_client = sign.direction == Direction::from_client;
  const bool ended = state == FlowState::closing || state == FlowState::closed;
  if (from_client && (ended || state == FlowState::half_open)) return state;
  const FlowState next = next_state(state, sign, later_tick);
  const bool opening = state == FlowState::half_open || state == FlowState::answered;
  const bool ends = next == FlowState::closing || next == FlowState::closed;
  return opening && ends ? FlowState::half_open : next;
}

}  // namespace detail

/// What a packet makes of its connection's record. `sign`: a Sign as one number.
ASTIL_SUBPROGRAM u64 astil_port_entry_after(u64 value, u32 sign, u32 tick) {
  FlowEntry entry = unpack(value);
  entry.state = detail::next_port_state(entry.state, std::bit_cast<Sign>(sign), (tick & kAgeMask) != entry.age);
  entry.age = tick & kAgeMask;
  return pack(entry);
}

/// A connection's port, and the backend that its record names; where it has none, the reason.
struct PortLease {
  PortIndex index = kNoPort;
  u32 backend = 0;  ///< or a Reason
};

constexpr PortLease no_lease(Reason reason) { return {.index = kNoPort, .backend = static_cast<u32>(reason)}; }
constexpr Reason reason_of(const PortLease& lease) { return static_cast<Reason>(lease.backend); }

/// The port that the connection has, of whichever source address; kNoPort: it has none. One that the pool does not give
/// to its client any more is looked for at all that may have such connections.
template <class Engine>
ASTIL_INLINE PortIndex find_any_port(Engine& engine, const Connection& connection) {
  const u32 source = source_for(engine, connection.flow.client);
  const PortIndex found = engine.find_port(connection, source);
  const u64 strays = shared_load(engine.settings()->strays);
  if (found != kNoPort || strays == 0) return found;
  ASTIL_KEEP_LOOP
  for (u32 other = 0; other < kPortSources; ++other) {
    // Without a branch: an address that is out of range has no port.
    const u32 none = (static_cast<u32>(strays >> other) & 1U) - 1U;
    const PortIndex stray = engine.find_port(connection, other | none);
    if (stray != kNoPort) return stray;
  }
  return kNoPort;
}

namespace detail {

/// So often what another packet has changed meanwhile is read again.
inline constexpr u32 kPortTries = 4;

}  // namespace detail

/// Where the connection's record stands among the ports of its client's source address, as far as the tag says.
template <class Engine>
ASTIL_INLINE FlowPlace likely_port(Engine& engine, const FlowHash& hash, u32 source) {
  if (source >= kPortSources) return {};
  const u32 number = detail::first_port_line(source, hash);
  FlowLine* line = engine.port_line(number);
  if (line == nullptr) return {};
  const FlowPlace place = detail::search_first_line(line, number, hash.tag);
  if (place.line != nullptr) return place;
  const u32 other = detail::second_port_line(source, hash);
  line = engine.port_line(other);
  return line == nullptr ? FlowPlace{} : detail::search_line(line, other, hash.tag);
}

/// The port of a client's packet that was steered to a backend. What is under way stays with the backend of its record,
/// whatever the flow table has forgotten meanwhile. Where there is none: Reason::no_port, if it may take one.
template <class Engine>
ASTIL_INLINE PortLease lease_port(Engine& engine, const Connection& connection, const Sign& sign, u32 steered) {
  const bool opens = opens_connection(sign.protocol, sign.tcp_flags);
  const PortIndex index = engine.find_any_port(connection);
  ASTIL_KEEP_LOOP
  for (u32 i = 0; index != kNoPort && i < detail::kPortTries; ++i) {
    const FlowPlace place = detail::port_place(engine, index);
    if (place.line == nullptr || tag_of(place.value) != connection.hash.tag) break;  // it rested, and is another's now
    const u32 before = backend_of(place.value);
    const Backend* backend = engine.backend(before);
    if (backend == nullptr) return no_lease(Reason::internal);
    u64 after = astil_port_entry_after(place.value, std::bit_cast<u32>(sign), engine.tick());
    const bool leaves = opens || gives_up_flows(backend->rotation, sign.protocol);
    if (leaves && steered >> kBackendBits == 0 && detail::is_left(engine, place.value, sign.protocol, *backend)) {
      after = pack({.tag = connection.hash.tag,
                    .age = engine.tick() & kAgeMask,
                    .state = FlowState::half_open,
                    .backend = steered});
    }
    if (after == place.value || engine.swap(entry_at(place), place.value, after))
      return {.index = index, .backend = backend_of(after)};
  }
  return no_lease(opens ? Reason::no_port : Reason::no_connection);
}

/// Fills in who has a port, in `flow`, if its record was of one connection while it was read. The number of its
/// backend; kNoBackend: nobody has the port.
template <class Engine>
ASTIL_INLINE u32 read_port(Engine& engine, PortIndex index, FlowTuple& flow) {
  const FlowPlace place = detail::port_place(engine, index);
  if (place.line == nullptr || place.value == 0 || is_claimed(state_of_flow(place.value))) return kNoBackend;
  const u32 number = backend_of(place.value);
  const Backend* backend = engine.backend(number);
  if (backend == nullptr || backend->service_protocol == 0) return kNoBackend;
  const FlowKey key = *key_at(place);
  flow = {.client = mapped(key.client),
          .address = backend->service_address,
          .client_port = key.client_port,
          .port = key.service_port,
          .protocol = backend->service_protocol};
  if (!is_ipv4(backend->service_address)) {
    const Address* client = detail::port_client_at(engine, place);
    if (client == nullptr) return kNoBackend;
    flow.client = *client;
  }
  return detail::is_still(place) ? number : kNoBackend;
}

namespace detail {

/// Where its backend has the connection.
constexpr Be16 backend_port(const Backend& backend, const FlowTuple& flow) {
  return backend.port == kAnyPort ? flow.port : backend.port;
}

}  // namespace detail

/// Notes what a backend's packet says of its connection, in the port's record and in the flow table. False: the port is
/// another connection's by now.
template <class Engine>
ASTIL_INLINE bool note_reply(Engine& engine, PortIndex index, const Connection& connection, const Sign& sign) {
  u32 number = kNoBackend;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < detail::kPortTries; ++i) {
    const FlowPlace place = detail::port_place(engine, index);
    if (place.line == nullptr || tag_of(place.value) != connection.hash.tag || is_claimed(state_of_flow(place.value)))
      return false;
    number = backend_of(place.value);
    const u64 after = astil_port_entry_after(place.value, std::bit_cast<u32>(sign), engine.tick());
    if (after == place.value || engine.swap(entry_at(place), place.value, after)) break;
  }
  const Settings* settings = engine.settings();
  const FlowHash hash = flow_hash(connection.flow, settings->hash_key, settings->header.sizes.flow_lines - 1);
  const FlowPlace flow = find_calmly(hash, both_lines(engine, hash));
  if (flow.line != nullptr && backend_of(flow.value) == number) engine.touch(entry_at(flow), flow.value, sign);
  return true;
}

}  // namespace astil::core
