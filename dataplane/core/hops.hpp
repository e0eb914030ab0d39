// Next hops that the routing table named a moment ago, for replies under nat: asking it takes longer than all the rest
// of a reply's path. For engines to keep. Each CPU has its own, at one place for each pair of ends, so nothing is
// locked; another pair with the same place takes it over. A hop is used for a quarter of a second at most, then the
// routing table is asked again.
#pragma once

#include "dataplane/core/engine.hpp"

namespace astil::core {

/// Of each CPU.
inline constexpr u32 kHopBits = 12;
inline constexpr u32 kHops = 1U << kHopBits;
/// Units of the fine clock.
inline constexpr u32 kHopUnits = kUnitsPerSecond / 4;

struct Hop {
  Address to;
  Address from;
  u64 destination_mac;  ///< as in NextHop
  u64 source_mac;
  u32 interface;
  u32 ingress;  ///< ifindex the reply came in by
  u32 mtu;      ///< of the route; 0: there is no hop here
  u32 unit;     ///< of the fine clock, in which the routing table was asked
};
static_assert(sizeof(Hop) == kCacheLine);

/// The place of a pair of ends. Not keyed: who makes two pairs meet makes their replies as slow as without this table.
ASTIL_INLINE u32 hop_place(const Address& to, const Address& from) {
  const u64 mixed = (half(to, 0) * 31U + half(to, 1)) ^ half(from, 1);
  return static_cast<u32>((mixed * 0x9e3779b97f4a7c15ULL) >> (64U - kHopBits));
}

/// Is this the way of such a datagram, learnt not long before `unit`?
ASTIL_INLINE bool is_way(const Hop& hop, const Address& to, const Address& from, u32 ingress, u32 length, u32 unit) {
  return unit - hop.unit < kHopUnits && length <= hop.mtu && hop.ingress == ingress && hop.to == to && hop.from == from;
}

ASTIL_INLINE NextHop next_hop_of(const Hop& hop) {
  return {.status = NextHop::Status::found,
          .interface = hop.interface,
          .destination_mac = hop.destination_mac,
          .source_mac = hop.source_mac};
}

}  // namespace astil::core
