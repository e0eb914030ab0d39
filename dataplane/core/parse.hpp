// Stage 1: is the packet of a kind that services have, what is its connection, and is it for this station?
#pragma once

#include "dataplane/core/engine.hpp"
#include "dataplane/core/headers.hpp"

namespace astil::core {

inline constexpr u32 kNetworkOffset = sizeof(EthernetHeader);

/// What the later stages need to know of a packet.
struct Packet {
  const EthernetStart* ethernet;  ///< these three: until `open_gap`
  Ipv4Header* ip;
  TcpHeader* tcp;
  Be32 source;
  Be32 destination;
  Be16 source_port;
  Be16 destination_port;
  u16 length;  ///< of the datagram, bytes
  u8 protocol;
  u8 tcp_flags;
  u8 is_fragment;  ///< the first of several
};

/// A header at an offset, or nullptr where the packet does not have so many bytes there.
template <class Header, u32 kBytes = sizeof(Header), class Engine>
ASTIL_INLINE Header* header_at(Engine& engine, u32 offset) {
  auto* start = engine.begin() + offset;
  if (start + kBytes > engine.end()) return nullptr;
  return reinterpret_cast<Header*>(start);
}

/// Fills `packet`; Reason::count means: go on. Whatever is malformed is the kernel's to judge.
template <class Engine>
ASTIL_INLINE Reason parse(Engine& engine, Packet& packet) {
  auto* frame = engine.begin();
  if (frame + kNetworkOffset + sizeof(Ipv4Header) > engine.end()) return Reason::not_ipv4;
  const auto* ethernet = reinterpret_cast<const EthernetStart*>(frame);
  auto* ip = reinterpret_cast<Ipv4Header*>(frame + kNetworkOffset);
  const u32 kind = ethernet->kind;
  if ((kind & kKindMask) != kKindIpv4) return Reason::not_ipv4;

  const u32 header_length = (kind >> 14U) & 0x3cU;
  const u16 total = host(ip->total_length);
  if (header_length < sizeof(Ipv4Header)) return Reason::not_ipv4;
  if (ip->protocol != kProtocolTcp) return Reason::not_tcp;
  if (total < header_length + sizeof(TcpHeader)) return Reason::not_tcp;
  if ((raw(ip->fragment) & raw(kFragmentOffset)) != 0) return Reason::not_tcp;  // a later fragment has no ports

  auto* tcp = header_at<TcpHeader>(engine, kNetworkOffset + header_length);
  if (tcp == nullptr) return Reason::not_tcp;
  packet.ethernet = ethernet;
  packet.ip = ip;
  packet.tcp = tcp;
  packet.source = ip->source;
  packet.destination = ip->destination;
  packet.source_port = tcp->source;
  packet.destination_port = tcp->destination;
  packet.length = total;
  packet.protocol = kProtocolTcp;
  packet.tcp_flags = tcp->flags;
  packet.is_fragment = (raw(ip->fragment) & raw(kMoreFragments)) != 0 ? 1 : 0;
  engine.saw_packet(packet);
  return Reason::count;
}

/// Is the frame for us? Frames for other stations reach us where a bridge floods; an interface that is not in the
/// tables has not been set up yet. After `parse`.
template <class Engine>
ASTIL_INLINE bool is_for_this_station(Engine& engine, const Packet& packet) {
  const u32 ifindex = engine.ingress();
  const Settings* settings = engine.settings();
  const Interface& interface = settings->interfaces[interface_slot(ifindex, settings->interface_multiplier)];
  return interface.ifindex == ifindex && (packet.ethernet->destination ^ interface.mac) << 16U == 0;
}

}  // namespace astil::core
