// The engine of the kernel's hooks: the packet as the hook has it, tables in BPF arrays, jiffies for a clock. To be
// included after bpf/xdp_hook.hpp or bpf/tc_hook.hpp.
#pragma once

#include <linux/if_ether.h>

#include "bpf/tables.hpp"
#include "dataplane/core/path.hpp"

namespace astil::bpf {

using namespace astil::core;

// AF_INET and AF_INET6, whose header the BPF target can not include.
inline constexpr unsigned char kAddressFamilyInet = 2;
inline constexpr unsigned char kAddressFamilyInet6 = 10;

/// Placing a new flow is a function of its own: the path of a known flow has the registers for itself, and the verifier
/// looks at each once.
ASTIL_SUBPROGRAM u32 astil_place_flow(Context* context, const astil::core::Opening* opening);

/// The parts of the path of each version of IP. They give a verdict as one number: see `as_number`.
ASTIL_SUBPROGRAM u64 astil_to_service4(Context* context);
ASTIL_SUBPROGRAM u64 astil_to_service6(Context* context);
ASTIL_SUBPROGRAM u64 astil_flood4(Context* context);
ASTIL_SUBPROGRAM u64 astil_flood6(Context* context);
ASTIL_SUBPROGRAM u64 astil_known_port4(Context* context);
ASTIL_SUBPROGRAM u64 astil_known_port6(Context* context);
ASTIL_SUBPROGRAM u64 astil_full_nat4(Context* context);
ASTIL_SUBPROGRAM u64 astil_full_nat6(Context* context);
ASTIL_SUBPROGRAM u64 astil_to_port4(Context* context);
ASTIL_SUBPROGRAM u64 astil_to_port6(Context* context);
ASTIL_SUBPROGRAM u64 astil_reply4(Context* context);
ASTIL_SUBPROGRAM u64 astil_reply6(Context* context);
ASTIL_SUBPROGRAM u64 astil_unusual4(Context* context);
ASTIL_SUBPROGRAM u64 astil_unusual6(Context* context);
ASTIL_SUBPROGRAM u64 astil_unusual_port4(Context* context);
ASTIL_SUBPROGRAM u64 astil_unusual_port6(Context* context);
ASTIL_SUBPROGRAM u64 astil_answer4(Context* context);
ASTIL_SUBPROGRAM u64 astil_closed4(Context* context);
ASTIL_SUBPROGRAM u64 astil_closed6(Context* context);
ASTIL_SUBPROGRAM u64 astil_answer6(Context* context);
ASTIL_SUBPROGRAM u64 astil_too_big4(Context* context);
ASTIL_SUBPROGRAM u64 astil_too_big6(Context* context);
/// Of a first fragment, by version.
ASTIL_SUBPROGRAM u32 astil_note_fragment4(Context* context, u32 backend);
ASTIL_SUBPROGRAM u32 astil_note_fragment6(Context* context, u32 backend);
/// A frame for the daemon to hold; 0: there is no room for it.
ASTIL_SUBPROGRAM u32 astil_hold(Context* context);

/// Of a packet that is dropped: `reason` is a Reason, `service` an id or kNoService.
ASTIL_SUBPROGRAM u32 astil_note_drop(Context* context, u32 reason, u32 service);

/// What a new flow may take besides, and what few packets of a known one do; apart for the same reasons.
ASTIL_SUBPROGRAM u32 astil_change_entry(u64* entry, u64 before, u64 after);
/// `sign`: a Sign as one number.
ASTIL_SUBPROGRAM u32 astil_touch(u64* entry, u64 value, u32 sign);
ASTIL_SUBPROGRAM u32 astil_least_loaded(Context* context, const astil::core::Service* service, u32 seed);
ASTIL_SUBPROGRAM u32 astil_place_by_affinity(Context* context, const astil::core::Opening* opening, u32 service);
ASTIL_SUBPROGRAM u32 astil_note_flow(Context* context, const astil::core::Opening* opening, u32 placement);

/// Of full NAT, in CpuRow::connection: see the functions of ports.hpp. A lease is the port, and above it what else it
/// says.
ASTIL_SUBPROGRAM u32 astil_find_port(Context* context, const astil::core::Connection* connection, u32 source);
ASTIL_SUBPROGRAM u32 astil_find_any_port(Context* context, const astil::core::Connection* connection);
ASTIL_SUBPROGRAM u32 astil_read_port(Context* context, u32 index, astil::core::FlowTuple* flow);
ASTIL_SUBPROGRAM u64 astil_lease_port(Context* context, const astil::core::Connection* connection, u32 sign,
                                      u32 steered);
ASTIL_SUBPROGRAM u32 astil_take_port(Context* context, const astil::core::Connection* connection, u32 backend);
ASTIL_SUBPROGRAM u32 astil_note_reply(Context* context, u32 index, const astil::core::Connection* connection, u32 sign);

/// Of a service with lists or a limit of sources: a Reason.
ASTIL_SUBPROGRAM u32 astil_check_source(Context* context, const astil::core::Opening* opening, u32 place, u32 opens);

/// Of IPv6, from an offset on and a protocol number: see `walk_extensions`.
ASTIL_SUBPROGRAM u64 astil_skip_extensions(Context* context, u32 offset, u32 protocol);
/// Of the frame's bytes: see core::sum_of_frame.
ASTIL_SUBPROGRAM u64 astil_sum_of_frame(Context* context, u32 offset, u32 bytes);

ASTIL_INLINE u64 as_number(const Verdict& verdict) {
  return (u64{verdict.interface} << 32U) | static_cast<u32>(verdict.reason);
}
ASTIL_INLINE Verdict as_verdict(u64 number) {
  return {.reason = static_cast<Reason>(number & (kMaxReasons - 1)), .interface = static_cast<u32>(number >> 32U)};
}

/// Who hears of what the path sees of a packet; a program that wants to know includes bpf/notes.hpp before this.
#ifndef ASTIL_WATCHER
#define ASTIL_WATCHER Silent
#endif

class KernelEngine : public ASTIL_WATCHER, public Hook {
 public:
  using Hook::Hook;

