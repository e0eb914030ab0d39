// Stage 1: is the packet for this station and of a kind that services have, and what is its connection?
#pragma once

#include "dataplane/core/engine.hpp"
#include "dataplane/core/headers.hpp"

namespace astil::core {

inline constexpr u32 kNetworkOffset = sizeof(EthernetHeader);

/// What the later stages need to know of a packet. Offsets are from the first byte of the frame.
struct Packet {
  Be32 source;
  Be32 destination;
  Be16 source_port;
  Be16 destination_port;
  u32 transport;  ///< offset of the TCP header, whose first 20 bytes can be read
  u16 length;     ///< of the datagram, bytes
  u8 protocol;
  u8 tcp_flags;
  u8 is_fragment;  ///< the first of several
};

/// A header at an offset, or nullptr where the packet is too short.
template <class Header, class Engine>
ASTIL_INLINE Header* header_at(Engine& engine, u32 offset) {
  auto* start = engine.begin() + offset;
  if (start + sizeof(Header) > engine.end()) return nullptr;
  return reinterpret_cast<Header*>(start);
}

/// Frames for other stations reach us where a bridge floods; an interface that is not in the tables has not been set up
/// yet.
template <class Engine>
ASTIL_INLINE bool is_for_this_station(Engine& engine, const EthernetWords& ethernet) {
  const u32 ifindex = engine.ingress();
  const Settings* settings = engine.settings();
  const Interface& interface = settings->interfaces[(ifindex * settings->interface_multiplier) >> 26U];
  return interface.ifindex == ifindex && ethernet.words[0] == static_cast<u32>(interface.mac) &&
         (ethernet.words[1] & 0xffffU) == static_cast<u32>(interface.mac >> 32U);
}

/// Fills `packet`; Reason::count means: go on. Whatever is malformed is the kernel's to judge.
template <class Engine>
ASTIL_INLINE Reason parse(Engine& engine, Packet& packet) {
  auto* frame = engine.begin();
  if (frame + kNetworkOffset + sizeof(Ipv4Header) > engine.end()) return Reason::not_ipv4;
  const auto* ethernet = reinterpret_cast<const EthernetWords*>(frame);
  const auto* ip = reinterpret_cast<const Ipv4Header*>(frame + kNetworkOffset);
  if (ethernet->type != kEtherTypeIpv4) return Reason::not_ipv4;
  if (!is_for_this_station(engine, *ethernet)) return Reason::other_mac;

  const u8 version_length = ip->version_length;
  const u32 header_length = (version_length & 0x0fU) * 4U;
  const u16 total = host(ip->total_length);
  if ((version_length >> 4U) != 4 || header_length < sizeof(Ipv4Header)) return Reason::not_ipv4;
  if (ip->protocol != kProtocolTcp) return Reason::not_tcp;
  if (total < header_length + sizeof(TcpHeader)) return Reason::not_tcp;
  if ((raw(ip->fragment) & raw(kFragmentOffset)) != 0) return Reason::not_tcp;  // a later fragment has no ports

  packet.transport = kNetworkOffset + header_length;
  const auto* tcp = header_at<TcpHeader>(engine, packet.transport);
  if (tcp == nullptr) return Reason::not_tcp;
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

}  // namespace astil::core
