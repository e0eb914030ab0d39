#include "tests/packets/complaint.hpp"

#include "tests/packets/wire.hpp"

namespace astil::test {
namespace {

using Span = std::span<const std::byte>;

constexpr unsigned kHopByHop = 0;
constexpr unsigned kIcmp = 1;
constexpr unsigned kIpv4 = 4;
constexpr unsigned kTcp = 6;
constexpr unsigned kUdp = 17;
constexpr unsigned kIpv6 = 41;
constexpr unsigned kRouting = 43;
constexpr unsigned kFragment = 44;
constexpr unsigned kAuthentication = 51;
constexpr unsigned kIcmpv6 = 58;
constexpr unsigned kDestinationOptions = 60;

unsigned at(Span bytes, std::size_t i) { return static_cast<unsigned>(bytes[i]); }
unsigned word(Span bytes, std::size_t i) { return (at(bytes, i) << 8U) | at(bytes, i + 1); }

/// An IP header with all that belongs to it.
struct Header {
  std::string_view complaint;
  bool is_ipv6 = false;
  std::size_t bytes = 0;  ///< up to the transport
  std::size_t total = 0;  ///< of the datagram, as it says
  unsigned protocol = 0;
  bool is_fragment = false;
  std::uint32_t addresses = 0;  ///< their sum, for the pseudo header
};

std::uint32_t sum_of_words(Span bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) sum += word(bytes, i);
  return sum;
}

Header read_ipv4(Span datagram) {
  if (datagram.size() < 20) return {"shorter than an IPv4 header"};
  Header header{.bytes = (at(datagram, 0) & 0x0fU) * std::size_t{4},
                .total = word(datagram, 2),
                .protocol = at(datagram, 9),
                .is_fragment = (word(datagram, 6) & 0x3fffU) != 0,
                .addresses = sum_of_words(datagram.subspan(12, 8))};
  if (header.bytes < 20 || header.total < header.bytes) return {"lengths of IPv4 contradict each other"};
  if (header.bytes > datagram.size()) return {"shorter than its IPv4 header"};
  if (internet_checksum(datagram.first(header.bytes)) != 0) return {"wrong checksum of the IPv4 header"};
  return header;
}

/// 0: no extension header that is known.
std::size_t extension_bytes(unsigned number, unsigned length) {
  if (number == kHopByHop || number == kRouting || number == kDestinationOptions) return std::size_t{8} * (length + 1);
  if (number == kAuthentication) return std::size_t{4} * (length + 2);
  return number == kFragment ? 8 : 0;
}

Header read_ipv6(Span datagram) {
  if (datagram.size() < 40) return {"shorter than an IPv6 header"};
  Header header{.is_ipv6 = true,
                .bytes = 40,
                .total = std::size_t{40} + word(datagram, 4),
                .protocol = at(datagram, 6),
                .addresses = sum_of_words(datagram.subspan(8, 32))};
  while (extension_bytes(header.protocol, 0) != 0 && !header.is_fragment) {
    if (header.bytes + 8 > datagram.size()) return {"shorter than its extension headers"};
    const Span extension = datagram.subspan(header.bytes);
    const std::size_t length = extension_bytes(header.protocol, at(extension, 1));
    if (length > extension.size()) return {"shorter than its extension headers"};
    header.is_fragment = header.protocol == kFragment && (word(extension, 2) & 0xfff9U) != 0;
    header.bytes += length;
    header.protocol = at(extension, 0);
  }
  if (header.bytes > header.total) return {"extension headers go beyond the payload"};
  return header;
}

Header read_header(Span datagram) {
  if (datagram.empty()) return {"no datagram"};
  if (at(datagram, 0) >> 4U == 4) return read_ipv4(datagram);
  if (at(datagram, 0) >> 4U == 6) return read_ipv6(datagram);
  return {"neither IPv4 nor IPv6"};
}

std::uint16_t checksum_with_pseudo_header(Span body, const Header& header) {
  return internet_checksum(body, header.addresses + header.protocol + static_cast<std::uint32_t>(body.size()));
}

/// Of TCP or UDP.
std::string_view complaint_of_checksum(Span body, const Header& header, std::size_t field) {
  if (checksum_with_pseudo_header(body, header) == 0) return "";
  const std::uint32_t pseudo_header = header.addresses + header.protocol + static_cast<std::uint32_t>(body.size());
  if ((internet_checksum({}, pseudo_header) ^ word(body, field)) == 0xffffU) return kPartialChecksum;
  return header.protocol == kTcp ? "wrong checksum of TCP" : "wrong checksum of UDP";
}

std::string_view complaint_of_tcp(Span body, const Header& header) {
  if (body.size() < 20) return "shorter than a TCP header";
  const std::size_t length = (at(body, 12) >> 4U) * std::size_t{4};
  if (length < 20 || length > body.size()) return "wrong length of the TCP header";
  return complaint_of_checksum(body, header, 16);
}

/// draft-ietf-intarea-gue-09, sections 3 and 4: the first two bits are the variant, and 01 also begins both versions of
/// IP.
std::string_view complaint_of_gue(Span body, std::uint16_t gue_port) {
  if (body.empty()) return "nothing in GUE";
  const unsigned variant = at(body, 0) >> 6U;
  if (variant == 1) return complaint(body, gue_port);
  if (variant != 0) return "unknown variant of GUE";
  const std::size_t length = 4 + (at(body, 0) & 0x1fU) * std::size_t{4};
  if (length > body.size()) return "shorter than its GUE header";
  if ((at(body, 0) & 0x20U) != 0) return "";  // a control message
  const Span inner = body.subspan(length);
  const unsigned protocol = at(body, 1);
  if (protocol != kIpv4 && protocol != kIpv6) return "";
  if (inner.empty() || (at(inner, 0) >> 4U) != (protocol == kIpv4 ? 4U : 6U)) return "GUE carries another IP version";
  return complaint(inner, gue_port);
}

std::string_view complaint_of_udp(Span body, const Header& header, std::uint16_t gue_port) {
  if (body.size() < 8) return "shorter than a UDP header";
  if (word(body, 4) < 8 || word(body, 4) > body.size()) return "wrong length of UDP";
  const Span datagram = body.first(word(body, 4));
  const bool is_tunnel = word(body, 2) == gue_port;
  const bool has_checksum = word(body, 6) != 0;
  // RFC 8200, section 8.1; RFC 6935: tunnels may do without.
  if (!has_checksum && header.is_ipv6 && !is_tunnel) return "UDP in IPv6 without a checksum";
  if (has_checksum) {
    if (const auto complaint = complaint_of_checksum(datagram, header, 6); !complaint.empty()) return complaint;
  }
  return is_tunnel ? complaint_of_gue(datagram.subspan(8), gue_port) : "";
}

/// A packet that an ICMP error quotes is as it was sent, up to where the quote ends (RFC 792: at least 8 bytes of the
/// transport).
std::string_view complaint_of_quote(Span quote, std::uint16_t gue_port) {
  const Header header = read_header(quote);
  if (!header.complaint.empty()) return header.complaint;
  if (header.total <= quote.size()) {
    const std::string_view found = complaint(quote, gue_port);
    return found == kPartialChecksum ? "ICMP error quotes a partial checksum" : found;
  }
  return quote.size() < header.bytes + 8 ? "ICMP error quotes too little" : "";
}

std::string_view complaint_of_icmp(Span body, const Header& header, std::uint16_t gue_port) {
  if (body.size() < 8) return "shorter than an ICMP header";
  const std::uint16_t sum = header.is_ipv6 ? checksum_with_pseudo_header(body, header) : internet_checksum(body);
  if (sum != 0) return "wrong checksum of ICMP";
  const unsigned type = at(body, 0);
  // RFC 792: unreachable, source quench, redirect, time exceeded, parameter problem; RFC 4443, section 2.1.
  const bool is_error = header.is_ipv6 ? type < 128 : (type >= 3 && type <= 5) || type == 11 || type == 12;
  return is_error ? complaint_of_quote(body.subspan(8), gue_port) : "";
}

}  // namespace

