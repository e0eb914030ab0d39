// Stage 4: the packet as its receiver shall see it. Checksums are corrected by difference (checksum.hpp). The time to
// live goes down by one under every forwarding, so that balancers that point at each other can not turn a packet round
// for ever.
#pragma once

#include "dataplane/core/checksum.hpp"
#include "dataplane/core/steer.hpp"

namespace astil::core {

/// TTL of an outer header (RFC 1700's recommended default).
inline constexpr u8 kOuterTimeToLive = 64;

/// A packet that has been rewritten: its Ethernet header, for the next hop's addresses. nullptr: why it could not be.
struct Rewritten {
  EthernetWords* ethernet = nullptr;
  Reason reason = Reason::internal;
};

/// What the checksum of an outer header has in it whichever packet it carries; a sum of words in raw order.
constexpr u32 constant_outer_sum(Be32 source, Be32 destination) {
  const u64 sum = u64{raw(source)} + raw(destination) + raw(be16((kOuterTimeToLive << 8U) | kProtocolIpip));
  return static_cast<u32>((sum & 0xffffffffU) + (sum >> 32U));
}

namespace detail {

/// RFC 1812, section 5.3.1; the checksum as in RFC 1141: one less in the TTL, the upper byte of its word, is one more
/// there.
ASTIL_INLINE void decrement_ttl(Ipv4Header& ip) {
  ip.time_to_live = static_cast<u8>(ip.time_to_live - 1);
  const u32 sum = u32{ip.checksum} + raw(be16(0x0100));
  ip.checksum = static_cast<u16>(sum + (sum >= 0xffffU ? 1U : 0U));
}

/// The checksum of TCP or UDP. UDP without one stays without; one that comes to 0 is sent as all ones (RFC 768).
ASTIL_INLINE void correct_transport(const Packet& packet, ChecksumDifference difference) {
  const u16 before = packet.checksum->value;
  const bool udp = packet.protocol == kProtocolUdp;
  if (udp && before == 0) return;
  const u16 after = corrected(before, difference);
  packet.checksum->value = udp && after == 0 ? u16{0xffff} : after;
}

template <class Engine>
ASTIL_INLINE Rewritten in_place(Engine& engine) {
  return {.ethernet = header_at<EthernetWords>(engine, 0)};
}

}  // namespace detail

/// nat: one end of the connection gets another address and port. `to_backend`: the destination, else the source.
template <class Engine>
ASTIL_INLINE Rewritten rewrite_nat(Engine& engine, const Packet& packet, Direction direction, Be32 address, Be16 port) {
  Ipv4Header& ip = *packet.ip;
  Ports& ports = *packet.ports;
  if (ip.time_to_live <= 1) return {.reason = Reason::ttl_expired};
  const bool to_backend = direction == Direction::from_client;
  const ChecksumDifference address_changed = replaced(to_backend ? packet.destination : packet.source, address);
  const ChecksumDifference port_changed = replaced(to_backend ? packet.destination_port : packet.source_port, port);
  if (to_backend) {
    ip.destination = address;
    ports.destination = port;
  } else {
    ip.source = address;
    ports.source = port;
  }
  detail::correct_transport(packet, address_changed + port_changed);
  ip.checksum = corrected(ip.checksum, address_changed);
  detail::decrement_ttl(ip);
  engine.saw_rewrite(Forwarding::nat, direction);
  return detail::in_place(engine);
}

/// tunnel: IP-in-IP (RFC 2003, section 3.1): DF, type of service and identification are the inner ones.
template <class Engine>
ASTIL_INLINE Rewritten rewrite_tunnel(Engine& engine, const Packet& packet, const Backend& backend) {
  constexpr u32 kMaxLength = 65535 - sizeof(Ipv4Header);
  constexpr u32 kTypeOfService = 0x0000ff00;   // of Ipv4Words::kind
  constexpr u32 kKeptOfFragment = 0x0040ffff;  // identification, and DF
  constexpr u32 kTimeAndProtocol = raw(be16((kOuterTimeToLive << 8U) | kProtocolIpip));
  if (packet.ip->time_to_live <= 1) return {.reason = Reason::ttl_expired};
  if (packet.length > kMaxLength) return {.reason = Reason::too_long};
  detail::decrement_ttl(*packet.ip);
  const auto& inner = reinterpret_cast<const Ipv4Words&>(*packet.ip);
  const u32 total = raw(be16(static_cast<u16>(packet.length + sizeof(Ipv4Header))));
  const u32 kind = 0x45U | (inner.kind & kTypeOfService) | (total << 16U);
  const u32 identification = inner.identification & kKeptOfFragment;
  const u16 checksum = static_cast<u16>(~fold64(u64{backend.outer_sum} + kind + identification));
  if (!engine.open_gap(sizeof(Ipv4Header))) return {.reason = Reason::no_headroom};
  auto* ethernet = header_at<EthernetWords, kNetworkOffset + sizeof(Ipv4Header)>(engine, 0);
  if (ethernet == nullptr) return {};
  auto* outer = reinterpret_cast<Ipv4Words*>(reinterpret_cast<u8*>(ethernet) + kNetworkOffset);
  *outer = {.kind = kind,
            .identification = identification,
            .time_to_live = kTimeAndProtocol | (u32{checksum} << 16U),
            .source = backend.source.words[0],
            .destination = backend.address.words[0]};
  engine.saw_rewrite(Forwarding::tunnel, Direction::from_client);
  return {.ethernet = ethernet};
}

/// direct: only the Ethernet header changes (path.hpp), and the time to live.
template <class Engine>
ASTIL_INLINE Rewritten rewrite_direct(Engine& engine, const Packet& packet) {
  if (packet.ip->time_to_live <= 1) return {.reason = Reason::ttl_expired};
  detail::decrement_ttl(*packet.ip);
  engine.saw_rewrite(Forwarding::direct, Direction::from_client);
  return detail::in_place(engine);
}

}  // namespace astil::core