  ASTIL_INLINE u32 tick() { return static_cast<u32>((jiffies() * ::settings.tick_multiplier) >> 32U); }

  ASTIL_INLINE u32 fine_tick() { return static_cast<u32>((jiffies() * ::settings.tick_multiplier) >> kFineShift); }

  ASTIL_INLINE const Settings* settings() { return &::settings; }
  ASTIL_INLINE const IndexLine* index_line(u32 i) { return at<const IndexLine>(&::service_index, i); }
  ASTIL_INLINE const Service* service(u32 i) { return at<const Service>(&::services, i); }
  ASTIL_INLINE const Backend* backend(u32 i) { return at<const Backend>(&::backends, i); }
  ASTIL_INLINE const RingLine* ring_line(u32 i) { return at<const RingLine>(&::rings, i); }
  ASTIL_INLINE const MemberLine* member_line(u32 i) { return at<const MemberLine>(&::members, i); }
  ASTIL_INLINE FlowLine* flow_line(u32 i) { return at<FlowLine>(&::flows, i); }
  ASTIL_INLINE ClientLine* client_line(u32 i) { return at<ClientLine>(&::clients, i); }
  ASTIL_INLINE FragmentLine* fragment_line(u32 i) { return at<FragmentLine>(&::fragments, i); }
  ASTIL_INLINE FlowLine* port_line(u32 i) { return at<FlowLine>(&::ports, i); }
  ASTIL_INLINE ClientLine* port_client_line(u32 i) { return at<ClientLine>(&::port_clients, i); }
  ASTIL_INLINE PortIndex find_port(const Connection& connection, u32 source) {
    return astil_find_port(context_, &connection, source);
  }
  ASTIL_INLINE PortIndex find_any_port(const Connection& connection) {
    return astil_find_any_port(context_, &connection);
  }
  ASTIL_INLINE u32 read_port(PortIndex index, FlowTuple& flow) { return astil_read_port(context_, index, &flow); }
  ASTIL_INLINE PortLease lease_port(const Connection& connection, const Sign& sign, u32 steered) {
    return std::bit_cast<PortLease>(astil_lease_port(context_, &connection, std::bit_cast<u32>(sign), steered));
  }
  ASTIL_INLINE PortIndex take_port(const Connection& connection, u32 backend) {
    return astil_take_port(context_, &connection, backend);
  }
  ASTIL_INLINE bool note_reply(PortIndex index, const Connection& connection, const Sign& sign) {
    return astil_note_reply(context_, index, &connection, std::bit_cast<u32>(sign)) != 0;
  }
  ASTIL_INLINE CpuRow* cpu_row() { return at<CpuRow>(&::cpu_rows, current_cpu()); }
  ASTIL_INLINE Counter* counter(u32 slot) {
    return at<Counter>(&::counters,
                       current_cpu() * (::settings.header.sizes.backends + ::settings.header.sizes.services) + slot);
  }

