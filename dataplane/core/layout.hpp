// The tables of the packet path: one definition of each record, shared by the kernel program, the native engine, the
// control plane and the tests. All records are of fixed size and lie in flat arrays that the control plane has mapped.
//
// Who writes: the control plane writes everything but flows, counters, cursors; it publishes by storing
// `Settings::active` as the last step (see dataplane/publisher.hpp). Integers are in host byte order unless their type
// says otherwise.
#pragma once

#include "dataplane/core/address.hpp"
#include "dataplane/core/reasons.hpp"

namespace astil::core {

/// Of this release. Changes whenever a record below changes its size, its fields or their meaning.
inline constexpr u32 kReleasedLayout = 7;
/// And of this program, which for tests may pretend to be of the next release.
#ifdef ASTIL_PRETEND_NEXT_LAYOUT
inline constexpr u32 kLayoutVersion = kReleasedLayout + 1;
#else
inline constexpr u32 kLayoutVersion = kReleasedLayout;
#endif
inline constexpr u64 kLayoutMagic = 0x6c69747361ULL;  // "astil"

inline constexpr u32 kCacheLine = 64;

enum class Forwarding : u8 { nat, tunnel, direct, full_nat };
/// What a tunnel puts in front of a packet: an IP header of a version (RFC 2003, RFC 2473), or that and UDP (GUE,
/// draft-ietf-intarea-gue-09, variant 1).
enum class Wrap : u8 { ipip4, ipip6, gue4, gue6 };
/// Whether a backend gets new flows, and what becomes of those that it has: a SYN chooses anew unless it is `in`, a
/// datagram if it is `down`, everything if it is `lost`; the rest stays where it is. From one that is `reset`,
/// datagrams leave likewise, and connections end: their clients are sent resets.
enum class Rotation : u8 { out, in, down, lost, reset };
/// What is done with a client's packet for a backend: its forwarding, and instead of `tunnel` what that puts in front.
enum class Way : u8 { none, nat, tunnel, direct, full_nat, ipip4, ipip6, gue4, gue6 };
enum class Scheduler : u8 { maglev, round_robin, least_connections, source_hash, two_choices };

/// The sizes of all tables, in records.
struct Sizes {
  u32 cpus;            ///< rows of the per-CPU tables; the control plane has one row more, behind the others
  u32 flow_lines;      ///< a power of two
  u32 services;        ///< highest service id + 1
  u32 backends;        ///< highest backend number + 1, at most 2^20 - 1
  u32 ring_lines;      ///< of the pool of rings
  u32 member_lines;    ///< of the pool of backend lists
  u32 index_lines;     ///< of one generation's service index, a power of two
  u32 client_lines;    ///< of IPv6 clients: flow_lines, or 0 where IPv6 flows are not remembered
  u32 source_ranges;   ///< of one generation
  u32 source_buckets;  ///< a power of two
  u32 port_sources;    ///< places for source addresses of full NAT, each with its ports: at most kPortSources
  u32 reserved;
};
static_assert(sizeof(Sizes) == 48);

constexpr bool operator==(const Sizes& a, const Sizes& b) {
  return a.cpus == b.cpus && a.flow_lines == b.flow_lines && a.services == b.services && a.backends == b.backends &&
         a.ring_lines == b.ring_lines && a.member_lines == b.member_lines && a.index_lines == b.index_lines &&
         a.client_lines == b.client_lines && a.source_ranges == b.source_ranges &&
         a.source_buckets == b.source_buckets && a.port_sources == b.port_sources;
}

/// The first 64 bytes of the settings are the same in every layout version, so that any daemon can tell what it found.
///
/// `ring_only` makes two sets of tables choose alike while flows are carried from one to the other: every scheduler
/// places new flows by the ring, which both have; a port that is used again keeps its backend, which the copied flow
/// says too; and a reply under nat whose flow has not been copied yet is known by the ring. Under full NAT the two
/// never give out the same port: the old tables (kOld) have the even ones, the new tables the odd ones.
enum RingOnly : u32 { kAlone = 0, kOld = 1, kNew = 2 };

struct LayoutHeader {
  u64 magic;           ///< kLayoutMagic once the tables are complete
  u32 layout_version;  ///< kLayoutVersion of whoever made them
  u32 ring_only;       ///< RingOnly: as above
  Sizes sizes;
};
static_assert(sizeof(LayoutHeader) == kCacheLine);

/// How the service index of one generation is hashed.
struct Generation {
  u32 index_mask;  ///< lines in use - 1
  u32 seed;        ///< chosen so that no line overflows
};

/// An interface that packets come in by, or a VLAN device on top of one, at its slot (see
/// Settings::interface_multiplier).
struct Interface {
  u64 mac;      ///< own, as in the packet, in the low 6 bytes; of a VLAN device above them its tag (see tagged())
  u32 ifindex;  ///< 0: empty; of a virtual router: virtual_router_number()
  u32 parent;   ///< of a VLAN device: ifindex of what carries its frames; else 0
};

/// The two bytes above a MAC address in a word of 8 may hold a VLAN tag (IEEE 802.1Q's TCI, as in the packet; 0: none):
/// above the destination's the outer one of two (802.1ad), above the source's the inner, or only, one.
constexpr u64 tagged(u64 mac, Be16 tag) { return (mac & 0xffffffffffffULL) | (u64{raw(tag)} << 48U); }
constexpr u16 tag_above(u64 mac) { return static_cast<u16>(mac >> 48U); }

/// Places for interfaces, each at the one that the multiplier gives it. Many more than interfaces, so that a multiplier
/// without collisions is soon found, also beside the places of those that another configuration named.
inline constexpr u32 kInterfaceBits = 10;
inline constexpr u32 kInterfaces = 1U << kInterfaceBits;

constexpr u32 interface_slot(u32 ifindex, u32 multiplier) { return (ifindex * multiplier) >> (32U - kInterfaceBits); }

/// The MAC address of a virtual router, as in the packet: 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for
/// IPv6 (RFC 9568 section 7.3).
constexpr u64 virtual_router_mac(u8 ip_version, u8 id) {
  return 0x5e0000ULL | u64{ip_version == 4 ? 1U : 2U} << 32U | u64{id} << 40U;
}
/// Whether it may be one: the fifth byte is looked at no closer than that it is below 4.
constexpr bool resembles_virtual_router(u64 mac) { return (mac & 0xfcffffffffULL) == 0x5e0000ULL; }

/// A virtual router of an interface has a place among the interfaces, under this number in place of an ifindex, which
/// no interface has: those of the kernel are positive.
constexpr u32 virtual_router_number(u32 ifindex, u64 mac) {
  return 0x80000000U | static_cast<u32>(mac >> 33U & 1U) << 30U | static_cast<u32>(mac >> 40U & 0xffU) << 22U |
         (ifindex & 0x3fffffU);
}

inline constexpr u32 kFlowStates = 16;

/// Places of the filter, which says at once of most packets that they are for no service: the path looks there at the
/// place of an address (filter_place), and finds what is listed of it, or of others with the same place.
inline constexpr u32 kFilterPlaceBits = 15;
inline constexpr u32 kFilterPlaces = 1U << kFilterPlaceBits;

/// What the filter lists, a bit for each, in either generation's index.
enum Listed : u8 {
  kListedService = 1,       ///< an address of services
  kListedReplier = 2,       ///< of a backend under nat
  kListedPortSource = 4,    ///< a source address of full NAT
  kListedClosed = 8,        ///< a closed address (closed.hpp)
  kListedFullNat = 16,      ///< an address of services, one of which is under full NAT
  kListedFullNatPort = 32,  ///< at the place of such a service's whole key
};

/// What the tables may hold; the rest need not be looked for, or done.
enum Holds : u32 {
  kHoldsAnyPort = 2,         ///< services on any port, in either generation's index
  kHoldsAnyPortReplies = 4,  ///< replies of such services under nat
  kHoldsVlans = 8,           ///< VLAN devices among the interfaces
  kHoldsEcho = 16,           ///< a setting: echo to a service address is answered
  kHoldsClosed = 64,         ///< closed addresses (closed.hpp), in either generation's index
};

/// Source addresses of full NAT: which of them a client's connections have says its place in a pool, by its address
/// alone. See ports.hpp.
inline constexpr u32 kPortSources = 64;
inline constexpr u32 kPoolPlaces = 4096;
inline constexpr u8 kNoSource = 0xff;  ///< in a pool: there is no source address of that version

inline constexpr u32 kHashKeys = 8;

/// What the packet path tells itself, across CPUs. Written seldom, in a cache line of its own.
struct Shared {
  u32 limited;         ///< the age tick, plus 1, in which a CPU last met the limit of new flows; 0: none did
  u32 drop_followers;  ///< the control plane's: 0: nobody wants to know of single drops
  u32 reserved[14];
};
static_assert(sizeof(Shared) == kCacheLine);

struct Settings {
  LayoutHeader header;
  u64 hash_key[kHashKeys];   ///< secret; chosen once, carried along for ever: another key loses every flow
  u32 active;                ///< generation in use, 0 or 1; 2: none yet
  u32 tick_multiplier;       ///< age tick = jiffies * tick_multiplier / 2^32
  u32 interface_multiplier;  ///< see `interface_slot`; chosen without collisions
  u32 holds;                 ///< Holds
  Generation generations[2];
  u16 timeouts[kFlowStates];  ///< by FlowState, in age ticks, below kMaxTimeout
  u32 new_flows_per_unit;     ///< the limit of each CPU, see limit.hpp; 0: none
  /// A bit for each source address that may have connections of clients which the pool sends to another one by now.
  u64 strays;
  u16 port_timeouts[kFlowStates];  ///< as `timeouts`, of the ports of full NAT, which rest for a while
  u32 reserved[4];
  Interface interfaces[kInterfaces];
  u8 filter[kFilterPlaces];            ///< Listed, of both generations, while there are two
  Address port_sources[kPortSources];  ///< all zeros: the place is free
  u8 pools[2][kPoolPlaces];            ///< of IPv4, and of IPv6: places in `port_sources`, or kNoSource
  Shared shared;                       ///< the packet path's
};
static_assert(sizeof(Settings) ==
              256 + 16 * kInterfaces + kFilterPlaces + 16 * kPortSources + 2 * kPoolPlaces + sizeof(Shared));
static_assert(offsetof(Settings, shared) % kCacheLine == 0);

inline constexpr u32 kNoGeneration = 2;

/// An entry of the service index: 8 fill a cache line, filled from the front. Tag 0: empty, and so are all behind it.
struct IndexEntry {
  u32 tag;
  u32 reference;  ///< service id; of a reply key the number of the backend whose replies under nat are rewritten
};
inline constexpr u32 kEntriesPerLine = 8;

struct IndexLine {
  IndexEntry entries[kEntriesPerLine];
};
static_assert(sizeof(IndexLine) == kCacheLine);

/// A span of slots in the ring pool.
struct RingSpan {
  u32 first;   ///< slot number in the pool, a multiple of kSlotsPerLine
  u32 length;  ///< slots; 0: no backend in rotation
};

/// One service in one generation: records of generation g lie at [g * Sizes::services + id].
struct Service {
  Address address;
  Be16 port;    ///< 0: any that no other service has
  u8 protocol;  ///< IANA number
  Forwarding forwarding;
  Scheduler scheduler;
  u8 source_bits;  ///< of the client's address, IPv4 as in Address: those that Scheduler::source_hash goes by
  u16 in_use;      ///< 0: no such service
  u32 id;
  u32 first_member;    ///< in the member pool: the backends that ring slots index; a multiple of kMembersPerLine
  RingSpan ring;       ///< Maglev
  RingSpan wheel;      ///< round-robin: the order of turns, weights included
  u32 members;         ///< length of its list in the member pool
  u16 affinity_ticks;  ///< how long a client's new flows keep to a backend after its last new one; 0: no affinity
  u8 affinity_bits;    ///< of the client's address, as `source_bits`: clients with the same ones are one
  u8 checks_sources;   ///< not 0: new flows are subject to its SourceRules
  u8 refuses;          ///< not 0: what has no backend in rotation is answered
  u8 reserved[7];
};
static_assert(sizeof(Service) == kCacheLine);

/// Which clients a service lets in, and how fast, in one generation: as its Service, at [g * Sizes::services + id].
struct SourceRules {
  u32 first_range;  ///< at [g * Sizes::source_ranges + this]
  u32 ranges;       ///< 0: everyone is let in
  u32 interval;     ///< between two new flows of a source, in units of the source clock; 0: no limit
  u32 tolerance;    ///< by which new flows may come earlier than that, likewise: a burst
  u32 per_second;   ///< the same two, as they were asked for
  u32 burst;
  u8 bits;  ///< of the client's address, IPv4 as in Address: clients with the same ones are one source
  u8 reserved[7];
};
static_assert(sizeof(SourceRules) == 32);

/// Some clients and what their service says of them: all from `first` on, up to the next range. A service's ranges are
/// in order, and its first one begins at 0.
struct SourceRange {
  u64 first[2];  ///< an Address in host byte order, its high half first
  u32 rule;      ///< the length of the prefix that it is of, as in Address, plus 1; 0: what no prefix says. kDenied
  u32 reserved;
};
static_assert(sizeof(SourceRange) == 24);
inline constexpr u32 kDenied = 1U << 31U;

/// How far ahead of time a source is with its new flows: a tag of the service and the source in the high bits, and
/// below it the time, on the source clock, before which the next one would be early. 0: free. See sources.hpp.
struct SourceBucket {
  u64 value;
};
static_assert(sizeof(SourceBucket) == 8);

inline constexpr u32 kSlotsPerLine = 32;
struct RingLine {
  u16 slots[kSlotsPerLine];  ///< index into the service's members
};
static_assert(sizeof(RingLine) == kCacheLine);

inline constexpr u32 kBackendBits = 20;
inline constexpr u32 kMaxWeight = (1U << (32U - kBackendBits)) - 1;

inline constexpr u32 kMembersPerLine = 16;
struct MemberLine {
  u32 members[kMembersPerLine];  ///< a backend's number, and above it its weight; 0: no new flows
};
static_assert(sizeof(MemberLine) == kCacheLine);

constexpr u32 member_of(u32 backend, u32 weight) { return backend | (weight << kBackendBits); }
constexpr u32 number_of_member(u32 member) { return member & ((1U << kBackendBits) - 1); }
constexpr u32 weight_of_member(u32 member) { return member >> kBackendBits; }

/// The active flows of a backend, by its number: opened less closed, both modulo 2^32. Whatever changes an entry of the
/// flow table counts here what that makes of it; the census corrects (dataplane/census.hpp). Packed, since who compares
/// backends reads many.
struct Load {
  u32 opened;
  u32 closed;
};
static_assert(sizeof(Load) == 8);

/// Where more flows were counted to their end than to their beginning: none.
constexpr u32 active_flows(const Load& load) {
  const u32 active = load.opened - load.closed;
  return active >> 31U != 0 ? 0 : active;
}

inline constexpr u32 kNoService = ~0U;

/// A service's use of a backend. Its number is used again only when no flow holds it any more. The first cache line is
/// all that a packet of a known flow needs, the second only what a tunnel needs besides. The two MAC words are stored
/// whole (8 bytes), so that a packet sees the old or the new one.
struct Backend {
  u64 destination_mac;  ///< of the next hop, as in the packet, in the low 6 bytes; 0: not resolved. See tagged()
  u64 source_mac;       ///< of the outgoing interface, likewise
  Address service_address;
  u8 service_protocol;  ///< 0: the service has been removed, and no packet is for it
  Forwarding forwarding;
  Be16 service_port;  ///< 0: any
  u32 service;        ///< id, or kNoService
  u32 interface;      ///< ifindex
  Be16 port;          ///< 0: as the client's packet has it
  Way quick;          ///< see `quick_way`
  Rotation rotation;
  Address address;

