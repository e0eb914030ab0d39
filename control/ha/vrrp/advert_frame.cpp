#include "control/ha/vrrp/advert_frame.hpp"

#include <array>
#include <initializer_list>

#include "control/base/internet_checksum.hpp"
#include "control/ha/vrrp/authentication.hpp"

namespace astil::ha {
namespace {

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv4Checksum = 10;
constexpr unsigned kPrecedence = 0xc0;  // internetwork control, as routing protocols have it (RFC 2474 section 4.2.2.1)

void add(Frame& frame, std::initializer_list<unsigned> bytes) {
  for (const unsigned byte : bytes) frame.push_back(static_cast<std::byte>(byte));
}
void add(Frame& frame, Bytes bytes) { frame.insert(frame.end(), bytes.begin(), bytes.end()); }
void add_word(Frame& frame, std::size_t word) {
  add(frame, {static_cast<unsigned>(word >> 8U & 0xffU), static_cast<unsigned>(word & 0xffU)});
}

/// Not to be fragmented, so that it needs no identification (RFC 6864 section 4.1).
Frame ipv4_header(std::size_t payload, const address& source, const address& destination) {
  Frame header;
  add(header, {0x45, kPrecedence});
  add_word(header, kIpv4Header + payload);
  add(header, {0, 0, 0x40, 0, kVrrpTtl, kVrrpProtocol, 0, 0});
  add(header, bytes_of(source));
  add(header, bytes_of(destination));
  const std::uint16_t sum = base::internet_checksum(base::sum_of_words(header));
  header[kIpv4Checksum] = static_cast<std::byte>(sum >> 8U);
  header[kIpv4Checksum + 1] = static_cast<std::byte>(sum & 0xffU);
  return header;
}

Frame ipv6_header(std::size_t payload, const address& source, const address& destination) {
  Frame header;
  add(header, {0x60U | kPrecedence >> 4U, (kPrecedence & 0x0fU) << 4U, 0, 0});
  add_word(header, payload);
  add(header, {kVrrpProtocol, kVrrpTtl});
  add(header, bytes_of(source));
  add(header, bytes_of(destination));
  return header;
}

}  // namespace

net::MacAddress virtual_router_mac(std::uint8_t ip_version, std::uint8_t virtual_router_id) {
  return {{0x00, 0x00, 0x5e, 0x00, static_cast<std::uint8_t>(ip_version == 4 ? 1 : 2), virtual_router_id}};
}

net::MacAddress multicast_mac(const address& group) {
  if (group.is_v4()) {
    const auto bytes = group.to_v4().to_bytes();
    return {{0x01, 0x00, 0x5e, static_cast<std::uint8_t>(bytes[1] & 0x7fU), bytes[2], bytes[3]}};
  }
  const auto bytes = group.to_v6().to_bytes();
  return {{0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]}};
}

Frame advert_frame(Bytes message, const address& source, const address& destination, const net::MacAddress& source_mac,
                   const net::MacAddress& destination_mac) {
  Frame frame;
  add(frame, std::as_bytes(std::span(destination_mac.bytes)));
  add(frame, std::as_bytes(std::span(source_mac.bytes)));
  add_word(frame, source.is_v4() ? 0x0800 : 0x86dd);
  add(frame, source.is_v4() ? ipv4_header(message.size(), source, destination)
                            : ipv6_header(message.size(), source, destination));
  add(frame, message);
  return frame;
}

}  // namespace astil::ha
