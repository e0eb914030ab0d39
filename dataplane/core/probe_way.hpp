// How a health probe takes the forwarding path: what the programs of bpf/probe.bpf.cpp and the daemon both know of it.
// A probe leaves a network namespace of the daemon's own by a pair of veth devices. Its source port says by which of
// these records the frame goes on, wrapped or with another MAC address, to the one backend that it is for; and what
// comes back to that port from the service's address goes back into the namespace.
#pragma once

#include "dataplane/core/address.hpp"

namespace astil::core {

/// The source ports of probes: the dynamic ones (RFC 6335, section 6). A record's place is its port less the first.
inline constexpr u32 kFirstProbePort = 49152;
inline constexpr u32 kProbePorts = 16384;

/// What stands in front of a probe's packet.
enum class ProbeWrap : u8 { none, ipip, gue };

/// One probe's way. Written by the daemon while no probe uses the port; `interface` is written last, and 0 says that
/// there is none.
struct ProbeWay {
  u32 interface;        ///< by which the frame leaves
  u32 back;             ///< the host's end of the pair, by which a reply goes into the namespace
  u64 destination_mac;  ///< the next hop's; the low 6 bytes as they stand in a packet
  u64 source_mac;       ///< that interface's
  Address service;      ///< what the probe is sent to
  Address local;        ///< what it is sent from: an address of the host's own
  Address outer_source;
  Address outer_destination;  ///< the backend; of the outer header's version
  Be16 service_port;
  Be16 gue_port;
  u8 protocol;  ///< IPPROTO_TCP or IPPROTO_UDP
  ProbeWrap wrap;
  u8 reserved[2];
};
static_assert(sizeof(ProbeWay) == 96);
static_assert(offsetof(ProbeWay, service) == 24);
static_assert(offsetof(ProbeWay, service_port) == 88);

/// The MAC address of the namespace's end: a local one (IEEE 802, section 8.4), as it stands in a packet.
inline constexpr u64 kProbeMac = 0x01'45'42'4f'52'02;  // 02:52:4f:42:45:01

}  // namespace astil::core
