// Stage 3: which backend has the connection? The flow table first; else the scheduler picks, and the choice is written
// down.
#pragma once

#include "dataplane/core/service.hpp"

namespace astil::core {

/// The backend that a packet goes to, or why there is none.
struct Steering {
  const Backend* backend = nullptr;
  u32 number = 0;
  u32 tag = 0;                    ///< of the flow's hash, for what spreads flows over paths
  Reason reason = Reason::count;  ///< where backend is nullptr
};

namespace detail {

template <class Engine>
ASTIL_INLINE Steering at_slot(Engine& engine, const Service& service, Scheduler by, const RingSpan& span, u32 offset) {
  Steering none{.reason = Reason::internal};
  const u32 slot = span.first + offset;
  const RingLine* ring = engine.ring_line(slot / kSlotsPerLine);
  if (ring == nullptr) return none;
  const u32 member = service.first_member + ring->slots[slot % kSlotsPerLine];
  const MemberLine* members = engine.member_line(member / kMembersPerLine);
  if (members == nullptr) return none;
  const u32 number = members->numbers[member % kMembersPerLine];
  engine.saw_slot(service, by, offset, number);
  const Backend* backend = engine.backend(number);
  return {.backend = backend, .number = number, .reason = Reason::internal};
}

/// The scheduler's choice for a new flow. A packet in mid-connection takes the ring, whatever the scheduler: the only
/// place that another balancer, or this one before it lost the flow, can have chosen as well.
template <class Engine>
ASTIL_INLINE Steering schedule(Engine& engine, const Service& service, const FlowHash& hash, bool opens) {
  if (service.ring.length == 0) return {.reason = Reason::no_backend};
  if (service.scheduler == Scheduler::round_robin && opens && service.wheel.length != 0 &&
      engine.settings()->header.ring_only == 0) {
    const u64 turn = engine.next_turn(service.id);
    return at_slot(engine, service, Scheduler::round_robin, service.wheel,
                   static_cast<u32>(turn % service.wheel.length));
  }
  return at_slot(engine, service, Scheduler::maglev, service.ring, ring_slot(hash.ring, service.ring.length));
}

template <class Engine>
ASTIL_INLINE Sign sign_of(Engine& engine, const auto& packet, Direction direction) {
  return {.protocol = packet.protocol,
          .tcp_flags = packet.tcp_flags,
          .has_data = has_data(engine, packet) ? u8{1} : u8{0},
          .direction = direction};
}

/// Does a packet of a known flow leave its entry as it is? Most do: an entry changes only with its state, and with the
/// tick, so that a busy flow leaves its line clean.
template <class Engine>
ASTIL_INLINE bool is_quiet(Engine& engine, const FlowPlace& place, u8 tcp_flags, Direction direction) {
  const bool plain = (tcp_flags & (kTcpFin | kTcpSyn | kTcpRst)) == 0;
  const FlowState state = state_of(place.value);
  const bool stays = is_settled(state) || (state == FlowState::half_open && direction == Direction::from_client);
  return plain && stays && (engine.tick() & kAgeMask) == age_of(place.value);
}

/// A packet of a known flow: its age and its state.
template <class Engine>
ASTIL_INLINE void touch(Engine& engine, const FlowPlace& place, const Sign& sign) {
  const u32 tick = engine.tick() & kAgeMask;
  FlowEntry entry = unpack(place.value);
  if (entry.state == FlowState::claimed) return;  // its claimer's alone
  const FlowState state = next_state(entry.state, sign, tick != entry.age);
  if (tick == entry.age && state == entry.state) return;
  entry.age = tick;
  entry.state = state;
  // Where another packet of the flow was quicker, its word stands.
  (void)engine.swap(entry_at(place), place.value, pack(entry));
}

template <class Engine>
ASTIL_INLINE void count_event(Engine& engine, FlowEvent event) {
  if (CpuRow* row = engine.cpu_row()) engine.add(&row->events[static_cast<u32>(event)], 1);
}

/// Notes a new flow down. A flow that can not be noted is not lost: the ring still decides for it.
template <class Engine>
ASTIL_INLINE void remember(Engine& engine, FlowPlace place, const FlowLines& lines, const FlowHash& hash,
                           const FlowTuple& flow, u32 backend) {
  const u32 tick = engine.tick();
  if (place.line == nullptr) {
    place = choose_place(engine, lines, hash, tick);
    if (place.line == nullptr) return;
    if (place.value != 0) {
      const EvictionClass given_up = eviction_class(place.value, tick, engine.settings()->timeouts);
      if (given_up == EvictionClass::established) count_event(engine, FlowEvent::evicted_established);
      if (given_up == EvictionClass::closing) count_event(engine, FlowEvent::evicted_closing);
      if (given_up == EvictionClass::half_open) count_event(engine, FlowEvent::evicted_half_open);
    }
  }
  const FlowEntry entry{.tag = hash.tag, .age = tick & kAgeMask, .state = FlowState::half_open, .backend = backend};
  if (!write_flow(engine, place, entry, flow)) count_event(engine, FlowEvent::contended);
}

/// Does the packet, which opens a connection or is of UDP, leave the flow that the table knows?
template <class Engine>
ASTIL_INLINE bool starts_over(Engine& engine, const FlowPlace& place, const FlowTuple& flow, const Backend& backend) {
  const bool expired = is_expired(place.value, engine.tick(), engine.settings()->timeouts) != 0;
  const FlowState state = state_of(place.value);
  const bool ended = expired || state == FlowState::closing || state == FlowState::closed;
  const bool stays =
      flow.protocol == kProtocolUdp ? backend.rotation != Rotation::down : backend.rotation == Rotation::in;
  if (!ended && stays) return false;
  // Another connection with the same tag: the two share the backend, or the one that is open would lose its own.
  return is_of(engine, place, flow);
}

}  // namespace detail

/// A client's packet whose flow the table does not know, or that may open it anew.
struct Opening {
  FlowTuple flow;
  FlowHash hash;
  u8 tcp_flags;
};

/// Where a new flow goes: a backend's number, or kRefused and the reason.
using Placement = u32;
inline constexpr Placement kRefused = 1U << 31U;
constexpr Placement refused(Reason reason) { return kRefused | static_cast<u32>(reason); }

/// Does the packet open a connection? A datagram of a flow that is not known does.
constexpr bool opens_connection(u8 protocol, u8 tcp_flags) {
  return protocol == kProtocolUdp || (tcp_flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
}

/// Is the flow one of the service that the backend works for?
ASTIL_INLINE bool serves(const Backend& backend, const FlowTuple& flow) {
  const bool port = backend.service_port == flow.port || backend.service_port == kAnyPort;
  return port && backend.service_protocol == flow.protocol && backend.service_address == flow.address;
}

/// Places a flow: where it is, if it is known after all, else where the scheduler says.
template <class Engine>
ASTIL_INLINE Placement place_flow(Engine& engine, const Opening& opening) {
  const Settings* settings = engine.settings();
  const FlowTuple& flow = opening.flow;
  const FlowHash& hash = opening.hash;
  const bool opens = opens_connection(flow.protocol, opening.tcp_flags);
  FlowLines lines = flow_lines(engine, hash, opens);
  FlowPlace place = find_flow(engine, hash, lines);
  Steering chosen;
  bool has_place = true;
  if (place.line != nullptr) {
    const u32 number = backend_of(place.value);
    const Backend* backend = engine.backend(number);
    if (backend == nullptr || !serves(*backend, flow)) {
      // Another service's flow, or one of a service that was removed. If it is not this one, the tags are the same by
      // coincidence, and a second entry would never be found behind the first: the ring decides for every packet.
      has_place = is_of(engine, place, flow);
    } else if (!opens || !detail::starts_over(engine, place, flow, *backend)) {
      engine.saw_known_flow(place, *backend);
      detail::touch(engine, place, {flow.protocol, opening.tcp_flags, 0, Direction::from_client});
      return number;
    } else if (settings->header.ring_only != 0 && backend->rotation == Rotation::in) {
      chosen = {.backend = backend, .number = number};  // as in the tables that were carried before this SYN came
    }
  }

  const u32 generation = shared_load(settings->active);
  if (generation >= kNoGeneration) return refused(Reason::unready);
  const Service* service = find_service(engine, flow, generation);
  if (service == nullptr) return refused(Reason::no_service);
  engine.saw_service(*service);
  engine.saw_unknown_flow(hash);
  if (chosen.backend == nullptr) chosen = detail::schedule(engine, *service, hash, opens);
  if (chosen.backend == nullptr) return refused(chosen.reason);
  // A reset of an unknown connection opens none, and is not worth a place.
  if ((opening.tcp_flags & kTcpRst) != 0) return chosen.number;
  if (has_place) {
    detail::remember(engine, place, lines, hash, flow, chosen.number);
  } else {
    detail::count_event(engine, FlowEvent::contended);
  }
  if (Counter* counter = opens ? engine.counter(chosen.number) : nullptr) engine.add(&counter->connections, 1);
  return chosen.number;
}

/// Steers a client's packet. The flow table is asked first: a backend's record names its service, so that a packet of a
/// known flow needs no look-up of the service.
template <class Ip, class Engine>
ASTIL_INLINE Steering steer(Engine& engine, const Packet<Ip>& packet) {
  const Settings* settings = engine.settings();
  Opening local;
  Opening* place_for = &local;
  if constexpr (Ip::kIsWide) place_for = scratch_for<Opening>(engine);
  if (place_for == nullptr) return {.reason = Reason::internal};
  Opening& opening = *place_for;
  opening = {.flow = flow_of_client(packet), .hash = {}, .tcp_flags = packet.tcp_flags};
  if constexpr (Ip::kIsWide) keep_in_memory(opening);
  const FlowTuple& flow = opening.flow;
  opening.hash = flow_hash(flow, settings->hash_key, settings->header.sizes.flow_lines - 1);
  const FlowHash& hash = opening.hash;
  // A SYN may open a known flow anew; a datagram leaves a backend that is down.
  const bool udp = packet.protocol == kProtocolUdp;
  if (udp || !opens_connection(packet.protocol, packet.tcp_flags)) {
    FlowLines lines = flow_lines(engine, hash, false);
    const FlowPlace place = find_flow(engine, hash, lines);
    if (place.line != nullptr) {
      const u32 number = backend_of(place.value);
      const Backend* backend = engine.backend(number);
      if (backend != nullptr && serves(*backend, flow) && !(udp && backend->rotation == Rotation::down)) {
        engine.saw_known_flow(place, *backend);
        if (!detail::is_quiet(engine, place, packet.tcp_flags, Direction::from_client))
          detail::touch(engine, place, detail::sign_of(engine, packet, Direction::from_client));
        return {.backend = backend, .number = number, .tag = hash.tag};
      }
    }
  }
  const Placement placement = engine.place(opening);
  if ((placement & kRefused) != 0) return {.reason = static_cast<Reason>(placement & (kMaxReasons - 1))};
  return {.backend = engine.backend(placement), .number = placement, .tag = hash.tag, .reason = Reason::internal};
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
    if (!detail::is_quiet(engine, place, packet.tcp_flags, Direction::from_backend))
      detail::touch(engine, place, detail::sign_of(engine, packet, Direction::from_backend));
    return ReplyOf::known_flow;
  }
  if (settings->header.ring_only == 0 && has_room(lines)) return ReplyOf::nobody;
  const Service* service = service_record(engine, generation, replier.backend->service);
  if (service == nullptr || service->ring.length == 0) return ReplyOf::nobody;
  engine.saw_service(*service);
  engine.saw_unknown_flow(hash);
  const u32 slot = ring_slot(hash.ring, service->ring.length);
  const Steering says = detail::at_slot(engine, *service, Scheduler::maglev, service->ring, slot);
  return says.backend != nullptr && says.number == replier.number ? ReplyOf::likely_flow : ReplyOf::nobody;
}

}  // namespace astil::core