  ASTIL_INLINE ServiceDrops* drops(u32 service) {
    return at<ServiceDrops>(&::drops, current_cpu() * (::settings.header.sizes.services + 1) + service);
  }
  ASTIL_INLINE void note_drop(Reason reason, u32 service) {
    (void)astil_note_drop(context_, static_cast<u32>(reason), service);
  }
  ASTIL_INLINE u64 now() { return monotonic_ns(); }
  ASTIL_INLINE void tell_drop(DropEvent& event) { (void)ringbuf_output(&::drop_events, &event, sizeof(event), 0); }

  ASTIL_INLINE const SourceRules* source_rules(u32 i) { return at<const SourceRules>(&::source_rules, i); }
  ASTIL_INLINE const SourceRange* source_range(u32 i) { return at<const SourceRange>(&::source_ranges, i); }
  ASTIL_INLINE SourceBucket* source_bucket(u32 i) { return at<SourceBucket>(&::source_buckets, i); }
  ASTIL_INLINE u64 source_clock() { return (jiffies() * ::settings.tick_multiplier) >> kSourceClockShift; }
  ASTIL_INLINE Reason check_source(const Opening& opening, u32 place, u32 opens) {
    return static_cast<Reason>(astil_check_source(context_, &opening, place, opens));
  }

  ASTIL_INLINE const Load* load(u32 i) { return at<const Load>(&::loads, i); }
  ASTIL_INLINE void count_opened(u32 backend) {
    if (auto* load = at<Load>(&::loads, backend)) __sync_fetch_and_add(&load->opened, 1);
  }
  ASTIL_INLINE void count_closed(u32 backend) {
    if (auto* load = at<Load>(&::loads, backend)) __sync_fetch_and_add(&load->closed, 1);
  }
  ASTIL_INLINE void note_limited(u32 mark) {
    if (shared_load(::settings.shared.limited) != mark) shared_store(::settings.shared.limited, mark);
  }
  ASTIL_INLINE void touch(u64* entry, u64 value, const Sign& sign) {
    (void)astil_touch(entry, value, std::bit_cast<u32>(sign));
  }
  ASTIL_INLINE bool change(u64* entry, u64 before, u64 after) { return astil_change_entry(entry, before, after) != 0; }
  ASTIL_INLINE u32 least_loaded(const Service& service, u32 seed) {
    return astil_least_loaded(context_, &service, seed);
  }
  ASTIL_INLINE u32 place_by_affinity(const Opening& opening, u32 service) {
    return astil_place_by_affinity(context_, &opening, service);
  }
  ASTIL_INLINE void note_flow(const Opening& opening, Placement placement) {
    (void)astil_note_flow(context_, &opening, placement);
  }
  ASTIL_INLINE u64 next_turn(u32 service) {
    auto* cursor = at<Cursor>(&::cursors, service);
    return cursor == nullptr ? 0 : __sync_fetch_and_add(&cursor->turn, 1);
  }
  ASTIL_INLINE Placement place(const Opening& opening) { return astil_place_flow(context_, &opening); }
  ASTIL_INLINE Extensions skip_extensions(u32 offset, u8 protocol) {
    return {astil_skip_extensions(context_, offset, protocol)};
  }
  ASTIL_INLINE u64 sum_of_frame(u32 offset, u32 bytes) { return astil_sum_of_frame(context_, offset, bytes); }
  template <Part kPart, class Ip>
  ASTIL_INLINE Verdict part() {
    if constexpr (kPart == Part::to_service)
      return as_verdict(Ip::kIsWide ? astil_to_service6(context_) : astil_to_service4(context_));
    if constexpr (kPart == Part::flood)
      return as_verdict(Ip::kIsWide ? astil_flood6(context_) : astil_flood4(context_));
    if constexpr (kPart == Part::known_port)
      return as_verdict(Ip::kIsWide ? astil_known_port6(context_) : astil_known_port4(context_));
    if constexpr (kPart == Part::full_nat)
      return as_verdict(Ip::kIsWide ? astil_full_nat6(context_) : astil_full_nat4(context_));
    if constexpr (kPart == Part::to_port)
      return as_verdict(Ip::kIsWide ? astil_to_port6(context_) : astil_to_port4(context_));
    if constexpr (kPart == Part::reply)
      return as_verdict(Ip::kIsWide ? astil_reply6(context_) : astil_reply4(context_));
    if constexpr (kPart == Part::unusual)
      return as_verdict(Ip::kIsWide ? astil_unusual6(context_) : astil_unusual4(context_));
    if constexpr (kPart == Part::unusual_port)
      return as_verdict(Ip::kIsWide ? astil_unusual_port6(context_) : astil_unusual_port4(context_));
    if constexpr (kPart == Part::answer)
      return as_verdict(Ip::kIsWide ? astil_answer6(context_) : astil_answer4(context_));
    if constexpr (kPart == Part::closed)
      return as_verdict(Ip::kIsWide ? astil_closed6(context_) : astil_closed4(context_));
    return as_verdict(Ip::kIsWide ? astil_too_big6(context_) : astil_too_big4(context_));
  }
  template <class Ip>
  ASTIL_INLINE void note_fragment(u32 backend) {
    if constexpr (Ip::kIsWide) {
      astil_note_fragment6(context_, backend);
    } else {
      astil_note_fragment4(context_, backend);
    }
  }
  ASTIL_INLINE bool hold(u32 /*length*/) { return astil_hold(context_) != 0; }
  ASTIL_INLINE bool hold_frame() {
    const u32 length = frame_bytes();
    if (length == 0 || length > kMaxHeldBytes) return false;
    auto* held = static_cast<HeldFragment*>(ringbuf_reserve(&::held_fragments, sizeof(HeldFragment), 0));
    if (held == nullptr) return false;
    held->interface = ingress();
    held->length = length;
    if (!load_frame(held->frame, length)) {
      ringbuf_discard(held, 0);
      return false;
    }
    ringbuf_submit(held, 0);
    return true;
  }
  ASTIL_INLINE bool swap(u64* place, u64 before, u64 after) {
    return __sync_val_compare_and_swap(place, before, after) == before;
  }
  /// BPF has no prefetch. A load whose value nobody waits for does the same on a processor that works out of order.
  ASTIL_INLINE void prefetch(const auto& record) { (void)shared_load(record); }
  ASTIL_INLINE void store_key(FlowKey& place, const FlowKey& key) { place = key; }
  ASTIL_INLINE void store_client(Address& place, const Address& client) { place = client; }
  ASTIL_INLINE void publish(u64* place, u64 value) { shared_store(*place, value); }
  ASTIL_INLINE void add(u64* counter, u64 amount) { *counter += amount; }

