// What the packet path tells the control plane besides counters: records in a ring buffer.
#pragma once

#include "dataplane/core/layout.hpp"

namespace astil::core {

/// A reply could not be sent for want of the client's next hop's MAC address: please resolve.
struct NeighbourWanted {
  Address address;  ///< the gateway's, or the client's where it is on the link
  u32 interface;    ///< ifindex the routing table names
};
static_assert(sizeof(NeighbourWanted) == 20);
/// Each CPU's.
inline constexpr u32 kNeighboursWantedPerSecond = 1024;

/// A fragment that came before the first one of its datagram: please hold it, and send it through the path again.
/// Of a frame. What the kernel takes back in one piece (a live frame of a test run) is a page, less its own room.
inline constexpr u32 kMaxHeldBytes = 3328;
struct HeldFragment {
  u32 interface;  ///< ifindex it came in by
  u32 length;     ///< of the frame, bytes
  u8 frame[kMaxHeldBytes];
};

/// A packet was dropped: for whoever follows drops.
struct DropEvent {
  u64 time;        ///< nanoseconds of the monotonic clock
  Address source;  ///< these, as the frame had them when it was dropped; 0: it could not be read so far
  Address destination;
  u32 interface;     ///< ifindex it came in by
  u32 service;       ///< id; kNoService: it was for none, or for an address with several
  u32 length;        ///< of the datagram, bytes
  Be16 source_port;  ///< these are 0 where a packet has none: ICMP, a later fragment
  Be16 destination_port;
  u8 protocol;  ///< IANA number
  u8 reason;    ///< Reason
  u8 reserved[6];
};
static_assert(sizeof(DropEvent) == kCacheLine);
/// Each CPU's.
inline constexpr u32 kDropEventsPerSecond = 1024;

}  // namespace astil::core