std::string_view complaint(std::span<const std::byte> datagram, std::uint16_t gue_port) {
  const Header header = read_header(datagram);
  if (!header.complaint.empty()) return header.complaint;
  if (header.total > datagram.size()) return "shorter than its length says";
  if (header.is_fragment) return "";
  const Span body = datagram.subspan(header.bytes, header.total - header.bytes);
  switch (header.protocol) {
    case kTcp:
      return complaint_of_tcp(body, header);
    case kUdp:
      return complaint_of_udp(body, header, gue_port);
    case kIcmp:
    case kIcmpv6:
      // One version's ICMP in the other version is nothing that anybody reads.
      return (header.protocol == kIcmpv6) == header.is_ipv6 ? complaint_of_icmp(body, header, gue_port) : "";
    case kIpv4:
    case kIpv6:
      if (!body.empty() && at(body, 0) >> 4U != (header.protocol == kIpv4 ? 4U : 6U))
        return "carries another IP version";
      return complaint(body, gue_port);
    default:
      return "";
  }
}

std::string_view complaint_of_frame(std::span<const std::byte> frame, std::uint16_t gue_port) {
  std::size_t type_at = 12;
  const auto is_tag = [&] { return word(frame, type_at) == 0x8100 || word(frame, type_at) == 0x88a8; };
  while (frame.size() >= type_at + 2 && is_tag()) type_at += 4;
  if (frame.size() < type_at + 2) return "shorter than its Ethernet header";
  const unsigned type = word(frame, type_at);
  // IEEE 802.3, section 3.2.6: up to 1500 it is no type, but a length.
  if (type <= 1500 && type > frame.size() - type_at - 2) return "shorter than its Ethernet header says";
  if (type != 0x0800 && type != 0x86dd) return "";
  const Span datagram = frame.subspan(type_at + 2);
  if (!datagram.empty() && at(datagram, 0) >> 4U != (type == 0x0800 ? 4U : 6U))
    return "not of the IP version announced";
  return complaint(datagram, gue_port);
}

}  // namespace astil::test