  ASTIL_INLINE Hop* hop(u32 place) { return at<Hop>(&::hops, (current_cpu() * kMostHops + place) >> ::hop_shift); }
  ASTIL_INLINE NextHop route(const Address& to, const Address& from, u32 length) {
    CpuRow* row = cpu_row();
    if (row == nullptr) return {};
    static_assert(sizeof(::bpf_fib_lookup) <= sizeof(row->scratch));
    auto& query = reinterpret_cast<::bpf_fib_lookup&>(row->scratch);
    query = {};
    query.tot_len = static_cast<u16>(length < kMaxLength ? length : kMaxLength);
    query.ifindex = ingress();
    if (is_ipv4(to)) {
      query.family = kAddressFamilyInet;
      query.ipv4_src = raw(ipv4_of(from));
      query.ipv4_dst = raw(ipv4_of(to));
    } else {
      query.family = kAddressFamilyInet6;
      copy_words(query.ipv6_src, from.words);
      copy_words(query.ipv6_dst, to.words);
    }
    const long answer = fib_lookup(context_, &query, sizeof(query), 0);
    // The kernel has put the gateway and the outgoing interface into the query.
    if (answer == BPF_FIB_LKUP_RET_NO_NEIGH) {
      want_neighbour(query);
      return {.status = NextHop::Status::no_neighbour};
    }
    if (answer == BPF_FIB_LKUP_RET_FRAG_NEEDED) return {.status = NextHop::Status::too_big, .mtu = query.mtu_result};
    if (answer != BPF_FIB_LKUP_RET_SUCCESS) return {.status = NextHop::Status::no_route};
    return {.status = NextHop::Status::found,
            .interface = query.ifindex,
            .destination_mac = mac_of(query.dmac),
            .source_mac = mac_of(query.smac),
            .mtu = query.mtu_result};
  }