  Address source;    ///< of the outer header of a tunnel; 0 in the bits of `source_mask`
  Be32 source_mask;  ///< bits of the source's last word that are different for each flow
  u32 outer_sum;     ///< of an outer IPv4 header: what is the same in all of them (see `constant_outer_sum`)
  Be16 gue_port;
  u16 max_length;  ///< of a client's datagram that the way to the backend carries, bytes
  Wrap wrap;
  u8 reserved[35];
};
static_assert(sizeof(Backend) == 2 * kCacheLine);

constexpr Way way_of(const Backend& backend) {
  static_assert(static_cast<u8>(Way::nat) == static_cast<u8>(Forwarding::nat) + 1 &&
                static_cast<u8>(Way::full_nat) == static_cast<u8>(Forwarding::full_nat) + 1);
  const u32 tunnel = static_cast<u32>(Way::ipip4) + static_cast<u8>(backend.wrap);
  const u32 other = 1U + static_cast<u8>(backend.forwarding);
  return static_cast<Way>(backend.forwarding == Forwarding::tunnel ? tunnel : other);
}

/// The way of a plain packet of a flow that the backend has; none: there is more to look at, since its flows may leave
/// it. Whether the next hop is reached by a tag, the MAC addresses say themselves.
constexpr Way quick_way(const Backend& backend) {
  const bool may_give_up_flows = static_cast<u8>(backend.rotation) >= static_cast<u8>(Rotation::down);
  return may_give_up_flows ? Way::none : way_of(backend);
}

/// The cold half of a flow: who it is. The service's address, and with it the version of IP, follows from the backend.
struct FlowKey {
  Be32 client;  ///< the last word of its address; the whole of an IPv6 one stands in ClientLine
  Be16 client_port;
  Be16 service_port;
};

constexpr bool operator==(const FlowKey& a, const FlowKey& b) { return std::bit_cast<u64>(a) == std::bit_cast<u64>(b); }

/// A line of the flow table: a cache line of entries (tag 31 bits, age 10, state 3, backend 20, from the top; 0: free;
/// see flow_entry.hpp), and behind it their keys, which the path of a known flow does not read. The two are neighbours,
/// so that a new flow costs one translation of addresses and not two.
struct FlowLine {
  u64 entries[kEntriesPerLine];
  FlowKey keys[kEntriesPerLine];
};
static_assert(sizeof(FlowLine) == 2 * kCacheLine);

/// The clients of IPv6 flows, at the same line and position as their entries. Of other entries it says nothing.
struct ClientLine {
  Address clients[kEntriesPerLine];
};
static_assert(sizeof(ClientLine) == 2 * kCacheLine);

/// Under full NAT, which connection has a port of a source address: the place of a record is its port. 8 to a line, in
/// the form of the flow table's; lines of IPv6 clients beside them, as there. See ports.hpp.
inline constexpr u32 kPortLines = 65536 / kEntriesPerLine;  ///< of each source address
inline constexpr u32 kFirstPort = 1024;                     ///< those below are never used (RFC 6056, section 3.2)
constexpr u32 port_lines(const Sizes& sizes) { return sizes.port_sources * kPortLines; }

/// Datagrams that come in fragments: an entry names the backend of one, in the form of a flow's (tag, age of its first
/// fragment in half seconds, backend). Found by a hash of the datagram's ends and identification.
inline constexpr u32 kFragmentLines = 4096;               ///< a power of two
inline constexpr u32 kNobody = (1U << kBackendBits) - 1;  ///< the backend of a datagram that is not for a service

struct FragmentLine {
  u64 entries[kEntriesPerLine];
};
static_assert(sizeof(FragmentLine) == kCacheLine);

/// Counters of a backend number (slots below Sizes::backends) or of a service id (behind them: what its removed
/// backends have counted). One row of all slots per CPU; the row behind the last CPU's belongs to the control plane.
struct Counter {
  u64 packets;
  u64 bytes;        ///< of IP datagrams from clients, and of replies under nat
  u64 connections;  ///< placed on the backend
  u64 refused;      ///< of them, those that the backend reset in answer to the SYN (nat)
};
static_assert(sizeof(Counter) == 32);

inline constexpr u32 kMaxReasons = 64;  ///< a power of two

/// What was dropped of a service's packets, by `drop_place` of its reason. One row of all services by id for each CPU,
/// and in each row a place more, for what services counted whose id another one has by now; the row behind the last
/// CPU's belongs to the control plane. A packet for no service is in the CPU's own count alone.
inline constexpr u32 kMaxDropReasons = 24;

struct ServiceDrops {
  u64 counts[kMaxDropReasons];
};
static_assert(sizeof(ServiceDrops) == 3 * kCacheLine && kDropReasons <= kMaxDropReasons);

/// What a CPU may do so often only (limit.hpp). Its clock goes on 64 times a second, about.
enum class LimitKind : u8 { new_flows, icmp, neighbours, drop_events, held_fragments, resets };
inline constexpr u32 kLimits = 8;
inline constexpr u32 kUnitsPerSecond = 64;

struct Limit {
  u32 unit;   ///< of the clock, when the last was counted
  u32 count;  ///< in that unit
};

/// Counters of one CPU that belong to no backend.
struct CpuRow {
  u64 reasons[kMaxReasons];  ///< by Reason; those below kFirstCounted stay 0, since the backends' counters have them
  u64 events[32];            ///< by FlowEvent
  Limit limits[kLimits];     ///< by LimitKind
  u64 scratch[8];            ///< for the time of one stage: what the kernel's stack has no room for
  u64 client[8];             ///< likewise, while `scratch` has an opening: who a client is to affinity
  u64 tags[4];               ///< likewise of one packet: how its frame began (vlan.hpp)
  u64 connection[8];         ///< likewise, under full NAT: the connection (ports.hpp)
  u64 ends[8];               ///< and both ends that the packet gets (full_nat.hpp)
  u64 steered;               ///< and the number of the backend that it was steered to, before its port is known
};
static_assert(static_cast<u32>(Reason::count) <= kMaxReasons && static_cast<u32>(FlowEvent::count) <= 32);

/// The next turn of a round-robin service, by id; a cache line each, since every CPU that places a flow writes it.
struct Cursor {
  u64 turn;
  u64 reserved[7];
};
static_assert(sizeof(Cursor) == kCacheLine);

}  // namespace astil::core
