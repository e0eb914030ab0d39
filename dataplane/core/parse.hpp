// Stage 1: is the packet of a kind that services have, what is its connection, and is it for this station?
#pragma once

#include "dataplane/core/engine.hpp"
#include "dataplane/core/extensions.hpp"

namespace astil::core {

inline constexpr u32 kNetworkOffset = sizeof(EthernetHeader);

/// What differs between the versions of IP.
struct Ipv4 {
  using Header = Ipv4Header;
  static constexpr Be16 kEtherType = kEtherTypeIpv4;
  static constexpr u8 kInIp = kProtocolIpip;
  static constexpr u8 kIcmp = kProtocolIcmp;
  static constexpr u8 kEchoRequest = 8;
  static constexpr u8 kEchoReply = 0;
  static constexpr bool kIsWide = false;  ///< its addresses do not fit into registers
};
struct Ipv6 {
  using Header = Ipv6Header;
  static constexpr Be16 kEtherType = kEtherTypeIpv6;
  static constexpr u8 kInIp = kProtocolIpv6;
  static constexpr u8 kIcmp = kProtocolIcmpv6;
  static constexpr u8 kEchoRequest = 128;
  static constexpr u8 kEchoReply = 129;
  static constexpr bool kIsWide = true;
};

/// What the later stages need to know of a packet. Pointers are good until the engine moves it.
template <class Ip>
struct Packet {
  using Version = Ip;

  EthernetStart* ethernet;
  typename Ip::Header* ip;
  Ports* ports;         ///< nullptr: these two are of no use, since it is a later fragment, or ICMP
  u32 length;           ///< of the datagram, bytes
  u32 transport_bytes;  ///< of it, from the transport header on
  u8 protocol;          ///< of the transport
  u8 tcp_flags;         ///< of UDP: none
  Fragment extension;   ///< of IPv6, by its extension header
};

/// Addresses are read where they lie, and not kept: there are not registers enough.
ASTIL_INLINE Address source_of(const Packet<Ipv4>& packet) { return mapped(packet.ip->source); }
ASTIL_INLINE Address source_of(const Packet<Ipv6>& packet) { return packet.ip->source; }
ASTIL_INLINE Address destination_of(const Packet<Ipv4>& packet) { return mapped(packet.ip->destination); }
ASTIL_INLINE Address destination_of(const Packet<Ipv6>& packet) { return packet.ip->destination; }

/// The same packet, of whose headers the compiler knows nothing: what is read of it is read anew, and is not kept from
/// before in registers that there are not.
template <class Ip>
ASTIL_INLINE Packet<Ip> read_again(const Packet<Ip>& packet) {
  Packet<Ip> again = packet;
  again.ip = as_one_pointer(again.ip);
  again.ports = as_one_pointer(again.ports);
  return again;
}

/// Likewise.
ASTIL_INLINE bool is_later_fragment(const Packet<Ipv4>& packet) {
  return (raw(packet.ip->fragment) & raw(kFragmentOffset)) != 0;
}
ASTIL_INLINE bool is_later_fragment(const Packet<Ipv6>& packet) { return packet.extension == Fragment::later; }
/// Of one that is not a later one.
ASTIL_INLINE bool is_first_fragment(const Packet<Ipv4>& packet) {
  return (raw(packet.ip->fragment) & raw(kMoreFragments)) != 0;
}
ASTIL_INLINE bool is_first_fragment(const Packet<Ipv6>& packet) { return packet.extension == Fragment::first; }

/// Of TCP or UDP.
template <class Ip>
ASTIL_INLINE ChecksumField* checksum_of(const Packet<Ip>& packet) {
  auto* header = reinterpret_cast<u8*>(packet.ports);
  const bool tcp = as_any_number(packet.protocol) == kProtocolTcp;  // or it would be kept until then
  header = as_one_pointer(header + (tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum)));
  return reinterpret_cast<ChecksumField*>(header);
}

/// The CPU's scratch, for a record that the kernel's stack has no room for; nullptr: there is none.
template <class Record, class Engine>
ASTIL_INLINE Record* scratch_for(Engine& engine) {
  CpuRow* row = engine.cpu_row();
  static_assert(sizeof(Record) <= sizeof(row->scratch));
  return row == nullptr ? nullptr : reinterpret_cast<Record*>(row->scratch);
}

