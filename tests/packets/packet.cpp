#include "tests/packets/packet.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace astil::test {
namespace {

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIpip = 4;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIpv6 = 41;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kIcmpv6 = 58;
constexpr std::uint8_t kDestinationOptions = 60;

/// With room for what most frames have.
Bytes empty_frame() {
  constexpr std::size_t kRoom = 256;
  Bytes bytes;
  bytes.reserve(kRoom);
  return bytes;
}

void put_mac(Bytes& bytes, std::uint64_t mac) {
  for (unsigned i = 0; i < 6; ++i) put8(bytes, static_cast<unsigned>(mac >> (8U * i)));
}
void put_address(Bytes& bytes, const core::Address& address) {
  for (const core::Be32 word : address.words) put32(bytes, host(word));
}

/// RFC 9293, section 3.1, and RFC 8200, section 8.1. What an IPv4 address has in front of it is no part of the sum.
std::uint32_t pseudo_header(const core::Address& source, const core::Address& destination, bool is_ipv6,
                            std::uint8_t protocol, std::size_t length) {
  std::uint32_t sum = protocol + static_cast<std::uint32_t>(length);
  for (const core::Address& address : {source, destination}) {
    for (const core::Be32 word : std::span(address.words).subspan(is_ipv6 ? 0 : 3)) {
      sum += (host(word) >> 16U) + (host(word) & 0xffffU);
    }
  }
  return sum;
}

}  // namespace

core::Be32 ip(std::string_view dotted) {
  in_addr parsed{};
  if (::inet_pton(AF_INET, std::string(dotted).c_str(), &parsed) != 1) throw std::invalid_argument(std::string(dotted));
  return core::Be32{parsed.s_addr};
}

core::Address address(std::string_view text) {
  if (text.find(':') == std::string_view::npos) return core::mapped(ip(text));
  core::Address parsed{};
  static_assert(sizeof(parsed) == sizeof(in6_addr));
  if (::inet_pton(AF_INET6, std::string(text).c_str(), &parsed) != 1) throw std::invalid_argument(std::string(text));
  return parsed;
}

Packet& Packet::ethernet(std::uint64_t destination, std::uint64_t source) {
  destination_mac_ = destination;
  source_mac_ = source;
  return *this;
}
Packet& Packet::vlan(std::uint16_t id) { return vlans_.push_back(id), *this; }
Packet& Packet::ether_type(std::uint16_t type) { return ether_type_ = type, *this; }

Packet& Packet::ipv4(std::string_view source, std::string_view destination) {
  is_ipv6_ = false;
  source_ = core::mapped(ip(source));
  destination_ = core::mapped(ip(destination));
  return *this;
}
Packet& Packet::ipv6(std::string_view source, std::string_view destination) {
  is_ipv6_ = true;
  source_ = address(source);
  destination_ = address(destination);
  return *this;
}
Packet& Packet::time_to_live(std::uint8_t hops) { return time_to_live_ = hops, *this; }
Packet& Packet::type_of_service(std::uint8_t value) { return type_of_service_ = value, *this; }
Packet& Packet::flow_label(std::uint32_t label) { return flow_label_ = label, *this; }
Packet& Packet::identification(std::uint16_t value) { return identification_ = value, *this; }
Packet& Packet::fragment(std::uint16_t flags_and_offset) { return fragment_ = flags_and_offset, *this; }
Packet& Packet::options(unsigned words) { return option_words_ = words, *this; }
Packet& Packet::version(unsigned value) { return version_ = value, *this; }
Packet& Packet::claims_header_words(unsigned words) { return header_words_ = words, *this; }
Packet& Packet::claims_length(std::uint16_t bytes) { return length_ = bytes, *this; }

/// Filled with an option of no meaning that whoever does not know it skips (RFC 4727, section 3.3: 0x1e); the kernel
/// takes no long padding.
Packet& Packet::options_header(std::uint8_t number, unsigned units) {
  constexpr std::size_t kLongest = 256;
  Bytes bytes;
  put8(bytes, 0);
  put8(bytes, units);
  for (std::size_t left = 6 + std::size_t{units} * 8; left > 0;) {
    const std::size_t length = std::min(left, kLongest);
    put8(bytes, 0x1e);
    put8(bytes, static_cast<unsigned>(length - 2));
    put_pattern(bytes, length - 2);
    left -= length;
  }
  extensions_.push_back({.number = number, .bytes = bytes});
  return *this;
}
Packet& Packet::hop_by_hop(unsigned units) { return options_header(kHopByHop, units); }
Packet& Packet::destination_options(unsigned units) { return options_header(kDestinationOptions, units); }

/// Of a type for experiments (RFC 4727, section 3.4), all its segments behind it: the destination is the last one.
Packet& Packet::routing(unsigned units) {
  Bytes bytes;
  put8(bytes, 0);
  put8(bytes, units);
  put8(bytes, 253);
  put8(bytes, 0);
  put_pattern(bytes, 4 + std::size_t{units} * 8);
  extensions_.push_back({.number = kRouting, .bytes = bytes});
  return *this;
}

