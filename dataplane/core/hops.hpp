// Next hops that the routing table named a moment ago, for replies under nat: asking it takes longer than all the rest
// of a reply's path. For engines to keep. Each CPU has its own, at one place for each pair of ends, so nothing is
// locked; another pair with the same place takes it over. A hop is used for a quarter of a second at most, then the
// routing table is asked again.
#pragma once

#include "dataplane/core/engine.hpp"

namespace astil::core {

/// Of each CPU; see `hops_for`.
inline constexpr u32 kHopBits = 16;
inline constexpr u32 kLeastHops = 4096;
inline constexpr u32 kMostHops = 1U << kHopBits;
/// Units of the fine clock.
inline constexpr u32 kHopUnits = kUnitsPerSecond / 4;

/// The way of what a backend sends to a client. The address that the client sees, by which a route may go, is the
/// backend's service's.
struct Hop {
  Address to;
  u64 destination_mac;  ///< as in NextHop
  u64 source_mac;
  u32 backend;    ///< its number
  u32 interface;  ///< ifindex
  u32 ingress;    ///< ifindex the reply came in by
  u32 mtu;        ///< of the route; 0: there is no hop here
  u32 unit;       ///< of the fine clock, in which the routing table was asked
  u32 reserved[3];
};
static_assert(sizeof(Hop) == kCacheLine);

/// How many hops each of so many CPUs keeps beside a table of so many flows: all of them together a sixteenth of that;
/// a power of two.
constexpr u32 hops_for(u32 flow_slots, u32 cpus) {
  const u32 wanted = flow_slots / 16 / (cpus == 0 ? 1 : cpus);
  return std::bit_floor(wanted < kLeastHops ? kLeastHops : wanted > kMostHops ? kMostHops : wanted);
}

/// The place of a pair of ends, of kMostHops: a client, and where its backend has the connection. Where fewer are kept,
/// its highest bits say which. Not keyed: who makes two pairs meet makes their replies as slow as without this table.
ASTIL_INLINE u32 hop_place(const Address& to, const Address& from, Be16 port) {
  const u64 mixed = (half(to, 0) * 31U + half(to, 1)) ^ half(from, 1) ^ raw(port);
  return static_cast<u32>((mixed * 0x9e3779b97f4a7c15ULL) >> (64U - kHopBits));
}

namespace detail {

/// May such a datagram take the hop, which was learnt a moment ago? Whose it is, is to be looked at besides.
template <class Engine>
ASTIL_INLINE bool is_kept(Engine& engine, const Hop& hop, const Address& to, u32 length) {
  return engine.fine_tick() - hop.unit < kHopUnits && length <= hop.mtu && hop.ingress == engine.ingress() &&
         hop.to == to;
}

ASTIL_INLINE NextHop next_hop_of(const Hop& hop) {
  return {.status = NextHop::Status::found,
          .interface = hop.interface,
          .destination_mac = hop.destination_mac,
          .source_mac = hop.source_mac};
}

/// The way of a datagram of `length` bytes to a backend's client: as it is kept; else as the routing table has it, and
/// kept from then on.
template <class Engine>
ASTIL_INLINE NextHop way_to(Engine& engine, const Address& to, const Backend& backend, u32 number, u32 length) {
  Hop* hop = engine.hop(hop_place(to, backend.address, backend.port));
  if (hop != nullptr && hop->backend == number && is_kept(engine, *hop, to, length)) return next_hop_of(*hop);
  const NextHop found = engine.route(to, backend.service_address, length);
  if (hop == nullptr || found.status != NextHop::Status::found) return found;
  *hop = {.to = to,
          .destination_mac = found.destination_mac,
          .source_mac = found.source_mac,
          .backend = number,
          .interface = found.interface,
          .ingress = engine.ingress(),
          .mtu = found.mtu,
          .unit = engine.fine_tick()};
  return found;
}

}  // namespace detail
}  // namespace astil::core