 private:
  ASTIL_INLINE static void copy_words(u32 (&to)[4], const Be32 (&from)[4]) {
    for (u32 i = 0; i < 4; ++i) to[i] = raw(from[i]);
  }
  /// A gateway of IPv4 may be of IPv6 (RFC 8950): the kernel has changed the family then.
  ASTIL_INLINE static Address neighbour_of(const ::bpf_fib_lookup& query) {
    if (query.family == kAddressFamilyInet) return mapped(Be32{query.ipv4_dst});
    return {{Be32{query.ipv6_dst[0]}, Be32{query.ipv6_dst[1]}, Be32{query.ipv6_dst[2]}, Be32{query.ipv6_dst[3]}}};
  }

  ASTIL_INLINE void want_neighbour(const ::bpf_fib_lookup& query) {
    if (!is_within_limit(*this, LimitKind::neighbours, per_unit(kNeighboursWantedPerSecond))) return;
    auto* wanted = static_cast<NeighbourWanted*>(ringbuf_reserve(&::events, sizeof(NeighbourWanted), 0));
    if (wanted == nullptr) return;
    *wanted = {.address = neighbour_of(query), .interface = query.ifindex};
    ringbuf_submit(wanted, 0);
  }

  template <class Record>
  ASTIL_INLINE static Record* at(void* map, u32 index) {
    return static_cast<Record*>(map_lookup(map, &index));
  }

