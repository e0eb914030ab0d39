// The headers that a tunnel puts in front of a packet: IP in IP (RFC 2003 and RFC 2473), or with UDP between (GUE,
// draft-ietf-intarea-gue-09, variant 1: the packet stands right behind the UDP header, and its version says what it
// is). Traffic class and congestion marks are the inner ones (RFC 6040, section 4.1, normal mode).
#pragma once

#include "dataplane/core/checksum.hpp"
#include "dataplane/core/steer.hpp"

namespace astil::core {

/// Hop limit of an outer header (RFC 1700's recommended default).
inline constexpr u8 kOuterTimeToLive = 64;

/// A packet that has been rewritten: its Ethernet header, without tags, for the next hop's addresses. nullptr: why it
/// could not be.
struct Rewritten {
  EthernetWords* ethernet = nullptr;
  Be16 type{};  ///< EtherType
  Reason reason = Reason::internal;
};

/// What stands between an outer header and the inner packet.
enum class Behind : u8 { ip, udp };

/// What the length fields of IP and UDP can say.
inline constexpr u32 kMaxLength = 65535;

/// What the checksum of an outer IPv4 header has in it whichever packet it carries; a sum of words in raw order.
/// `protocol`: what follows the header.
constexpr u32 constant_outer_sum(Be32 source, Be32 destination, u8 protocol) {
  const u64 sum =
      u64{raw(source)} + raw(destination) + raw(be16(static_cast<u16>((kOuterTimeToLive << 8U) | protocol)));
  return static_cast<u32>((sum & 0xffffffffU) + (sum >> 32U));
}

ASTIL_INLINE bool has_hops_left(const Ipv4Header& ip) { return ip.time_to_live > 1; }
ASTIL_INLINE bool has_hops_left(const Ipv6Header& ip) { return ip.hop_limit > 1; }

/// RFC 1812, section 5.3.1; the checksum as in RFC 1141: one less in the TTL, the upper byte of its word, is one more
/// there. Both are of one word of 32 bits: the TTL its lowest byte, the checksum its upper half.
ASTIL_INLINE void count_hop(Ipv4Header& ip) {
  auto& words = reinterpret_cast<Ipv4Words&>(ip);
  const u32 before = words.time_to_live;
  const u32 after = before - 1 + 0x10000;
  words.time_to_live = before >= 0xfffe0000 ? after + 0x10000 : after;  // the carry; and 0xffff would be another 0
}

ASTIL_INLINE void count_hop(Ipv6Header& ip) { ip.hop_limit = static_cast<u8>(ip.hop_limit - 1); }

namespace detail {

/// The frame's begin, after making room for headers of some bytes in front of the packet.
template <Be16 kType, u32 kHeaders = 0, Gap kGap = Gap::plain, class Engine>
ASTIL_INLINE Rewritten front(Engine& engine) {
  if (kHeaders != 0 && !engine.template open_gap<kGap>(kHeaders)) return {.reason = Reason::no_headroom};
  return {.ethernet = header_at<EthernetWords, kNetworkOffset + kHeaders>(engine, 0), .type = kType};
}

/// What an outer IPv4 header takes over from the inner packet, in the words of Ipv4Words.
struct TakenOver {
  u32 type_of_service;  ///< in `kind`
  u32 identification;   ///< and DF, in `identification`
};

ASTIL_INLINE TakenOver taken_over(const Ipv4Header& inner) {
  constexpr u32 kTypeOfService = 0x0000ff00;
  constexpr u32 kIdentificationAndDf = 0x0040ffff;
  const auto& words = reinterpret_cast<const Ipv4Words&>(inner);
  return {.type_of_service = words.kind & kTypeOfService,
          .identification = words.identification & kIdentificationAndDf};
}

/// IPv6 is never fragmented on its way (RFC 8200, section 5), so its outer header is not either.
ASTIL_INLINE TakenOver taken_over(const Ipv6Header& inner) {
  constexpr u32 kDf = 0x00400000;
  const u32 traffic_class = (host(inner.version_class_flow) >> 20U) & 0xffU;
  return {.type_of_service = traffic_class << 8U, .identification = kDf};
}

ASTIL_INLINE u32 traffic_class(const Ipv4Header& inner) { return inner.type_of_service; }
ASTIL_INLINE u32 traffic_class(const Ipv6Header& inner) { return (host(inner.version_class_flow) >> 20U) & 0xffU; }

/// The source port tells flows apart, so that the net spreads them (GUE, section 5.11). No checksum: the inner packet
/// has its own (over IPv6: RFC 6935 and RFC 6936).
ASTIL_INLINE void write_udp(void* at, const Backend& backend, u32 tag, u32 bytes) {
  constexpr u16 kFirstPort = 0xc000;  // 49152, the first dynamic one (RFC 6335)
  *static_cast<UdpHeader*>(at) = {.source = be16(static_cast<u16>(kFirstPort | tag)),
                                  .destination = backend.gue_port,
                                  .length = be16(static_cast<u16>(bytes + sizeof(UdpHeader))),
                                  .checksum = 0};
}

}  // namespace detail

/// RFC 2003, section 3.1: DF, type of service and identification are the inner ones.
template <Behind kBehind, class Ip, class Engine>
ASTIL_INLINE Rewritten wrap_in_ipv4(Engine& engine, const Packet<Ip>& packet, const Backend& backend, u32 tag) {
  constexpr u32 kUdpBytes = kBehind == Behind::udp ? sizeof(UdpHeader) : 0;
  constexpr u32 kHeaders = sizeof(Ipv4Header) + kUdpBytes;
  constexpr Gap kGap = kBehind == Behind::udp ? Gap::outer_ipv4_udp : Gap::outer_ipv4;
  constexpr u8 kProtocol = kBehind == Behind::udp ? kProtocolUdp : Ip::kInIp;
  constexpr u32 kTimeAndProtocol = raw(be16((kOuterTimeToLive << 8U) | kProtocol));
  if (longest_datagram(engine, packet) > kMaxLength - kHeaders) return {.reason = Reason::too_long};
  const detail::TakenOver inner = detail::taken_over(*packet.ip);
  const u32 total = raw(be16(static_cast<u16>(packet.length + kHeaders)));
  const u32 kind = 0x45U | inner.type_of_service | (total << 16U);
  const u32 varied = tag & raw(backend.source_mask);
  const u16 checksum = static_cast<u16>(~fold64(u64{backend.outer_sum} + kind + inner.identification + varied));
  const u32 length = packet.length;
  const Rewritten rewritten = detail::front<kEtherTypeIpv4, kHeaders, kGap>(engine);
  if (rewritten.ethernet == nullptr) return rewritten;
  u8* start = reinterpret_cast<u8*>(rewritten.ethernet) + kNetworkOffset;
  *reinterpret_cast<Ipv4Words*>(start) = {.kind = kind,
                                          .identification = inner.identification,
                                          .time_to_live = kTimeAndProtocol | (u32{checksum} << 16U),
                                          .source = Be32{raw(backend.source.words[3]) | varied},
                                          .destination = backend.address.words[3]};
  if (kBehind == Behind::udp) detail::write_udp(start + sizeof(Ipv4Header), backend, tag, length);
  return rewritten;
}

/// RFC 2473, section 6. The flow label tells flows apart (RFC 6438).
template <Behind kBehind, class Ip, class Engine>
ASTIL_INLINE Rewritten wrap_in_ipv6(Engine& engine, const Packet<Ip>& packet, const Backend& backend, u32 tag) {
  constexpr u32 kUdpBytes = kBehind == Behind::udp ? sizeof(UdpHeader) : 0;
  constexpr u8 kProtocol = kBehind == Behind::udp ? kProtocolUdp : Ip::kInIp;
  constexpr Gap kGap = kBehind == Behind::udp ? Gap::outer_ipv6_udp : Gap::outer_ipv6;
  if (longest_datagram(engine, packet) > kMaxLength - kUdpBytes) return {.reason = Reason::too_long};
  const u32 first_word = (6U << 28U) | (detail::traffic_class(*packet.ip) << 20U) | (tag & 0xfffffU);
  const u32 length = packet.length;
  const Rewritten rewritten = detail::front<kEtherTypeIpv6, sizeof(Ipv6Header) + kUdpBytes, kGap>(engine);
  if (rewritten.ethernet == nullptr) return rewritten;
  u8* start = reinterpret_cast<u8*>(rewritten.ethernet) + kNetworkOffset;
  auto* outer = reinterpret_cast<Ipv6Header*>(start);
  outer->version_class_flow = be32(first_word);
  outer->payload_length = be16(static_cast<u16>(length + kUdpBytes));
  outer->next_header = kProtocol;
  outer->hop_limit = kOuterTimeToLive;
  put_address(start + offsetof(Ipv6Header, source), backend.source);
  outer->source.words[3] = Be32{raw(backend.source.words[3]) | (tag & raw(backend.source_mask))};
  put_address(start + offsetof(Ipv6Header, destination), backend.address);
  if (kBehind == Behind::udp) detail::write_udp(start + sizeof(Ipv6Header), backend, tag, length);
  return rewritten;
}

}  // namespace astil::core
