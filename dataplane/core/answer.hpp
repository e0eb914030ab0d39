// Packets of our own, made out of one that came: it is turned round and goes back out to whoever sent it. Here stands
// what they have in common, and those that quote what they are about ("too big", "port unreachable").
#pragma once

#include "dataplane/core/limit.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/verdict.hpp"

namespace astil::core {

/// ICMP answers of our own, each CPU's in a second.
inline constexpr u32 kIcmpPerSecond = 1024;

namespace detail {

/// Who is no single host is sent no answer (RFC 1122, section 3.2.2; RFC 4443, section 2.4): "this network", loopback,
/// multicast and what is reserved above it.
ASTIL_INLINE bool names_one_host(const Ipv4Header& ip) {
  constexpr u32 kThisNetwork = 0;
  constexpr u32 kLoopback = 127;
  constexpr u32 kMulticast = 224;
  const u32 first = host(ip.source) >> 24U;
  return first != kThisNetwork && first != kLoopback && first < kMulticast;
}

ASTIL_INLINE bool names_one_host(const Ipv6Header& ip) {
  const Address source = ip.source;
  if (host(source.words[0]) >> 24U == 0xffU) return false;
  return (raw(source.words[0]) | raw(source.words[1]) | raw(source.words[2])) != 0 || host(source.words[3]) > 1;
}

/// The sum of some bytes, in raw order; a multiple of 4.
template <u32 kBytes>
ASTIL_INLINE u64 sum_of(const u8* bytes) {
  static_assert(kBytes % sizeof(u32) == 0);
  u64 sum = 0;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kBytes; i += sizeof(u32)) sum += load_as<u32>(bytes + i);
  return sum;
}

/// What a checksum over TCP, UDP or ICMPv6 has in it besides (RFC 9293, section 3.1; RFC 8200, section 8.1).
ASTIL_INLINE u64 pseudo_sum(const Ipv4Header& ip, u8 protocol, u32 bytes) {
  return u64{raw(ip.source)} + raw(ip.destination) + raw(be16(static_cast<u16>(bytes))) + raw(be16(protocol));
}
ASTIL_INLINE u64 pseudo_sum(const Ipv6Header& ip, u8 protocol, u32 bytes) {
  return sum_of<2 * sizeof(Address)>(reinterpret_cast<const u8*>(&ip.source)) + raw(be16(static_cast<u16>(bytes))) +
         raw(be16(protocol));
}

struct Ends {
  Address source;
  Address destination;
};

ASTIL_INLINE void write_network(Ipv4Header& ip, const Ends& ends, u8 protocol, u32 bytes) {
  ip = {.version_length = 0x45,
        .type_of_service = 0,
        .total_length = be16(static_cast<u16>(bytes + sizeof(Ipv4Header))),
        .identification = {},
        .fragment = {},
        .time_to_live = kOuterTimeToLive,
        .protocol = protocol,
        .checksum = 0,
        .source = ipv4_of(ends.source),
        .destination = ipv4_of(ends.destination)};
  ip.checksum = static_cast<u16>(~fold64(sum_of<sizeof(Ipv4Header)>(reinterpret_cast<const u8*>(&ip))));
}

ASTIL_INLINE void write_network(Ipv6Header& ip, const Ends& ends, u8 protocol, u32 bytes) {
  ip = {.version_class_flow = be32(6U << 28U),
        .payload_length = be16(static_cast<u16>(bytes)),
        .next_header = protocol,
        .hop_limit = kOuterTimeToLive,
        .source = ends.source,
        .destination = ends.destination};
}

/// Is a checksum of TCP or UDP, at an offset in the frame, left to the device?
template <class Engine>
ASTIL_INLINE bool is_unfinished(Engine& engine, u32 offset) {
  if constexpr (Engine::kFinishedChecksums) {
    return false;
  } else {
    return engine.is_left_to_device(offset);
  }
}

/// What an answer quotes: as much as fits into the smallest packet that everyone takes (RFC 1812, section 4.3.2.3;
/// RFC 4443, section 2.4).
template <class Ip>
inline constexpr u32 kQuotedBytes = 576 - sizeof(Ipv4Header) - sizeof(IcmpHeader);
template <>
inline constexpr u32 kQuotedBytes<Ipv6> = 1280 - sizeof(Ipv6Header) - sizeof(IcmpHeader);

/// What `sum_of_frame` says of what can not be read.
inline constexpr u64 kNoSum = ~u64{0};

}  // namespace detail

/// The sum of some of the frame's bytes, in raw order: from an offset on, as many as an answer quotes at most, a
/// multiple of 4.
template <class Engine>
ASTIL_INLINE u64 sum_of_frame(Engine& engine, u32 offset, u32 bytes) {
  constexpr u32 kMost = detail::kQuotedBytes<Ipv6>;
  u64 sum = 0;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kMost && i < bytes; i += sizeof(u32)) {
    const auto* word = header_at<u8, sizeof(u32)>(engine, offset + i);
    if (word == nullptr) return detail::kNoSum;
    sum += load_as<u32>(word);
  }
  return sum;
}

