// ICMP for services (RFC 792, RFC 4443): errors about connections go to the backend, or under nat to the client, that
// the connection is with; an echo request to a service address is answered.
#pragma once

#include "dataplane/core/answer.hpp"
#include "dataplane/core/limit.hpp"
#include "dataplane/core/owner.hpp"
#include "dataplane/core/parts.hpp"
#include "dataplane/core/ports.hpp"
#include "dataplane/core/rewrite.hpp"
#include "dataplane/core/verdict.hpp"

namespace astil::core {

namespace detail {

/// What an error quotes: the beginning of the packet that it is about.
template <class Ip>
struct Quoted {
  typename Ip::Header* ip;
  Ports* ports;
  ChecksumField* checksum;  ///< of TCP or UDP; nullptr: not quoted, or UDP without
  u8 protocol;
};

ASTIL_INLINE Address source_of(const Quoted<Ipv4>& quoted) { return mapped(quoted.ip->source); }
ASTIL_INLINE Address source_of(const Quoted<Ipv6>& quoted) { return quoted.ip->source; }
ASTIL_INLINE Address destination_of(const Quoted<Ipv4>& quoted) { return mapped(quoted.ip->destination); }
ASTIL_INLINE Address destination_of(const Quoted<Ipv6>& quoted) { return quoted.ip->destination; }

/// Where the quoted packet's transport header stands. False: it is none, or a later fragment.
template <class Engine>
ASTIL_INLINE bool parse_quoted_network(Engine& engine, Quoted<Ipv4>& quoted, Transport& at) {
  auto* ip = header_at<Ipv4Header>(engine, at.offset);
  if (ip == nullptr || ip->version_length >> 4U != 4U || (raw(ip->fragment) & raw(kFragmentOffset)) != 0) return false;
  const u32 header_length = (ip->version_length & 0x0fU) * 4U;
  if (header_length < sizeof(Ipv4Header) || header_length > at.bytes) return false;
  quoted.ip = ip;
  at = {.offset = at.offset + header_length, .bytes = at.bytes - header_length, .protocol = ip->protocol};
  return true;
}

template <class Engine>
ASTIL_INLINE bool parse_quoted_network(Engine& engine, Quoted<Ipv6>& quoted, Transport& at) {
  auto* ip = header_at<Ipv6Header>(engine, at.offset);
  if (ip == nullptr || at.bytes < sizeof(Ipv6Header) || host(ip->version_class_flow) >> 28U != 6U) return false;
  quoted.ip = ip;
  at = {.offset = at.offset + static_cast<u32>(sizeof(Ipv6Header)),
        .bytes = at.bytes - static_cast<u32>(sizeof(Ipv6Header)),
        .protocol = ip->next_header};
  if (!is_extension(at.protocol)) return true;
  const Extensions skipped = engine.skip_extensions(at.offset, at.protocol);
  const u32 bytes = skipped.bytes();
  if (skipped.fragment() == Fragment::later || bytes > at.bytes) return false;
  at = {.offset = at.offset + bytes, .bytes = at.bytes - bytes, .protocol = skipped.protocol()};
  return true;
}

/// Routers quote 8 bytes of the transport header at least (RFC 792): the ports, and UDP's checksum, but not TCP's.
template <class Ip, class Engine>
ASTIL_INLINE bool parse_quoted(Engine& engine, Quoted<Ip>& quoted, Transport at) {
  constexpr u32 kLeast = 8;
  if (!parse_quoted_network(engine, quoted, at) || at.bytes < kLeast) return false;
  auto* ports = header_at<u8, kLeast>(engine, at.offset);
  if (ports == nullptr) return false;
  quoted.ports = reinterpret_cast<Ports*>(ports);
  quoted.protocol = at.protocol;
  quoted.checksum = nullptr;
  if (at.protocol == kProtocolUdp) {
    auto* checksum = reinterpret_cast<ChecksumField*>(ports + offsetof(UdpHeader, checksum));
    if (checksum->value != 0) quoted.checksum = checksum;
    return true;
  }
  if (at.protocol != kProtocolTcp) return false;
  constexpr u32 kChecksumAt = offsetof(TcpHeader, checksum);
  if (at.bytes >= kChecksumAt + sizeof(ChecksumField))
    quoted.checksum = header_at<ChecksumField>(engine, at.offset + kChecksumAt);
  return true;
}

ASTIL_INLINE ChecksumDifference correct_quoted_header(Ipv4Header& ip, ChecksumDifference changed) {
  const u16 before = ip.checksum;
  ip.checksum = corrected(before, changed);
  return changed + replaced(before, ip.checksum);
}
ASTIL_INLINE ChecksumDifference correct_quoted_header(Ipv6Header& /*ip*/, ChecksumDifference changed) {
  return changed;
}

/// Gives one end of the quoted packet another address and port, as `rewrite_nat` did with the packet itself. Returns
/// what that makes of the checksum around it.
template <class Ip>
ASTIL_INLINE ChecksumDifference rewrite_quoted(Quoted<Ip>& quoted, Direction end, const Address& address, Be16 port) {
  const bool source = end == Direction::from_backend;
  const ChecksumDifference address_changed = replaced(source ? source_of(quoted) : destination_of(quoted), address);
  const Be16 port_before = source ? quoted.ports->source : quoted.ports->destination;
  const Be16 port_after = port == kAnyPort ? port_before : port;
  const ChecksumDifference port_changed = replaced(port_before, port_after);
  (source ? quoted.ports->source : quoted.ports->destination) = port_after;
  set_end(*quoted.ip, end, address);
  ChecksumDifference around = correct_quoted_header(*quoted.ip, address_changed) + port_changed;
  if (quoted.checksum != nullptr) {
    const u16 before = quoted.checksum->value;
    const u16 after = corrected(before, address_changed + port_changed);
    quoted.checksum->value = after;
    around += replaced(before, after);
  }
  return around;
}

/// ICMPv6's checksum covers the addresses around it (RFC 4443, section 2.3), ICMP's does not.
constexpr ChecksumDifference of_pseudo_header(const Packet<Ipv4>& /*packet*/, ChecksumDifference /*changed*/) {
  return 0;
}
constexpr ChecksumDifference of_pseudo_header(const Packet<Ipv6>& /*packet*/, ChecksumDifference changed) {
  return changed;
}

/// An error about what a backend sent to a client, under nat: the backend shall see what it sent.
template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite_error_to_backend(Engine& engine, const Packet<Ip>& packet, IcmpHeader& icmp,
                                                Quoted<Ip>& quoted, const Backend& backend) {
  if (!has_hops_left(*packet.ip)) return {.reason = Reason::ttl_expired};
  const ChecksumDifference outer = replaced(core::destination_of(packet), backend.address);
  const ChecksumDifference inner = rewrite_quoted(quoted, Direction::from_backend, backend.address, backend.port);
  icmp.checksum = corrected(icmp.checksum, inner + of_pseudo_header(packet, outer));
  set_address(*packet.ip, Direction::from_client, backend.address, outer);
  count_hop(*packet.ip);
  return front<Ip::kEtherType>(engine);
}

/// An error about what a client sent to a backend, under nat: the client shall see what it sent, and not who served.
template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite_error_to_client(Engine& engine, const Packet<Ip>& packet, IcmpHeader& icmp,
                                               Quoted<Ip>& quoted, const Backend& backend) {
  if (!has_hops_left(*packet.ip)) return {.reason = Reason::ttl_expired};
  ChecksumDifference outer = 0;
  if (core::source_of(packet) == backend.address) {  // else it is of a router, which the client may know
    outer = replaced(backend.address, backend.service_address);
    set_address(*packet.ip, Direction::from_backend, backend.service_address, outer);
  }
  const ChecksumDifference inner =
      rewrite_quoted(quoted, Direction::from_client, backend.service_address, backend.service_port);
  icmp.checksum = corrected(icmp.checksum, inner + of_pseudo_header(packet, outer));
  count_hop(*packet.ip);
  return front<Ip::kEtherType>(engine);
}

/// Where a packet of no connection's own belongs: the backend, and which end of the connection sent it.
struct Owner {
  Steering at;
  Direction sender = Direction::from_client;
};

/// The connection that a quoted packet is of, as the client sees it.
template <class Ip>
ASTIL_INLINE FlowTuple flow_of_quoted_reply(const Quoted<Ip>& quoted) {
  return {.client = destination_of(quoted),
          .address = source_of(quoted),
          .client_port = quoted.ports->destination,
          .port = quoted.ports->source,
          .protocol = quoted.protocol};
}

constexpr bool is_error(const Packet<Ipv4>& /*packet*/, u8 type) {
  return type == kIcmpUnreachable || type == kIcmpTimeExceeded || type == kIcmpParameterProblem;
}
constexpr bool is_error(const Packet<Ipv6>& /*packet*/, u8 type) { return type < kIcmpv6FirstInformational; }

/// Nothing that an error says changes the flow's entry: anybody can send one.
template <class Ip, class Engine>
ASTIL_INLINE Owner owner_of_quoted(Engine& engine, const Quoted<Ip>& quoted) {
  if ((listed_of<Ip>(engine, source_of(quoted)) & kListedService) != 0) {
    FlowTuple flow = flow_of_quoted_reply(quoted);
    if constexpr (Ip::kIsWide) keep_in_memory(flow);
    const Steering owner = owner_of<Unknown::by_ring>(engine, flow);
    if (owner.backend != nullptr && owner.backend->forwarding == Forwarding::full_nat)
      return {{.reason = wants_connection(engine, kNoPort)}};
    if (owner.backend != nullptr || owner.reason != Reason::no_service) return {owner, Direction::from_client};
  }
  const GenerationNumber generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return {{.reason = Reason::unready}};
  const u32 source = port_source_at(engine, source_of(quoted), generation);
  if (source != kNoSource) return {{.reason = wants_connection(engine, port_index(source, quoted.ports->source))}};
  if ((listed_of<Ip>(engine, destination_of(quoted)) & kListedReplier) == 0)
    return {{.reason = Reason::other_protocol}};
  const Replier replier =
      find_replier(engine, destination_of(quoted), quoted.ports->destination, quoted.protocol, generation);
  if (replier.backend == nullptr) return {{.reason = Reason::other_protocol}};
  FlowTuple flow{.client = source_of(quoted),
                 .address = replier.backend->service_address,
                 .client_port = quoted.ports->source,
                 .port = replier.backend->service_port,
                 .protocol = quoted.protocol};
  if (flow.port == kAnyPort) flow.port = quoted.ports->destination;
  if constexpr (Ip::kIsWide) keep_in_memory(flow);
  const Steering owner = owner_of<Unknown::of_nobody>(engine, flow);
  if (owner.backend == nullptr || owner.number != replier.number) return {{.reason = Reason::unknown_reply}};
  return {owner, Direction::from_backend};
}

ASTIL_INLINE void turn_round(Ipv4Header& ip) {
  const Be32 source = ip.source;
  ip.source = ip.destination;
  ip.destination = source;
  const u16 before = static_cast<u16>(ip.time_to_live | (u32{ip.protocol} << 8U));
  ip.time_to_live = kOuterTimeToLive;
  ip.checksum = corrected(ip.checksum, replaced(before, static_cast<u16>(kOuterTimeToLive | (u32{ip.protocol} << 8U))));
}

ASTIL_INLINE void turn_round(Ipv6Header& ip) {
  const Address source = ip.source;
  ip.source = ip.destination;
  ip.destination = source;
  ip.hop_limit = kOuterTimeToLive;
}

/// RFC 792, page 14, and RFC 4443, section 4.2: the same packet, with the ends the other way round and another type.
template <class Ip, class Engine>
ASTIL_INLINE Verdict answer_echo(Engine& engine, const Packet<Ip>& packet, IcmpHeader& icmp) {
  if (!is_within_limit(engine, LimitKind::icmp, per_unit(kIcmpPerSecond))) return {.reason = Reason::icmp_limit};
  const u16 before = static_cast<u16>(icmp.type | (u32{icmp.code} << 8U));
  icmp.type = Ip::kEchoReply;
  icmp.checksum = corrected(icmp.checksum, replaced(before, static_cast<u16>(icmp.type | (u32{icmp.code} << 8U))));
  turn_round(*packet.ip);
  return back_out(engine, Reason::echo_answered);
}

}  // namespace detail

}  // namespace astil::core