  ASTIL_INLINE static u64 mac_of(const u8 (&bytes)[ETH_ALEN]) {
    u64 word = 0;
    for (u32 i = 0; i < ETH_ALEN; ++i) word |= u64{bytes[i]} << (8U * i);
    return word;
  }
};

ASTIL_SUBPROGRAM u32 astil_place_flow(Context* context, const Opening* opening) {
  if (opening == nullptr) return refused(Reason::internal);
  KernelEngine engine(context);
  return place_flow(engine, *opening);
}

ASTIL_SUBPROGRAM u32 astil_change_entry(u64* entry, u64 before, u64 after) {
  if (entry == nullptr) return 0;
  KernelEngine engine(nullptr);
  return change_entry(engine, entry, before, after) ? 1 : 0;
}

ASTIL_SUBPROGRAM u32 astil_touch(u64* entry, u64 value, u32 sign) {
  if (entry == nullptr) return 0;
  KernelEngine engine(nullptr);
  touch(engine, entry, value, std::bit_cast<Sign>(sign));
  return 0;
}

ASTIL_SUBPROGRAM u32 astil_least_loaded(Context* context, const Service* service, u32 seed) {
  if (service == nullptr) return kNoBackend;
  KernelEngine engine(context);
  return least_loaded(engine, *service, seed);
}

ASTIL_SUBPROGRAM u32 astil_place_by_affinity(Context* context, const Opening* opening, u32 service) {
  if (opening == nullptr) return kNoBackend;
  KernelEngine engine(context);
  return place_by_affinity(engine, *opening, service);
}

ASTIL_SUBPROGRAM u32 astil_find_port(Context* context, const Connection* connection, u32 source) {
  if (connection == nullptr) return kNoPort;
  KernelEngine engine(context);
  return find_port(engine, *connection, source);
}

ASTIL_SUBPROGRAM u32 astil_find_any_port(Context* context, const Connection* connection) {
  if (connection == nullptr) return kNoPort;
  KernelEngine engine(context);
  return find_any_port(engine, *connection);
}

ASTIL_SUBPROGRAM u32 astil_read_port(Context* context, u32 index, FlowTuple* flow) {
  if (flow == nullptr) return kNoBackend;
  KernelEngine engine(context);
  return read_port(engine, index, *flow);
}

ASTIL_SUBPROGRAM u64 astil_lease_port(Context* context, const Connection* connection, u32 sign, u32 steered) {
  if (connection == nullptr) return std::bit_cast<u64>(no_lease(Reason::internal));
  KernelEngine engine(context);
  return std::bit_cast<u64>(lease_port(engine, *connection, std::bit_cast<Sign>(sign), steered));
}

ASTIL_SUBPROGRAM u32 astil_take_port(Context* context, const Connection* connection, u32 backend) {
  if (connection == nullptr) return kNoPort;
  KernelEngine engine(context);
  return take_port(engine, *connection, backend);
}

ASTIL_SUBPROGRAM u32 astil_note_reply(Context* context, u32 index, const Connection* connection, u32 sign) {
  if (connection == nullptr) return 0;
  KernelEngine engine(context);
  return note_reply(engine, index, *connection, std::bit_cast<Sign>(sign)) ? 1 : 0;
}

ASTIL_SUBPROGRAM u32 astil_check_source(Context* context, const Opening* opening, u32 place, u32 opens) {
  if (opening == nullptr) return static_cast<u32>(Reason::internal);
  KernelEngine engine(context);
  return static_cast<u32>(check_source(engine, *opening, place, opens));
}

/// The verifier wants a value.
ASTIL_SUBPROGRAM u32 astil_note_flow(Context* context, const Opening* opening, u32 placement) {
  if (opening == nullptr) return 0;
  KernelEngine engine(context);
  note_flow(engine, *opening, placement);
  return 0;
}

ASTIL_SUBPROGRAM u32 astil_note_drop(Context* context, u32 reason, u32 service) {
  KernelEngine engine(context);
  note_drop(engine, static_cast<Reason>(reason), service);
  return 0;
}

ASTIL_SUBPROGRAM u64 astil_skip_extensions(Context* context, u32 offset, u32 protocol) {
  constexpr u32 kMaxOffset = 2047;
  if (offset > kMaxOffset) return 0;
  KernelEngine engine(context);
  return walk_extensions(engine, offset, static_cast<u8>(protocol)).number;
}

ASTIL_SUBPROGRAM u64 astil_sum_of_frame(Context* context, u32 offset, u32 bytes) {
  constexpr u32 kMaxOffset = 2047;
  if (offset > kMaxOffset) return detail::kNoSum;
  KernelEngine engine(context);
  return sum_of_frame(engine, offset, bytes);
}

#define ASTIL_PART(name, part, Version)                \
  ASTIL_SUBPROGRAM u64 name(Context* context) {        \
    KernelEngine engine(context);                      \
    return as_number(run_part<part, Version>(engine)); \
  }
ASTIL_PART(astil_to_service4, Part::to_service, Ipv4)
ASTIL_PART(astil_to_service6, Part::to_service, Ipv6)
ASTIL_PART(astil_flood4, Part::flood, Ipv4)
ASTIL_PART(astil_flood6, Part::flood, Ipv6)
ASTIL_PART(astil_known_port4, Part::known_port, Ipv4)
ASTIL_PART(astil_known_port6, Part::known_port, Ipv6)
ASTIL_PART(astil_full_nat4, Part::full_nat, Ipv4)
ASTIL_PART(astil_full_nat6, Part::full_nat, Ipv6)
ASTIL_PART(astil_to_port4, Part::to_port, Ipv4)
ASTIL_PART(astil_to_port6, Part::to_port, Ipv6)
ASTIL_PART(astil_reply4, Part::reply, Ipv4)
ASTIL_PART(astil_reply6, Part::reply, Ipv6)
ASTIL_PART(astil_unusual4, Part::unusual, Ipv4)
ASTIL_PART(astil_unusual6, Part::unusual, Ipv6)
ASTIL_PART(astil_unusual_port4, Part::unusual_port, Ipv4)
ASTIL_PART(astil_unusual_port6, Part::unusual_port, Ipv6)
ASTIL_PART(astil_answer4, Part::answer, Ipv4)
ASTIL_PART(astil_answer6, Part::answer, Ipv6)
ASTIL_PART(astil_too_big4, Part::too_big, Ipv4)
ASTIL_PART(astil_too_big6, Part::too_big, Ipv6)
ASTIL_PART(astil_closed4, Part::closed, Ipv4)
ASTIL_PART(astil_closed6, Part::closed, Ipv6)
#undef ASTIL_PART

ASTIL_SUBPROGRAM u32 astil_note_fragment4(Context* context, u32 backend) {
  KernelEngine engine(context);
  note_first_fragment<Ipv4>(engine, backend);
  return 0;
}

ASTIL_SUBPROGRAM u32 astil_note_fragment6(Context* context, u32 backend) {
  KernelEngine engine(context);
  note_first_fragment<Ipv6>(engine, backend);
  return 0;
}

ASTIL_SUBPROGRAM u32 astil_hold(Context* context) {
  KernelEngine engine(context);
  return engine.hold_frame() ? 1 : 0;
}

}  // namespace astil::bpf