namespace detail {

/// The sum of what an answer quotes: so many of the frame's bytes, behind the Ethernet header. A checksum that is left
/// to the device stands for the pseudo header's sum, and the device puts there what makes it and all behind it come to
/// nothing: without that sum, to its complement.
template <class Engine>
ASTIL_INLINE u64 quoted_sum(Engine& engine, const Transport& transport, u32 bytes) {
  const bool udp = transport.protocol == kProtocolUdp;
  const u32 at =
      transport.offset + static_cast<u32>(udp ? offsetof(UdpHeader, checksum) : offsetof(TcpHeader, checksum));
  if (is_unfinished(engine, at)) {
    const auto* field = header_at<ChecksumField>(engine, at);
    const u64 before = engine.sum_of_frame(kNetworkOffset, transport.offset - kNetworkOffset);
    return field == nullptr || before == kNoSum ? kNoSum : before + static_cast<u16>(~field->value);
  }
  return engine.sum_of_frame(kNetworkOffset, bytes);
}

/// What an ICMP error says, by version of IP.
struct Told {
  u8 type;
  u8 code;
  u32 rest;
};

ASTIL_INLINE void write_icmp(const Ipv4Header& /*ip*/, IcmpHeader& icmp, const Told& told, u64 quoted) {
  icmp = {.type = told.type, .code = told.code, .checksum = 0, .rest = be32(told.rest)};
  icmp.checksum = static_cast<u16>(~fold64(quoted + sum_of<sizeof(IcmpHeader)>(reinterpret_cast<const u8*>(&icmp))));
}

ASTIL_INLINE void write_icmp(const Ipv6Header& ip, IcmpHeader& icmp, const Told& told, u64 quoted) {
  icmp = {.type = told.type, .code = told.code, .checksum = 0, .rest = be32(told.rest)};
  const u64 sum = quoted + sum_of<sizeof(IcmpHeader)>(reinterpret_cast<const u8*>(&icmp));
  icmp.checksum = static_cast<u16>(~fold64(sum + pseudo_sum(ip, kProtocolIcmpv6, host(ip.payload_length))));
}

/// May there be an error about the packet? None is about an error, about a later fragment (of IPv4), or for who is no
/// single host (RFC 1122, section 3.2.2; RFC 4443, section 2.4).
template <class Ip>
ASTIL_INLINE bool may_be_told(const Packet<Ip>& packet, const Transport& transport) {
  const bool is_rest = !Ip::kIsWide && is_later_fragment(packet);
  return transport.protocol != Ip::kIcmp && !is_rest && names_one_host(*packet.ip);
}

/// What an error quotes of the packet.
struct Quote {
  u32 bytes;
  u64 sum;  ///< kNoSum: there are not so many
};

/// Of a datagram of so many bytes: whole words; what is behind them no one asks for.
template <class Ip, class Engine>
ASTIL_INLINE Quote quote_of(Engine& engine, const Transport& transport, u32 length) {
  constexpr u32 kMost = kQuotedBytes<Ip>;
  const u32 bytes = (length < kMost ? length : kMost) & ~3U;
  if (!engine.pull(kNetworkOffset + bytes)) return {.bytes = bytes, .sum = kNoSum};
  return {.bytes = bytes, .sum = quoted_sum(engine, transport, bytes)};
}

/// Turns the packet, as it came, into an error to its sender. The answer comes from where the packet was going. False:
/// it can not.
template <class Ip, class Engine>
ASTIL_INLINE bool tell(Engine& engine, const Quote& quote, const Told& told) {
  using Header = typename Ip::Header;
  constexpr u32 kGap = sizeof(Header) + sizeof(IcmpHeader);
  const auto* ethernet = header_at<EthernetHeader>(engine, 0);
  if (quote.sum == kNoSum || ethernet == nullptr) return false;
  const EthernetHeader frame = *ethernet;
  if (!engine.trim(kNetworkOffset + quote.bytes) || !engine.template open_gap<Gap::plain>(kGap)) return false;
  auto* begin = header_at<EthernetHeader, kNetworkOffset + kGap + sizeof(Header)>(engine, 0);
  if (begin == nullptr) return false;
  *begin = frame;
  u8* bytes = reinterpret_cast<u8*>(begin) + kNetworkOffset;
  auto& ip = *reinterpret_cast<Header*>(bytes);
  auto& icmp = *reinterpret_cast<IcmpHeader*>(bytes + sizeof(Header));
  Packet<Ip> about{};
  about.ip = reinterpret_cast<Header*>(bytes + kGap);
  write_network(ip, {destination_of(about), source_of(about)}, Ip::kIcmp, sizeof(IcmpHeader) + quote.bytes);
  write_icmp(ip, icmp, told, quote.sum);
  return true;
}

}  // namespace detail
}  // namespace astil::core