Packet& Packet::authentication(unsigned units) {
  Bytes bytes;
  put8(bytes, 0);
  put8(bytes, (1 + units) * 2 - 2);  // in units of 4 bytes, minus 2
  put16(bytes, 0);
  put32(bytes, 0x00000100);  // security parameters index
  if (units > 0) put32(bytes, 1);
  put_pattern(bytes, (1 + std::size_t{units}) * 8 - bytes.size());
  extensions_.push_back({.number = kAuthentication, .bytes = bytes});
  return *this;
}

Packet& Packet::fragment_header(std::size_t offset_bytes, Following following, std::uint32_t identification) {
  Bytes bytes;
  put16(bytes, 0);
  put16(bytes, static_cast<unsigned>(offset_bytes) | (following == Following::more ? 1U : 0U));
  put32(bytes, identification);
  extensions_.push_back({.number = kFragment, .bytes = bytes});
  return *this;
}

Packet& Packet::tcp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags) {
  return transport_ = Tcp{source_port, destination_port, flags}, *this;
}
Packet& Packet::udp(std::uint16_t source_port, std::uint16_t destination_port) {
  return transport_ = Udp{source_port, destination_port}, *this;
}
Packet& Packet::mss(std::uint16_t bytes) { return mss_ = bytes, *this; }
Packet& Packet::sequence(std::uint32_t sequence, std::uint32_t acknowledgment) {
  sequence_ = sequence;
  acknowledgment_ = acknowledgment;
  return *this;
}
Packet& Packet::window(std::uint16_t value) { return window_ = value, *this; }
Packet& Packet::without_checksum() { return checksum_ = Checksum::none, *this; }
Packet& Packet::checksum_partial() { return checksum_ = Checksum::partial, *this; }
Packet& Packet::protocol(std::uint8_t number) {
  transport_ = std::monostate{};
  protocol_ = number;
  return *this;
}
Packet& Packet::later_fragment(std::uint8_t protocol_number, std::size_t offset_bytes, std::size_t bytes,
                               Following following) {
  if (is_ipv6_) {
    fragment_header(offset_bytes, following, identification_);
  } else {
    fragment(static_cast<std::uint16_t>(offset_bytes / 8 | (following == Following::more ? kMoreFragmentsBit : 0U)));
  }
  return protocol(protocol_number).payload(bytes);
}

Packet& Packet::icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest_of_header) {
  return transport_ = Icmp{type, code, rest_of_header, {}}, *this;
}
Packet& Packet::icmp_error(std::uint8_t type, std::uint8_t code, std::uint32_t rest_of_header, const Packet& quoted,
                           std::size_t quoted_bytes) {
  Bytes quote = quoted.datagram();
  if (quoted_bytes != 0 && quoted_bytes < quote.size()) quote.resize(quoted_bytes);
  return transport_ = Icmp{type, code, rest_of_header, std::move(quote)}, *this;
}
Packet& Packet::echo_request(std::uint16_t identifier, std::uint16_t sequence) {
  return icmp(is_ipv6_ ? 128 : 8, 0, (std::uint32_t{identifier} << 16U) | sequence);
}
Packet& Packet::echo_reply(std::uint16_t identifier, std::uint16_t sequence) {
  return icmp(is_ipv6_ ? 129 : 0, 0, (std::uint32_t{identifier} << 16U) | sequence);
}

Packet& Packet::carrying(const Packet& inner) {
  inner_ = Inner{.protocol = inner.is_ipv6_ ? kIpv6 : kIpip, .datagram = inner.datagram()};
  return *this;
}
Packet& Packet::gue(std::uint16_t source_port, std::uint16_t destination_port) {
  return udp(source_port, destination_port).without_checksum();
}
Packet& Packet::gue_header() { return gue_header_ = true, *this; }
Packet& Packet::payload(std::size_t bytes) { return payload_ = bytes, *this; }

Packet::Part Packet::tcp_header(const Tcp& tcp) const {
  Bytes bytes = empty_frame();
  put16(bytes, tcp.source_port);
  put16(bytes, tcp.destination_port);
  put32(bytes, sequence_);
  put32(bytes, acknowledgment_.value_or((tcp.flags & kAck) != 0 ? 0x0a0b0c0dU : 0U));
  put8(bytes, (mss_ ? 6U : 5U) << 4U);  // header length
  put8(bytes, tcp.flags);
  put16(bytes, window_);
  put16(bytes, 0);
  put16(bytes, 0);
  if (mss_) {
    put16(bytes, 0x0204);  // kind, length
    put16(bytes, *mss_);
  }
  return {.protocol = kTcp, .bytes = bytes, .checksum_at = 16};
}

