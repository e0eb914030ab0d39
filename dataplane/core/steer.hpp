// Stage 3: which backend has the connection? The flow table first; else the scheduler picks, and the choice is written
// down.
#pragma once

#include "dataplane/core/affinity.hpp"
#include "dataplane/core/limit.hpp"

namespace astil::core {

/// Where a new flow goes, and what is still to be done: a backend's number and flags; or kRefused, the reason and,
/// above it, the service's id, plus 1; or kByAffinity, flags and a service's id.
using Placement = u32;
inline constexpr Placement kRefused = 1U << 31U;
inline constexpr Placement kByAffinity = 1U << 30U;  ///< `place_by_affinity` knows the backend
inline constexpr Placement kWrite = 1U << 29U;       ///< the flow is to be written down,
inline constexpr Placement kRewrite = 1U << 28U;     ///< where it stands already,
inline constexpr Placement kCount = 1U << 27U;       ///< and is to be counted as a connection
inline constexpr Placement kToDo = kWrite | kRewrite | kCount;
inline constexpr u32 kReasonBits = 8;
constexpr Placement refused(Reason reason, u32 service = kNoService) {
  return kRefused | ((service + 1) << kReasonBits) | static_cast<u32>(reason);
}
constexpr u32 number_in(Placement placement) { return placement & ((1U << kBackendBits) - 1); }

/// Does all of a protocol leave a backend, also what is in the middle of a connection?
constexpr bool gives_up_flows(Rotation rotation, u8 protocol) {
  const Rotation least = protocol == kProtocolUdp ? Rotation::down : Rotation::lost;
  return static_cast<u8>(rotation) >= static_cast<u8>(least);
}

namespace detail {

template <class Engine>
ASTIL_INLINE Sign sign_of(Engine& engine, const auto& packet, Direction direction) {
  return {.protocol = packet.protocol,
          .tcp_flags = packet.tcp_flags,
          .has_data = has_data(engine, packet) ? u8{1} : u8{0},
          .direction = direction};
}

/// Does a packet of a known flow without any of kTcpChanging leave its entry as it is? Most do: an entry changes only
/// with its state, and with the tick, so that a busy flow leaves its line clean.
ASTIL_INLINE bool is_quiet(u32 tick, const FlowPlace& place, Direction direction) {
  const u32 stays = quiet_states(direction) >> static_cast<u32>(state_of_flow(place.value));
  return (stays & 1U) != 0 && ((tick ^ age_of(place.value)) & kAgeMask) == 0;
}

}  // namespace detail

/// A packet of a known flow: the age and the state of its entry, whose value was read.
template <class Engine>
ASTIL_INLINE void touch(Engine& engine, u64* place, u64 value, const Sign& sign) {
  const u32 tick = engine.tick() & kAgeMask;
  FlowEntry entry = unpack(value);
  if (entry.state == FlowState::claimed) return;  // its claimer's alone
  const FlowState state = next_state(entry.state, sign, tick != entry.age);
  if (tick == entry.age && state == entry.state) return;
  const bool refused = is_refusal(entry.state, sign);
  entry.age = tick;
  entry.state = state;
  // Where another packet of the flow was quicker, its word stands.
  if (!engine.change(place, value, pack(entry)) || !refused) return;
  if (Counter* counter = engine.counter(entry.backend)) engine.add(&counter->refused, 1);
}

namespace detail {

/// Writes a new flow down. One that can not be written is not lost: the ring still decides for it.
template <class Engine>
ASTIL_INLINE void remember(Engine& engine, FlowPlace place, const FlowLines& lines, const Opening& opening,
                           u32 backend) {
  const u32 tick = engine.tick();
  if (place.line == nullptr) {
    place = choose_place(engine, lines, opening.hash, tick);
    if (place.line == nullptr) return;
    const EvictionClass given_up = eviction_class(place.value, tick, engine.settings()->timeouts);
    if (given_up <= EvictionClass::affinity) count_event(engine, static_cast<FlowEvent>(given_up));
  }
  const FlowEntry entry{
      .tag = opening.hash.tag, .age = tick & kAgeMask, .state = FlowState::half_open, .backend = backend};
  if (!write_flow(engine, place, entry, opening.flow)) count_event(engine, FlowEvent::contended);
}

/// Of a new flow above the limit: counts it, and tells everyone that the ring decides for a while.
template <class Engine>
ASTIL_INLINE void note_limited(Engine& engine, CpuRow& row) {
  engine.add(&row.events[static_cast<u32>(FlowEvent::limited)], 1);
  engine.note_limited(engine.tick() + 1);
}

/// Is a new flow within the limit?
template <class Engine>
ASTIL_INLINE bool is_welcome(Engine& engine) {
  if (is_within_limit(engine, LimitKind::new_flows, engine.settings()->new_flows_per_unit)) return true;
  if (CpuRow* row = engine.cpu_row()) note_limited(engine, *row);
  return false;
}

/// Does a packet that opens a connection, or is of UDP or for a backend that gives up its flows, leave what an entry
/// says of it?
template <class Engine>
ASTIL_INLINE bool is_left(Engine& engine, u64 entry, u8 protocol, const Backend& backend) {
  const bool expired = is_expired(entry, engine.tick(), engine.settings()->timeouts) != 0;
  const FlowState state = state_of(entry);
  const bool ended = expired || state == FlowState::closing || state == FlowState::closed;
  const bool stays =
      protocol == kProtocolUdp ? !gives_up_flows(backend.rotation, protocol) : backend.rotation == Rotation::in;
  return ended || !stays;
}

/// Does such a packet leave the flow that the table knows?
template <class Engine>
ASTIL_INLINE bool starts_over(Engine& engine, const FlowPlace& place, const FlowTuple& flow, const Backend& backend) {
  // Another connection with the same tag: the two share the backend, or the one that is open would lose its own.
  return is_left(engine, place.value, flow.protocol, backend) && is_of(engine, place, flow);
}

/// Of the address of a backend's service, what is before the last word.
ASTIL_INLINE bool has_front_of(const Backend& backend, const Address& address) {
  return half(backend.service_address, 0) == half(address, 0) && backend.service_address.words[2] == address.words[2];
}

}  // namespace detail

/// Is the flow one of the service that the backend works for?
ASTIL_INLINE bool serves(const Backend& backend, const FlowTuple& flow) {
  // The address's last word, the protocol and the port are neighbours, and a byte that does not matter.
  static_assert(offsetof(Backend, service_protocol) == offsetof(Backend, service_address) + sizeof(Address) &&
                offsetof(Backend, service_port) == offsetof(Backend, service_protocol) + 2);
  constexpr u64 kMattering = 0xffff00ffffffffffULL;
  const u64 own = load_as<u64>(&backend.service_address.words[3]);
  const u64 last = raw(flow.address.words[3]) | (u64{flow.protocol} << 32U);
  const u64 wanted = last | (u64{raw(flow.port)} << 48U);
  if (((own ^ wanted) & kMattering) != 0 && ((own ^ last) & kMattering) != 0) return false;
  return detail::has_front_of(backend, flow.address);
}

/// Likewise, of a plain packet of IPv4 from a client, where a source port stands between the address and the port.
ASTIL_INLINE bool serves_plain(const Backend& backend, const Packet<Ipv4>& packet) {
  constexpr u64 kPort = 0xffffULL << 48U;
  constexpr u64 kMattering = kPort | 0xffffffffULL;
  const u64 wanted = load_as<u64>(&packet.ip->destination);
  const u64 own = load_as<u64>(&backend.service_address.words[3]);
  const u64 differs = (own ^ wanted) & kMattering;
  if (differs != 0 && (static_cast<u32>(differs) != 0 || own >> 48U != 0)) return false;
  return shared_load(backend.service_protocol) == packet.protocol &&
         detail::has_front_of(backend, destination_of(packet));
}

ASTIL_INLINE bool serves_plain(const Backend& backend, const Packet<Ipv6>& packet) {
  return (backend.service_port == packet.ports->destination || backend.service_port == kAnyPort) &&
         backend.service_protocol == packet.protocol &&
         backend.service_address == destination_of(read_plain_again(packet));
}

/// Places a flow: where it is, if it is known after all, else where affinity or the scheduler says.
template <class Engine>
ASTIL_INLINE Placement place_flow(Engine& engine, const Opening& opening) {
  const Settings* settings = engine.settings();
  const FlowTuple& flow = opening.flow;
  const FlowHash& hash = opening.hash;
  const bool opens = opens_connection(flow.protocol, opening.tcp_flags);
  FlowLines lines = flow_lines(engine, hash, opens);
  FlowPlace place = find_flow(engine, hash, lines);
  u32 chosen = kNoBackend;
  bool has_place = true;
  if (place.line != nullptr) {
    const u32 number = backend_of(place.value);
    const Backend* backend = engine.backend(number);
    if (backend == nullptr || !serves(*backend, flow)) {
      // Another service's flow, or one of a service that was removed. If it is not this one, the tags are the same by
      // coincidence, and a second entry would never be found behind the first: the ring decides for every packet.
      has_place = is_of(engine, place, flow);
    } else if (!(opens || gives_up_flows(backend->rotation, flow.protocol)) ||
               !detail::starts_over(engine, place, flow, *backend)) {
      engine.saw_known_flow(place, *backend);
      touch(engine, entry_at(place), place.value,
            {flow.protocol, opening.tcp_flags, opening.has_data, Direction::from_client});
      return number;
    } else if (backend->rotation == Rotation::reset && !opens && (opening.tcp_flags & kTcpRst) == 0) {
      engine.saw_known_flow(place, *backend);
      engine.touch(entry_at(place), place.value, {flow.protocol, kTcpRst, 0, Direction::from_client});
      return refused(Reason::reset, backend->service);
    } else if (settings->header.ring_only != 0 && backend->rotation == Rotation::in) {
      chosen = number;  // as in the tables that were carried before this SYN came
    }
  }

  const u32 generation = shared_load(settings->active);
  if (generation >= kNoGeneration) return refused(Reason::unready);
  const Service* service = find_service(engine, flow, generation);
  if (service == nullptr) return refused(Reason::no_service);
  engine.saw_service(*service);
  if (service->checks_sources != 0) {
    const u32 rules = service->id + (generation == 0 ? 0 : settings->header.sizes.services);
    const Reason refusal = engine.check_source(opening, rules, opens ? 1 : 0);
    if (refusal != Reason::count) return refused(refusal, service->id);
  }
  engine.saw_unknown_flow(hash);
  // A flow that stands in the table has its place, and is written there whatever comes in.
  const bool known = place.line != nullptr;
  const bool limited = opens && !known && !detail::is_welcome(engine);
  // A reset of an unknown connection opens none, and is not worth a place.
  const bool write = has_place && !limited && (opening.tcp_flags & kTcpRst) == 0;
  const Placement to_do = (write ? kWrite : 0U) | (known ? kRewrite : 0U) | (opens ? kCount : 0U);
  if (!has_place) detail::count_event(engine, FlowEvent::contended);
  if (chosen != kNoBackend) return to_do | chosen;
  const bool alike = settings->header.ring_only != 0;
  if (opens && !limited && !alike && service->affinity_ticks != 0) return to_do | kByAffinity | service->id;
  const bool by_ring = !opens || alike || is_limited(*settings, engine.tick());
  const Steering steering = schedule(engine, *service, opening, by_ring);
  return steering.backend == nullptr ? refused(steering.reason, service->id) : to_do | steering.number;
}

/// Writes down where a new flow went.
template <class Engine>
ASTIL_INLINE void note_flow(Engine& engine, const Opening& opening, Placement placement) {
  const FlowHash& hash = opening.hash;
  const FlowLines lines = both_lines(engine, hash);
  const FlowPlace place = (placement & kRewrite) != 0 ? find_calmly(hash, lines) : FlowPlace{};
  detail::remember(engine, place, lines, opening, number_in(placement));
}

/// Steers a client's packet, of whatever flow.
template <class Ip, class Engine>
ASTIL_INLINE Steering steer(Engine& engine, const Packet<Ip>& packet) {
  const Settings* settings = engine.settings();
  Opening local;
  Opening* place_for = &local;
  if constexpr (Ip::kIsWide) place_for = scratch_for<Opening>(engine);
  if (place_for == nullptr) return {.reason = Reason::internal};
  Opening& opening = *place_for;
  opening = {.flow = flow_of_client(packet),
             .hash = {},
             .tcp_flags = packet.tcp_flags,
             .has_data = has_data(engine, packet) ? u8{1} : u8{0}};
  if constexpr (Ip::kIsWide) keep_in_memory(opening);
  const FlowTuple& flow = opening.flow;
  opening.hash = flow_hash(flow, settings->hash_key, settings->header.sizes.flow_lines - 1);
  Placement placement = engine.place(opening);
  if ((placement & kRefused) != 0) {
    return {.number = number_in(placement >> kReasonBits),
            .reason = static_cast<Reason>(placement & (kMaxReasons - 1))};
  }
  if ((placement & kByAffinity) != 0) {
    const u32 by_affinity = engine.place_by_affinity(opening, number_in(placement));
    if (by_affinity == kNoBackend) return {.number = number_in(placement) + 1, .reason = Reason::no_backend};
    placement = (placement & kToDo) | by_affinity;
  }
  if ((placement & kWrite) != 0) engine.note_flow(opening, placement);
  const u32 number = number_in(placement);
  if (Counter* counter = (placement & kCount) != 0 ? engine.counter(number) : nullptr)
    engine.add(&counter->connections, 1);
  return {.backend = engine.backend(number), .number = number, .tag = opening.hash.tag, .reason = Reason::internal};
}

/// Whose reply is it?
enum class ReplyOf : u8 { known_flow, likely_flow, nobody };

/// Is a backend's packet a reply of a flow that we sent there? Notes what it says of the flow's state. A flow that is
/// not in the table may still be ours while flows are carried from other tables, or where full lines gave it up: then
/// it is where the ring says.
template <class Ip, class Engine>
ASTIL_INLINE ReplyOf reply_of(Engine& engine, const Packet<Ip>& packet, const Replier& replier,
                              GenerationNumber generation) {
  const Settings* settings = engine.settings();
  FlowTuple local;
  FlowTuple* place_for = &local;
  if constexpr (Ip::kIsWide) place_for = scratch_for<FlowTuple>(engine);
  if (place_for == nullptr) return ReplyOf::nobody;
  FlowTuple& flow = *place_for;
  flow = flow_of_reply(packet, *replier.backend);
  if constexpr (Ip::kIsWide) keep_in_memory(flow);
  const FlowHash hash = flow_hash(flow, settings->hash_key, settings->header.sizes.flow_lines - 1);
  FlowLines lines = flow_lines(engine, hash, false);
  const FlowPlace place = find_flow(engine, hash, lines);
  if (place.line != nullptr) {
    if (backend_of(place.value) != replier.number) return ReplyOf::nobody;
    engine.saw_known_flow(place, *replier.backend);
    if ((packet.tcp_flags & kTcpChanging) != 0 || !detail::is_quiet(engine.tick(), place, Direction::from_backend))
      engine.touch(entry_at(place), place.value, detail::sign_of(engine, packet, Direction::from_backend));
    return ReplyOf::known_flow;
  }
  // Where new flows are limited, what this answers was perhaps not written down. More than an answer it can not be: the
  // client's next packet is.
  const bool answers = packet.protocol == kProtocolUdp || (packet.tcp_flags & (kTcpSyn | kTcpRst)) != 0;
  const bool by_ring = settings->header.ring_only != 0 || (answers && is_limited(*settings, engine.tick()));
  if (!by_ring && has_room(lines)) return ReplyOf::nobody;
  const Service* service = service_record(engine, generation, replier.backend->service);
  if (service == nullptr || service->ring.length == 0) return ReplyOf::nobody;
  engine.saw_service(*service);
  engine.saw_unknown_flow(hash);
  const Steering says = ring_choice(engine, *service, flow, hash.ring);
  return says.backend != nullptr && says.number == replier.number ? ReplyOf::likely_flow : ReplyOf::nobody;
}

}  // namespace astil::core
