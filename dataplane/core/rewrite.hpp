// Stage 4: the packet as its receiver shall see it. Checksums are corrected by difference (checksum.hpp). The time to
// live goes down by one under every forwarding, so that balancers that point at each other can not turn a packet round
// for ever. What a tunnel puts in front is in wrap.hpp.
#pragma once

#include "dataplane/core/wrap.hpp"

namespace astil::core {

/// The checksum of TCP or UDP, where it stands. UDP without one stays without; one that comes to 0 is sent as all ones
/// (RFC 768).
ASTIL_INLINE void correct_in_place(ChecksumField& field, ChecksumDifference difference, u8 protocol) {
  const u16 before = field.value;
  const bool udp = as_any_number(protocol) == kProtocolUdp;
  if (udp && before == 0) return;
  const u16 after = corrected(before, difference);
  field.value = udp && after == 0 ? u16{0xffff} : after;
}

namespace detail {

/// The destination of what a client has sent, the source of what a backend has.
ASTIL_INLINE void set_end(Ipv4Header& ip, Direction direction, const Address& address) {
  (direction == Direction::from_client ? ip.destination : ip.source) = ipv4_of(address);
}
ASTIL_INLINE void set_end(Ipv6Header& ip, Direction direction, const Address& address) {
  (direction == Direction::from_client ? ip.destination : ip.source) = address;
}

/// That too; the header's checksum, where it has one, follows.
ASTIL_INLINE void set_address(Ipv4Header& ip, Direction direction, const Address& address,
                              ChecksumDifference difference) {
  set_end(ip, direction, address);
  ip.checksum = corrected(ip.checksum, difference);
}

ASTIL_INLINE void set_address(Ipv6Header& ip, Direction direction, const Address& address,
                              ChecksumDifference /*difference*/) {
  set_end(ip, direction, address);
}

}  // namespace detail

/// nat: one end of the connection gets another address and port; a port of 0 leaves it as it is. Of a client's packet
/// that is the destination, of a backend's the source.
template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite_nat(Engine& engine, const Packet<Ip>& packet, Direction direction,
                                   const Address& address, Be16 port) {
  if (!has_hops_left(*packet.ip)) return {.reason = Reason::ttl_expired};
  const bool to_backend = direction == Direction::from_client;
  if (packet.ports == nullptr) {
    count_hop(*packet.ip);
    detail::set_address(*packet.ip, direction, address,
                        replaced(to_backend ? destination_of(packet) : source_of(packet), address));
    return detail::front<Ip::kEtherType>(engine);
  }
  const Be16 port_before = to_backend ? packet.ports->destination : packet.ports->source;
  const Be16 port_after = port == kAnyPort ? port_before : port;
  const ChecksumDifference address_changed = replaced(to_backend ? destination_of(packet) : source_of(packet), address);
  count_hop(*packet.ip);
  detail::set_address(*packet.ip, direction, address, address_changed);
  (to_backend ? packet.ports->destination : packet.ports->source) = port_after;
  engine.correct_transport(checksum_of(packet), address_changed, replaced(port_before, port_after), packet.protocol);
  return detail::front<Ip::kEtherType>(engine);
}

/// direct: only the Ethernet header changes (path.hpp), and the time to live.
template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite_direct(Engine& engine, const Packet<Ip>& packet) {
  if (!has_hops_left(*packet.ip)) return {.reason = Reason::ttl_expired};
  count_hop(*packet.ip);
  return detail::front<Ip::kEtherType>(engine);
}

/// tunnel: the packet whole, behind headers to the backend.
template <Way kWay, class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite_tunnel(Engine& engine, const Packet<Ip>& packet, const Backend& backend, u32 tag) {
  constexpr Behind kBehind = kWay == Way::gue4 || kWay == Way::gue6 ? Behind::udp : Behind::ip;
  if (!has_hops_left(*packet.ip)) return {.reason = Reason::ttl_expired};
  count_hop(*packet.ip);
  if constexpr (kWay == Way::ipip4 || kWay == Way::gue4) return wrap_in_ipv4<kBehind>(engine, packet, backend, tag);
  return wrap_in_ipv6<kBehind>(engine, packet, backend, tag);
}

/// A packet that a path can not carry. What `tell_too_big` shall say stands in the scratch of the CPU's row until then.
template <class Engine>
ASTIL_INLINE Rewritten is_too_big(Engine& engine, u32 mtu) {
  if (CpuRow* row = engine.cpu_row()) row->scratch[0] = mtu;
  return {.reason = Reason::too_big};
}

/// By a way, what is short enough for it.
template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite_short(Engine& engine, const Packet<Ip>& packet, const Backend& backend, Way way,
                                     u32 tag) {
  switch (way) {
    case Way::nat:
      return rewrite_nat(engine, packet, Direction::from_client, backend.address, backend.port);
    case Way::direct:
      return rewrite_direct(engine, packet);
    case Way::ipip4:
      return rewrite_tunnel<Way::ipip4>(engine, packet, backend, tag);
    case Way::ipip6:
      return rewrite_tunnel<Way::ipip6>(engine, packet, backend, tag);
    case Way::gue4:
      return rewrite_tunnel<Way::gue4>(engine, packet, backend, tag);
    case Way::gue6:
      return rewrite_tunnel<Way::gue6>(engine, packet, backend, tag);
    case Way::full_nat:  // full_nat.hpp
    case Way::tunnel:    // one of the four
    case Way::none:
      break;
  }
  return {};
}

template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite(Engine& engine, const Packet<Ip>& packet, const Backend& backend, u32 tag) {
  if (longest_datagram(engine, packet) > backend.max_length) return is_too_big(engine, backend.max_length);
  return rewrite_short(engine, packet, backend, way_of(backend), tag);
}

}  // namespace astil::core