Packet::Part Packet::transport_header(std::size_t inside_bytes) const {
  if (const Tcp* const tcp = std::get_if<Tcp>(&transport_)) return tcp_header(*tcp);
  Bytes bytes = empty_frame();
  if (const Udp* const udp = std::get_if<Udp>(&transport_)) {
    put16(bytes, udp->source_port);
    put16(bytes, udp->destination_port);
    put16(bytes, static_cast<unsigned>(8 + inside_bytes));
    put16(bytes, 0);
    return {.protocol = kUdp, .bytes = bytes, .checksum_at = 6};
  }
  if (const Icmp* const icmp = std::get_if<Icmp>(&transport_)) {
    put8(bytes, icmp->type);
    put8(bytes, icmp->code);
    put16(bytes, 0);
    put32(bytes, icmp->rest_of_header);
    append(bytes, icmp->quote);
    return {.protocol = is_ipv6_ ? kIcmpv6 : kIcmp, .bytes = bytes, .checksum_at = 2};
  }
  return {.protocol = protocol_.value_or(inner_ ? inner_->protocol : (is_ipv6_ ? kIpv6 : kIpip)), .bytes = bytes};
}

Bytes Packet::inside() const {
  Bytes bytes = empty_frame();
  if (gue_header_) {
    put8(bytes, 0);  // variant 0, no control message, no further words
    put8(bytes, inner_ ? inner_->protocol : 0U);
    put16(bytes, 0);
  }
  if (inner_) append(bytes, inner_->datagram);
  put_pattern(bytes, payload_);
  return bytes;
}

void Packet::set_checksum(Part& body) const {
  if (body.checksum_at == 0 || checksum_ == Checksum::none) return;
  const std::uint32_t pseudo =
      body.protocol == kIcmp ? 0 : pseudo_header(source_, destination_, is_ipv6_, body.protocol, body.bytes.size());
  if (checksum_ == Checksum::partial) {
    set16(body.bytes, body.checksum_at, ~unsigned{internet_checksum({}, pseudo)});
    return;
  }
  const std::uint16_t sum = internet_checksum(body.bytes, pseudo);
  set16(body.bytes, body.checksum_at, body.protocol == kUdp && sum == 0 ? 0xffff : sum);
}

Packet::Part Packet::body() const {
  const Bytes all_inside = inside();
  Part body = transport_header(all_inside.size());
  append(body.bytes, all_inside);
  set_checksum(body);
  return body;
}

Bytes Packet::ipv4_header(std::uint8_t protocol, std::size_t body_bytes) const {
  const unsigned words = 5 + option_words_;
  Bytes bytes = empty_frame();
  put8(bytes, (version_.value_or(4) << 4U) | header_words_.value_or(words));
  put8(bytes, type_of_service_);
  put16(bytes, length_.value_or(static_cast<std::uint16_t>(words * 4 + body_bytes)));
  put16(bytes, identification_);
  put16(bytes, fragment_);
  put8(bytes, time_to_live_);
  put8(bytes, protocol);
  put16(bytes, 0);
  put32(bytes, host(core::ipv4_of(source_)));
  put32(bytes, host(core::ipv4_of(destination_)));
  bytes.insert(bytes.end(), std::size_t{option_words_} * 4, std::byte{1});
  set16(bytes, 10, internet_checksum(bytes));
  return bytes;
}

Bytes Packet::ipv6_header(std::uint8_t protocol, std::size_t body_bytes) const {
  Bytes bytes = empty_frame();
  put32(bytes, (version_.value_or(6) << 28U) | (std::uint32_t{type_of_service_} << 20U) | flow_label_);
  put16(bytes, length_.value_or(static_cast<std::uint16_t>(body_bytes)));
  put8(bytes, protocol);
  put8(bytes, time_to_live_);
  put_address(bytes, source_);
  put_address(bytes, destination_);
  return bytes;
}

Bytes Packet::datagram() const {
  auto [protocol, inside, _] = body();
  for (std::size_t i = extensions_.size(); i > 0; --i) {
    Bytes bytes = extensions_[i - 1].bytes;
    bytes[0] = std::byte{protocol};
    protocol = extensions_[i - 1].number;
    append(bytes, inside);
    inside = std::move(bytes);
  }
  Bytes bytes = is_ipv6_ ? ipv6_header(protocol, inside.size()) : ipv4_header(protocol, inside.size());
  append(bytes, inside);
  return bytes;
}

Bytes Packet::bytes() const {
  Bytes bytes = empty_frame();
  put_mac(bytes, destination_mac_);
  put_mac(bytes, source_mac_);
  for (std::size_t i = 0; i < vlans_.size(); ++i) {
    put16(bytes, i + 1 < vlans_.size() ? 0x88a8 : 0x8100);
    put16(bytes, vlans_[i]);
  }
  put16(bytes, ether_type_.value_or(is_ipv6_ ? 0x86dd : 0x0800));
  append(bytes, datagram());
  return bytes;
}

}  // namespace astil::test
