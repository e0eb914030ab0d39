// Stage 4: the packet as its receiver shall see it. Checksums are corrected by difference (checksum.hpp). The time to
// live goes down by one under every forwarding, so that balancers that point at each other can not turn a packet round
// for ever.
#pragma once

#include "dataplane/core/checksum.hpp"
#include "dataplane/core/steer.hpp"

namespace astil::core {

/// TTL of an outer header (RFC 1700's recommended default).
inline constexpr u8 kOuterTimeToLive = 64;

namespace detail {

/// RFC 1812, section 5.3.1. The TTL shares its 16-bit word with the protocol.
ASTIL_INLINE ChecksumDifference decrement_ttl(Ipv4Header& ip) {
  const u8 before = ip.time_to_live;
  ip.time_to_live = static_cast<u8>(before - 1);
  return replaced(be16(static_cast<u16>(before << 8U)), be16(static_cast<u16>((before - 1) << 8U)));
}

}  // namespace detail

/// nat: one end of the connection gets another address and port. `to_backend`: the destination, else the source.
template <class Engine>
ASTIL_INLINE Reason rewrite_nat(Engine& engine, const Packet& packet, Direction direction, Be32 address, Be16 port) {
  auto* ip = header_at<Ipv4Header>(engine, kNetworkOffset);
  auto* tcp = header_at<TcpHeader>(engine, packet.transport);
  if (ip == nullptr || tcp == nullptr) return Reason::internal;
  if (ip->time_to_live <= 1) return Reason::ttl_expired;
  const bool to_backend = direction == Direction::from_client;
  const ChecksumDifference address_changed = replaced(to_backend ? packet.destination : packet.source, address);
  const ChecksumDifference port_changed = replaced(to_backend ? packet.destination_port : packet.source_port, port);
  if (to_backend) {
    ip->destination = address;
    tcp->destination = port;
  } else {
    ip->source = address;
    tcp->source = port;
  }
  tcp->checksum = corrected(tcp->checksum, address_changed + port_changed);
  ip->checksum = corrected(ip->checksum, address_changed + detail::decrement_ttl(*ip));
  engine.saw_rewrite(Forwarding::nat, direction);
  return Reason::count;
}

/// tunnel: IP-in-IP (RFC 2003, section 3.1): DF and the identification are the inner ones.
template <class Engine>
ASTIL_INLINE Reason rewrite_tunnel(Engine& engine, const Packet& packet, const Backend& backend) {
  constexpr u32 kMaxLength = 65535 - sizeof(Ipv4Header);
  auto* inner = header_at<Ipv4Header>(engine, kNetworkOffset);
  if (inner == nullptr) return Reason::internal;
  if (inner->time_to_live <= 1) return Reason::ttl_expired;
  if (packet.length > kMaxLength) return Reason::too_long;
  inner->checksum = corrected(inner->checksum, detail::decrement_ttl(*inner));
  const u8 type_of_service = inner->type_of_service;
  const Be16 identification = inner->identification;
  const Be16 dont_fragment = Be16{static_cast<u16>(raw(inner->fragment) & raw(kDontFragment))};
  const Be16 total = be16(static_cast<u16>(packet.length + sizeof(Ipv4Header)));
  if (!engine.open_gap(sizeof(Ipv4Header))) return Reason::no_headroom;
  auto* outer = header_at<Ipv4Header>(engine, kNetworkOffset);
  if (outer == nullptr) return Reason::internal;

  const Be32 source = backend.source.words[0];
  const Be32 destination = backend.address.words[0];
  outer->version_length = 0x45;
  outer->type_of_service = type_of_service;
  outer->total_length = total;
  outer->identification = identification;
  outer->fragment = dont_fragment;
  outer->time_to_live = kOuterTimeToLive;
  outer->protocol = kProtocolIpip;
  outer->source = source;
  outer->destination = destination;
  const u32 sum = raw(be16(static_cast<u16>(0x4500U | type_of_service))) + u32{raw(total)} + raw(identification) +
                  raw(dont_fragment) + raw(be16((kOuterTimeToLive << 8U) | kProtocolIpip)) + (raw(source) & 0xffffU) +
                  (raw(source) >> 16U) + (raw(destination) & 0xffffU) + (raw(destination) >> 16U);
  outer->checksum = static_cast<u16>(~fold(sum));
  engine.saw_rewrite(Forwarding::tunnel, Direction::from_client);
  return Reason::count;
}

/// direct: only the Ethernet header changes (verdict.hpp), and the time to live.
template <class Engine>
ASTIL_INLINE Reason rewrite_direct(Engine& engine) {
  auto* ip = header_at<Ipv4Header>(engine, kNetworkOffset);
  if (ip == nullptr) return Reason::internal;
  if (ip->time_to_live <= 1) return Reason::ttl_expired;
  ip->checksum = corrected(ip->checksum, detail::decrement_ttl(*ip));
  engine.saw_rewrite(Forwarding::direct, Direction::from_client);
  return Reason::count;
}

}  // namespace astil::core
