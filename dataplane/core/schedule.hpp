// The schedulers: where a new flow goes, and the ring, where every packet goes that the flow table knows nothing of.
#pragma once

#include "dataplane/core/service.hpp"

namespace astil::core {

/// A client's packet that may be of a new flow.
struct Opening {
  FlowTuple flow;
  FlowHash hash{};
  u8 tcp_flags;
  u8 has_data;  ///< not 0: TCP with a payload
};

/// The backend that a packet goes to, or why there is none.
struct Steering {
  const Backend* backend = nullptr;
  u32 number = 0;                 ///< where backend is nullptr: the service's id, plus 1; 0: not known
  u32 tag = 0;                    ///< of the flow's hash, for what spreads flows over paths
  Reason reason = Reason::count;  ///< where backend is nullptr
};

ASTIL_INLINE Steering not_placed(Reason reason, const Service& service) {
  return {.number = service.id + 1, .reason = reason};
}

/// least-connections looks at every backend of a service with so many; of more, at those in some slots of the ring.
inline constexpr u32 kExactMembers = 32;
inline constexpr u32 kSampledSlots = 8;
/// two-choices looks at so many slots for a backend that differs from the first.
inline constexpr u32 kChoiceSlots = 4;

/// What stands for a backend's number where there is none.
inline constexpr u32 kNoBackend = ~0U;

/// For so many age ticks after a CPU met the limit of new flows, new flows go by the ring (see `is_limited`).
inline constexpr u32 kLimitedTicks = 2;

/// Was the limit of new flows met in this tick or the one before? Then a connection may be under way whose SYN was not
/// written down, and went where the ring says: a SYN that is sent again shall go there too, and so may the backend's
/// answer be known.
ASTIL_INLINE bool is_limited(const Settings& settings, u32 tick) {
  const u32 mark = shared_load(settings.shared.limited);
  return mark != 0 && tick + 1 - mark < kLimitedTicks;
}

namespace detail {

template <class Engine>
ASTIL_INLINE void count_event(Engine& engine, FlowEvent event) {
  if (CpuRow* row = engine.cpu_row()) engine.add(&row->events[static_cast<u32>(event)], 1);
}

/// Names no backend (Sizes::backends is smaller), and has no weight.
inline constexpr u32 kNoMember = (1U << kBackendBits) - 1;

/// One of the service's backends: number and weight.
template <class Engine>
ASTIL_INLINE u32 member_at(Engine& engine, const Service& service, u32 index) {
  const u32 at = service.first_member + index;
  const MemberLine* line = engine.member_line(at / kMembersPerLine);
  return line == nullptr ? kNoMember : line->members[at % kMembersPerLine];
}

template <class Engine>
ASTIL_INLINE u32 member_in_slot(Engine& engine, const Service& service, const RingSpan& span, u32 offset) {
  const u32 slot = span.first + offset;
  const RingLine* line = engine.ring_line(slot / kSlotsPerLine);
  return line == nullptr ? kNoMember : member_at(engine, service, line->slots[slot % kSlotsPerLine]);
}

template <class Engine>
ASTIL_INLINE Steering at_slot(Engine& engine, const Service& service, Scheduler by, const RingSpan& span, u32 offset) {
  const u32 number = number_of_member(member_in_slot(engine, service, span, offset));
  engine.saw_slot(service, by, offset, number);
  return {.backend = engine.backend(number), .number = number, .reason = Reason::internal};
}

/// The least loaded backend of those that were looked at.
struct Least {
  u32 number = kNoBackend;
  u32 weight = 0;
  u64 flows = 1;  ///< with the new one
};

/// Flows by weight are compared by the products with each other's weight: nothing is divided. A backend without weight
/// is never less loaded. Without a branch: each would be another way for the verifier to follow, in every round.
template <class Engine>
ASTIL_INLINE void consider(Engine& engine, u32 member, Least& least) {
  const u32 number = number_of_member(member);
  const u32 weight = weight_of_member(member);
  const Load* load = engine.load(number);
  if (load == nullptr) return;
  const u32 active = active_flows({.opened = shared_load(load->opened), .closed = shared_load(load->closed)});
  engine.saw_load(number, weight, active);
  const u64 flows = u64{active} + 1;
  const u64 less = 0 - ((flows * least.weight - least.flows * weight) >> 63U);
  least.number ^= (least.number ^ number) & static_cast<u32>(less);
  least.weight ^= (least.weight ^ weight) & static_cast<u32>(less);
  least.flows ^= (least.flows ^ flows) & less;
}

}  // namespace detail

/// The least loaded backend of a service by the number of its flows in proportion to its weight; kNoBackend: none has a
/// weight. `seed` decides which backends are looked at, and in what order.
template <class Engine>
ASTIL_INLINE u32 least_loaded(Engine& engine, const Service& service, u32 seed) {
  detail::Least least;
  const u32 members = service.members;
  const bool two = service.scheduler == Scheduler::two_choices;
  if (!two && members <= kExactMembers) {
    // From another one each time, so that equals have their turns.
    u32 index = ring_slot(seed, members);
    ASTIL_KEEP_LOOP
    for (u32 i = 0; i < kExactMembers && i < members; ++i) {
      detail::consider(engine, detail::member_at(engine, service, index), least);
      index = (index + 1) & (0U - below(index + 1, members));
    }
    return least.number;
  }
  u32 first = 0;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kSampledSlots; ++i) {
    seed = seed * 0x9e3779b1U + 0x7f4a7c15U;
    const u32 slot = ring_slot(seed, service.ring.length);
    const u32 member = detail::member_in_slot(engine, service, service.ring, slot);
    if (i == 0) first = member;
    if (i == 0 || member != first) detail::consider(engine, member, least);
    if (two && (member != first || i + 1 == kChoiceSlots)) break;
  }
  return least.number;
}

