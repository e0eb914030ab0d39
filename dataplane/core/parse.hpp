// Stage 1: is the packet of a kind that services have, what is its connection, and is it for this station?
#pragma once

#include "dataplane/core/engine.hpp"
#include "dataplane/core/headers.hpp"

namespace astil::core {

inline constexpr u32 kNetworkOffset = sizeof(EthernetHeader);

/// What the later stages need to know of a packet.
struct Packet {
  const EthernetStart* ethernet;  ///< these four: until `open_gap`
  Ipv4Header* ip;
  Ports* ports;
  ChecksumField* checksum;  ///< of TCP or UDP
  Be32 source;
  Be32 destination;
  Be16 source_port;
  Be16 destination_port;
  u16 length;           ///< of the datagram, bytes
  u16 transport_bytes;  ///< of it, from the transport header on
  u8 protocol;
  u8 tcp_flags;    ///< of UDP: none
  u8 is_fragment;  ///< the first of several
};

/// A header at an offset, or nullptr where the packet does not have so many bytes there.
template <class Header, u32 kBytes = sizeof(Header), class Engine>
ASTIL_INLINE Header* header_at(Engine& engine, u32 offset) {
  auto* start = engine.begin() + offset;
  if (start + kBytes > engine.end()) return nullptr;
  return reinterpret_cast<Header*>(start);
}

namespace detail {

/// The transport header; false: it is cut short.
template <class Header, class Engine>
ASTIL_INLINE bool take_transport(Engine& engine, Packet& packet, u32 offset, u32 bytes) {
  auto* header = header_at<u8, sizeof(Header)>(engine, offset);
  if (header == nullptr || bytes < sizeof(Header)) return false;
  packet.ports = reinterpret_cast<Ports*>(header);
  packet.checksum = reinterpret_cast<ChecksumField*>(header + offsetof(Header, checksum));
  return true;
}

template <class Engine>
ASTIL_INLINE bool parse_transport(Engine& engine, Packet& packet, u32 offset, u32 bytes) {
  packet.tcp_flags = 0;
  if (packet.protocol == kProtocolUdp) return take_transport<UdpHeader>(engine, packet, offset, bytes);
  if (!take_transport<TcpHeader>(engine, packet, offset, bytes)) return false;
  packet.tcp_flags = reinterpret_cast<const TcpHeader*>(packet.ports)->flags;
  return true;
}

}  // namespace detail

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
  if (header_length < sizeof(Ipv4Header) || total < header_length) return Reason::not_ipv4;
  packet.protocol = ip->protocol;
  if (packet.protocol != kProtocolTcp && packet.protocol != kProtocolUdp) return Reason::other_protocol;
  if ((raw(ip->fragment) & raw(kFragmentOffset)) != 0) return Reason::other_protocol;  // a later one has no ports
  if (!detail::parse_transport(engine, packet, kNetworkOffset + header_length, total - header_length))
    return Reason::other_protocol;
  packet.ethernet = ethernet;
  packet.ip = ip;
  packet.source = ip->source;
  packet.destination = ip->destination;
  packet.source_port = packet.ports->source;
  packet.destination_port = packet.ports->destination;
  packet.length = total;
  packet.transport_bytes = static_cast<u16>(total - header_length);
  packet.is_fragment = (raw(ip->fragment) & raw(kMoreFragments)) != 0 ? 1 : 0;
  engine.saw_packet(packet);
  return Reason::count;
}

/// Does a TCP segment carry more than its header?
ASTIL_INLINE bool has_data(const Packet& packet) {
  if (packet.protocol != kProtocolTcp) return false;
  const u32 header_bytes = (reinterpret_cast<const TcpHeader*>(packet.ports)->offset >> 4U) * 4U;
  return packet.transport_bytes > header_bytes;
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
