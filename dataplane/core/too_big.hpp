// "Fragmentation needed" and "packet too big": what the sender of a packet is told that is longer than the rest of its
// path can carry (RFC 1191, section 4; RFC 8201, section 4). Linux heeds it also for packets that may be fragmented, so
// it is told of those too.
#pragma once

#include "dataplane/core/icmp.hpp"

namespace astil::core {

namespace detail {

/// What the answer quotes: as much as fits into the smallest packet that everyone takes (RFC 1812, section 4.3.2.3;
/// RFC 4443, section 2.4). Who meets an MTU has sent more than that.
template <class Ip>
inline constexpr u32 kQuotedBytes = 576 - sizeof(Ipv4Header) - sizeof(IcmpHeader);
template <>
inline constexpr u32 kQuotedBytes<Ipv6> = 1280 - sizeof(Ipv6Header) - sizeof(IcmpHeader);

/// The sum of the first `counted` of some bytes, in raw order; both are multiples of 4.
template <u32 kBytes>
ASTIL_INLINE u64 sum_of(const u8* bytes, u32 counted = kBytes) {
  static_assert(kBytes % sizeof(u32) == 0);
  struct ASTIL_WIRE Word {
    u32 value;
  };
  u64 sum = 0;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kBytes; i += sizeof(u32))
    sum += reinterpret_cast<const Word*>(bytes + i)->value & (0U - below(i, counted));
  return sum;
}

/// What of the quoted bytes counts in the sum around them.
struct Counted {
  u32 bytes;  ///< from their begin
  u16 rest;   ///< what those behind them come to, as one word
};

/// A checksum that is left to the device stands for the pseudo header's sum, and the device puts there what makes it
/// and all behind it come to nothing: without that sum, to its complement.
template <class Ip, class Engine>
ASTIL_INLINE Counted counted_bytes(Engine& engine) {
  constexpr Counted kAll{.bytes = kQuotedBytes<Ip>, .rest = 0};
  if constexpr (Engine::kFinishedChecksums) {
    return kAll;
  } else {
    Packet<Ip> packet{};
    Transport transport{};
    if (!parse_network(engine, packet, transport)) return kAll;
    const bool udp = transport.protocol == kProtocolUdp;
    const u32 at = transport.offset + (udp ? offsetof(UdpHeader, checksum) : offsetof(TcpHeader, checksum));
    if (!engine.is_left_to_device(at)) return kAll;
    const auto* field = header_at<ChecksumField>(engine, at);
    if (field == nullptr) return kAll;
    return {.bytes = transport.offset - kNetworkOffset, .rest = static_cast<u16>(~field->value)};
  }
}

struct Ends {
  Address source;
  Address destination;
};

ASTIL_INLINE void write_network(Ipv4Header& ip, const Ends& ends, u32 bytes) {
  ip = {.version_length = 0x45,
        .type_of_service = 0,
        .total_length = be16(static_cast<u16>(bytes + sizeof(Ipv4Header))),
        .identification = {},
        .fragment = {},
        .time_to_live = kOuterTimeToLive,
        .protocol = kProtocolIcmp,
        .checksum = 0,
        .source = ipv4_of(ends.source),
        .destination = ipv4_of(ends.destination)};
  ip.checksum = static_cast<u16>(~fold64(sum_of<sizeof(Ipv4Header)>(reinterpret_cast<const u8*>(&ip))));
}

ASTIL_INLINE void write_network(Ipv6Header& ip, const Ends& ends, u32 bytes) {
  ip = {.version_class_flow = be32(6U << 28U),
        .payload_length = be16(static_cast<u16>(bytes)),
        .next_header = kProtocolIcmpv6,
        .hop_limit = kOuterTimeToLive,
        .source = ends.source,
        .destination = ends.destination};
}

ASTIL_INLINE void write_icmp(const Ipv4Header& /*ip*/, IcmpHeader& icmp, u16 mtu, u64 quoted) {
  icmp = {.type = kIcmpUnreachable, .code = kIcmpFragmentationNeeded, .checksum = 0, .rest = be32(mtu)};
  icmp.checksum = static_cast<u16>(~fold64(quoted + sum_of<sizeof(IcmpHeader)>(reinterpret_cast<const u8*>(&icmp))));
}

/// With the pseudo header (RFC 8200, section 8.1).
ASTIL_INLINE void write_icmp(const Ipv6Header& ip, IcmpHeader& icmp, u16 mtu, u64 quoted) {
  icmp = {.type = kIcmpv6PacketTooBig, .code = 0, .checksum = 0, .rest = be32(mtu)};
  u64 sum = quoted + sum_of<sizeof(IcmpHeader)>(reinterpret_cast<const u8*>(&icmp));
  sum += sum_of<2 * sizeof(Address)>(reinterpret_cast<const u8*>(&ip.source));
  icmp.checksum = static_cast<u16>(~fold64(sum + raw(ip.payload_length) + raw(be16(kProtocolIcmpv6))));
}

}  // namespace detail

/// Turns the packet, as it came, into the answer to its sender: the longest that it may send is `mtu`. The answer comes
/// from where the packet was going.
template <class Ip, class Engine>
ASTIL_INLINE Verdict tell_too_big(Engine& engine, u16 mtu) {
  using Header = typename Ip::Header;
  constexpr u32 kQuoted = detail::kQuotedBytes<Ip>;
  constexpr u32 kGap = sizeof(Header) + sizeof(IcmpHeader);
  if (!is_within_limit(engine, LimitKind::icmp, per_unit(kIcmpPerSecond))) return {.reason = Reason::too_big};
  if (!engine.pull(kNetworkOffset + kQuoted)) return {.reason = Reason::too_big};
  const detail::Counted counted = detail::counted_bytes<Ip>(engine);
  const auto* quoted = header_at<Header, kQuoted>(engine, kNetworkOffset);
  const auto* ethernet = header_at<EthernetHeader>(engine, 0);
  if (quoted == nullptr || ethernet == nullptr) return {.reason = Reason::too_big};
  const u64 sum = detail::sum_of<kQuoted>(reinterpret_cast<const u8*>(quoted), counted.bytes) + counted.rest;
  const EthernetHeader frame = *ethernet;
  if (!engine.trim(kNetworkOffset + kQuoted) || !engine.template open_gap<Gap::plain>(kGap))
    return {.reason = Reason::too_big};
  auto* begin = header_at<EthernetHeader, kNetworkOffset + kGap + sizeof(Header)>(engine, 0);
  if (begin == nullptr) return {.reason = Reason::too_big};
  *begin = frame;
  u8* bytes = reinterpret_cast<u8*>(begin) + kNetworkOffset;
  auto& ip = *reinterpret_cast<Header*>(bytes);
  auto& icmp = *reinterpret_cast<IcmpHeader*>(bytes + sizeof(Header));
  Packet<Ip> told{};
  told.ip = reinterpret_cast<Header*>(bytes + kGap);
  detail::write_network(ip, {destination_of(told), source_of(told)}, sizeof(IcmpHeader) + kQuoted);
  detail::write_icmp(ip, icmp, mtu, sum);
  return detail::back_out(engine, Reason::told_too_big);
}

}  // namespace astil::core