namespace detail {

ASTIL_INLINE Scheduler ring_scheduler(const Service& service) {
  return service.scheduler == Scheduler::source_hash ? Scheduler::source_hash : Scheduler::maglev;
}

/// The slot of a flow in its service's ring: under source-hash the client's address alone decides. `ring_hash`: of
/// FlowHash.
template <class Engine>
ASTIL_INLINE u32 ring_place(Engine& engine, const Service& service, const Address& client, u32 ring_hash) {
  if (service.scheduler != Scheduler::source_hash) return ring_slot(ring_hash, service.ring.length);
  return ring_slot(client_hash(client, service.source_bits, engine.settings()->hash_key), service.ring.length);
}

}  // namespace detail

/// What the ring says of a flow: what every packet can be sure of that another balancer, or this one before it lost the
/// flow, has chosen as well. `service` has a ring.
template <class Engine>
ASTIL_INLINE Steering ring_choice(Engine& engine, const Service& service, const FlowTuple& flow, u32 ring_hash) {
  return detail::at_slot(engine, service, detail::ring_scheduler(service), service.ring,
                         detail::ring_place(engine, service, flow.client, ring_hash));
}

/// The scheduler's choice for a new flow. `by_ring`: whatever the scheduler, take the ring.
template <class Engine>
ASTIL_INLINE Steering schedule(Engine& engine, const Service& service, const Opening& opening, bool by_ring) {
  if (service.ring.length == 0) return not_placed(Reason::no_backend, service);
  if (!by_ring && service.scheduler == Scheduler::round_robin && service.wheel.length != 0) {
    const u64 turn = engine.next_turn(service.id);
    return detail::at_slot(engine, service, Scheduler::round_robin, service.wheel,
                           static_cast<u32>(turn % service.wheel.length));
  }
  if (!by_ring && (service.scheduler == Scheduler::least_connections || service.scheduler == Scheduler::two_choices)) {
    const u32 number = engine.least_loaded(service, opening.hash.ring);
    if (number != kNoBackend) {
      engine.saw_least_loaded(service, number);
      return {.backend = engine.backend(number), .number = number, .reason = Reason::internal};
    }
  }
  return ring_choice(engine, service, opening.flow, opening.hash.ring);
}

}  // namespace astil::core