/// Finds the first two headers; false: the frame is too short for them.
template <class Ip, class Engine>
ASTIL_INLINE bool find_frame(Engine& engine, Packet<Ip>& packet) {
  u8* start = engine.begin();
  if (start + kNetworkOffset + sizeof(typename Ip::Header) > engine.end()) return false;
  packet.ethernet = reinterpret_cast<EthernetStart*>(start);
  packet.ip = reinterpret_cast<typename Ip::Header*>(start + kNetworkOffset);
  return true;
}

/// Does the packet open a connection? A datagram of a flow that is not known does.
constexpr bool opens_connection(u8 protocol, u8 tcp_flags) {
  return protocol == kProtocolUdp || (tcp_flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
}

namespace detail {

/// Where the transport header stands, and of what it is.
struct Transport {
  u32 offset;  ///< in the frame, bytes
  u32 bytes;   ///< from there to the end of the datagram
  u8 protocol;
  u32 identification;  ///< of a fragment's datagram, raw
};

/// The transport header; false: it is cut short.
template <class Header, class Engine>
ASTIL_INLINE bool take_transport(Engine& engine, auto& packet, const Transport& at) {
  u8* header = as_one_pointer(engine.begin() + at.offset);
  if (header + sizeof(Header) > engine.end() || at.bytes < sizeof(Header)) return false;
  packet.ports = reinterpret_cast<Ports*>(header);
  return true;
}

/// False: it is neither TCP nor UDP, or cut short.
template <class Engine>
ASTIL_INLINE bool parse_transport(Engine& engine, auto& packet, const Transport& at) {
  packet.tcp_flags = 0;
  packet.protocol = at.protocol;
  packet.transport_bytes = at.bytes;
  if (at.protocol == kProtocolTcp) {
    if (!take_transport<TcpHeader>(engine, packet, at)) return false;
    packet.tcp_flags = reinterpret_cast<const TcpHeader*>(packet.ports)->flags;
    return true;
  }
  return at.protocol == kProtocolUdp && take_transport<UdpHeader>(engine, packet, at);
}

/// RFC 791, section 3.1. False: it is none.
template <class Engine>
ASTIL_INLINE bool parse_network(Engine& engine, Packet<Ipv4>& packet, Transport& transport) {
  if (!find_frame(engine, packet)) return false;
  const Ipv4Header* ip = packet.ip;
  const u32 header_length = (ip->version_length & 0x0fU) * 4U;
  const u32 total = host(ip->total_length);
  if (header_length < sizeof(Ipv4Header) || total < header_length) return false;
  transport = {.offset = kNetworkOffset + header_length,
               .bytes = total - header_length,
               .protocol = ip->protocol,
               .identification = raw(ip->identification)};
  packet.length = total;
  return true;
}

/// RFC 8200, section 3. A payload length of 0 (a jumbogram, RFC 2675) has no transport header behind it.
template <class Engine>
ASTIL_INLINE bool parse_network(Engine& engine, Packet<Ipv6>& packet, Transport& transport) {
  if (!find_frame(engine, packet)) return false;
  const Ipv6Header* ip = packet.ip;
  const u32 payload = host(ip->payload_length);
  packet.length = payload + sizeof(Ipv6Header);
  packet.extension = Fragment::none;
  transport = {.offset = kNetworkOffset + static_cast<u32>(sizeof(Ipv6Header)),
               .bytes = payload,
               .protocol = ip->next_header,
               .identification = 0};
  if (!is_extension(transport.protocol)) return true;
  const Extensions skipped = engine.skip_extensions(transport.offset, transport.protocol);
  const u32 bytes = skipped.bytes();
  if (bytes > payload) return false;
  packet.extension = skipped.fragment();
  transport = {.offset = transport.offset + bytes,
               .bytes = payload - bytes,
               .protocol = skipped.protocol(),
               .identification = skipped.identification()};
  return true;
}

}  // namespace detail

/// Has an IPv6 packet an address that stands for IPv4 in the tables? None should (RFC 4291, section 2.5.5.2; RFC 6890),
/// and the tables would take it for what it says. Known flows have none.
template <class Ip>
ASTIL_INLINE bool has_mapped_end(const Packet<Ip>& packet) {
  return Ip::kIsWide && (is_ipv4(destination_of(packet)) || is_ipv4(source_of(packet)));
}

/// What `parse` says of a packet.
enum class Parsed : u8 {
  not_ip,
  with_ports,  ///< TCP or UDP, first fragments included: for the stages that follow
  unusual,     ///< IP, and anything else: see unusual.hpp
};

/// Fills `packet`.
template <class Ip, class Engine>
ASTIL_INLINE Parsed parse(Engine& engine, Packet<Ip>& packet) {
  detail::Transport transport{};
  if (!detail::parse_network(engine, packet, transport)) return Parsed::not_ip;
  if (is_later_fragment(packet)) return Parsed::unusual;
  if (!detail::parse_transport(engine, packet, transport)) return Parsed::unusual;
  return Parsed::with_ports;
}

namespace detail {

/// The least frame that the quick way takes: both headers without options or extension headers, and one of TCP.
template <class Ip>
inline constexpr u32 kPlainBytes = kNetworkOffset + sizeof(typename Ip::Header) + sizeof(TcpHeader);

ASTIL_INLINE bool is_plain_kind(const Ipv4& /*version*/, u32 kind) { return (kind & kPlainKindMask) == kPlainKindIpv4; }
ASTIL_INLINE bool is_plain_kind(const Ipv6& /*version*/, u32 kind) { return (kind & kKindMask) == kKindIpv6; }

ASTIL_INLINE bool is_whole(const Ipv4Header& ip) {
  return (raw(ip.fragment) & (raw(kMoreFragments) | raw(kFragmentOffset))) == 0;
}
ASTIL_INLINE bool is_whole(const Ipv6Header& /*ip*/) { return true; }
ASTIL_INLINE u8 protocol_of(const Ipv4Header& ip) { return ip.protocol; }
ASTIL_INLINE u8 protocol_of(const Ipv6Header& ip) { return ip.next_header; }
ASTIL_INLINE u32 datagram_bytes(const Ipv4Header& ip) { return host(ip.total_length); }
ASTIL_INLINE u32 datagram_bytes(const Ipv6Header& ip) { return u32{host(ip.payload_length)} + sizeof(Ipv6Header); }

}  // namespace detail

/// For the quick way: may a frame from `start` to `end` be what nearly all are, a plain packet: of UDP, or of TCP
/// without SYN, FIN or RST, behind an IP header without options or extension headers, whole, and no shorter than
/// headers of TCP are? Then all that the path reads of it stands at fixed places within it.
template <class Ip>
ASTIL_INLINE bool may_be_plain(const u8* start, const u8* end) {
  return start + detail::kPlainBytes<Ip> <= end &&
         detail::is_plain_kind(Ip{}, reinterpret_cast<const EthernetStart*>(start)->kind);
}

/// A plain packet whose frame begins at `start`, but for its length and the TCP flags that do not matter.
template <class Ip>
ASTIL_INLINE Packet<Ip> plain_packet(u8* start) {
  Packet<Ip> packet{};
  packet.ethernet = reinterpret_cast<EthernetStart*>(start);
  packet.ip = reinterpret_cast<typename Ip::Header*>(start + kNetworkOffset);
  packet.ports = reinterpret_cast<Ports*>(start + kNetworkOffset + sizeof(typename Ip::Header));
  packet.protocol = detail::protocol_of(*packet.ip);
  return packet;
}

/// The same one: see `read_again`.
template <class Ip>
ASTIL_INLINE Packet<Ip> read_plain_again(const Packet<Ip>& packet) {
  Packet<Ip> again = plain_packet<Ip>(as_one_pointer(reinterpret_cast<u8*>(packet.ethernet)));
  again.length = packet.length;
  again.transport_bytes = packet.transport_bytes;
  return again;
}

/// Of a packet whose headers are as those of a plain one, whatever its TCP flags.
template <class Ip>
ASTIL_INLINE u8 tcp_flags_in_place(const u8* start) {
  return start[kNetworkOffset + sizeof(typename Ip::Header) + offsetof(TcpHeader, flags)];
}

/// Fills `packet` from a frame that may be plain; false: it is not, or `takes` refuses its TCP flags.
template <class Ip>
ASTIL_INLINE bool parse_in_place(u8* start, Packet<Ip>& packet, const auto& takes) {
  const Packet<Ip> seen = plain_packet<Ip>(start);
  const u32 length = detail::datagram_bytes(*seen.ip);
  if (!detail::is_whole(*seen.ip) || length < detail::kPlainBytes<Ip> - kNetworkOffset) return false;
  if (seen.protocol != kProtocolTcp && seen.protocol != kProtocolUdp) return false;
  if (seen.protocol == kProtocolTcp && !takes(tcp_flags_in_place<Ip>(start))) return false;
  packet = read_plain_again(seen);
  packet.length = length;
  packet.transport_bytes = length - static_cast<u32>(sizeof(typename Ip::Header));
  return true;
}

/// A plain packet, from a frame that may be one; false: it is none.
template <class Ip>
ASTIL_INLINE bool parse_plain(u8* start, Packet<Ip>& packet) {
  return parse_in_place(start, packet, [](u8 tcp_flags) { return (tcp_flags & kTcpChanging) == 0; });
}

/// Likewise, from the engine's frame.
template <class Ip, class Engine>
ASTIL_INLINE bool take_plain(Engine& engine, Packet<Ip>& packet) {
  u8* start = engine.begin();
  return may_be_plain<Ip>(start, engine.end()) && parse_plain(start, packet);
}

/// Likewise, a packet that opens a connection, and is as plain but for its SYN.
template <class Ip, class Engine>
ASTIL_INLINE bool take_opening(Engine& engine, Packet<Ip>& packet) {
  u8* start = engine.begin();
  return may_be_plain<Ip>(start, engine.end()) &&
         parse_in_place(start, packet, [](u8 tcp_flags) { return opens_connection(kProtocolTcp, tcp_flags); });
}

/// Of a TCP segment; 0: it is none.
template <class Engine>
ASTIL_INLINE u32 tcp_header_bytes(Engine& engine, const auto& packet) {
  const u8* header = reinterpret_cast<const u8*>(packet.ports);
  // `parse` has seen to the bounds; the kernel's verifier has forgotten it.
  if (packet.protocol != kProtocolTcp || header + sizeof(TcpHeader) > engine.end()) return 0;
  return (reinterpret_cast<const TcpHeader*>(header)->offset >> 4U) * 4U;
}

/// Does a TCP segment carry more than its header?
template <class Engine>
ASTIL_INLINE bool has_data(Engine& engine, const auto& packet) {
  const u32 header_bytes = tcp_header_bytes(engine, packet);
  return header_bytes != 0 && packet.transport_bytes > header_bytes;
}

/// Bytes of the longest datagram that goes over the wire for a packet: its own length, or where it stands for several
/// segments, that of one.
template <class Engine>
ASTIL_INLINE u32 longest_datagram(Engine& engine, const auto& packet) {
  const u32 segment = engine.segment_bytes();
  if (segment == 0 || packet.ports == nullptr) return packet.length;
  const u32 tcp = tcp_header_bytes(engine, packet);
  const u32 header_bytes = tcp != 0 ? tcp : static_cast<u32>(sizeof(UdpHeader));
  return packet.length - packet.transport_bytes + header_bytes + segment;
}

namespace detail {

/// `number`: an ifindex, or of a virtual router.
template <class Engine>
ASTIL_INLINE bool has_station(Engine& engine, u32 number, u64 mac) {
  const Settings* settings = engine.settings();
  const Interface& interface = settings->interfaces[interface_slot(number, settings->interface_multiplier)];
  return interface.ifindex == number && (mac ^ interface.mac) << 16U == 0;
}

}  // namespace detail

/// Is the frame for us, by the interface's MAC address or that of a virtual router (RFC 9568 section 7.3)? Frames for
/// other stations reach us where a bridge floods; an interface that is not in the
/// tables has not been set up yet. After `parse`.
template <class Engine>
ASTIL_INLINE bool is_for_this_station(Engine& engine, const auto& packet) {
  const u32 ingress = engine.ingress();
  const u64 destination = packet.ethernet->destination;
  if (detail::has_station(engine, ingress, destination)) return true;
  return resembles_virtual_router(destination) &&
         detail::has_station(engine, virtual_router_number(ingress, destination), destination);
}

}  // namespace astil::core
