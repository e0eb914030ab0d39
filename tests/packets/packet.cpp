#include "tests/packets/packet.hpp"

#include <arpa/inet.h>

#include <stdexcept>
#include <string>

namespace astil::test {
namespace {

constexpr std::uint8_t kIpip = 4;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

void put8(Bytes& bytes, unsigned value) { bytes.push_back(static_cast<std::byte>(value & 0xffU)); }
void put16(Bytes& bytes, unsigned value) {
  put8(bytes, value >> 8U);
  put8(bytes, value);
}
void put32(Bytes& bytes, std::uint32_t value) {
  put16(bytes, value >> 16U);
  put16(bytes, value & 0xffffU);
}
void put_mac(Bytes& bytes, std::uint64_t mac) {
  for (unsigned i = 0; i < 6; ++i) put8(bytes, static_cast<unsigned>(mac >> (8U * i)));
}
void set16(Bytes& bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<std::byte>((value >> 8U) & 0xffU);
  bytes[at + 1] = static_cast<std::byte>(value & 0xffU);
}

std::uint32_t pseudo_header(core::Be32 source, core::Be32 destination, std::uint8_t protocol, std::size_t length) {
  std::uint32_t sum = protocol + static_cast<std::uint32_t>(length);
  for (const std::uint32_t word : {host(source), host(destination)}) sum += (word >> 16U) + (word & 0xffffU);
  return sum;
}

}  // namespace

core::Be32 ip(std::string_view dotted) {
  in_addr parsed{};
  if (::inet_pton(AF_INET, std::string(dotted).c_str(), &parsed) != 1) throw std::invalid_argument(std::string(dotted));
  return core::Be32{parsed.s_addr};
}

core::Address address(std::string_view dotted) { return {.words = {ip(dotted)}}; }

std::uint16_t internet_checksum(std::span<const std::byte> bytes, std::uint32_t start) {
  std::uint64_t sum = start;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (i % 2 == 0 ? 8U : 0U);
  }
  while ((sum >> 16U) != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

Packet& Packet::ethernet(std::uint64_t destination, std::uint64_t source) {
  destination_mac_ = destination;
  source_mac_ = source;
  return *this;
}
Packet& Packet::ether_type(std::uint16_t type) { return ether_type_ = type, *this; }
Packet& Packet::ipv4(std::string_view source, std::string_view destination) {
  source_ = ip(source);
  destination_ = ip(destination);
  return *this;
}
Packet& Packet::time_to_live(std::uint8_t hops) { return time_to_live_ = hops, *this; }
Packet& Packet::type_of_service(std::uint8_t value) { return type_of_service_ = value, *this; }
Packet& Packet::identification(std::uint16_t value) { return identification_ = value, *this; }
Packet& Packet::fragment(std::uint16_t flags_and_offset) { return fragment_ = flags_and_offset, *this; }
Packet& Packet::options(unsigned words) { return option_words_ = words, *this; }
Packet& Packet::version(unsigned value) { return version_ = value, *this; }
Packet& Packet::claims_header_words(unsigned words) { return header_words_ = words, *this; }
Packet& Packet::claims_length(std::uint16_t total) { return total_length_ = total, *this; }
Packet& Packet::tcp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags) {
  return tcp_ = Tcp{source_port, destination_port, flags}, *this;
}
Packet& Packet::udp(std::uint16_t source_port, std::uint16_t destination_port) {
  return udp_ = Udp{source_port, destination_port}, *this;
}

Packet& Packet::without_checksum() { return without_checksum_ = true, *this; }
Packet& Packet::carrying(const Packet& inner) { return inner_ = inner.datagram(), *this; }
Packet& Packet::payload(std::size_t bytes) { return payload_ = bytes, *this; }

Bytes Packet::transport(std::uint8_t& protocol) const {
  Bytes bytes = inner_;
  protocol = kIpip;
  std::size_t checksum_at = 0;
  if (tcp_) {
    protocol = kTcp;
    put16(bytes, tcp_->source_port);
    put16(bytes, tcp_->destination_port);
    put32(bytes, 0x01020304);  // sequence
    put32(bytes, (tcp_->flags & kAck) != 0 ? 0x0a0b0c0dU : 0U);
    put8(bytes, 5U << 4U);  // header length
    put8(bytes, tcp_->flags);
    put16(bytes, 0xfaf0);  // window
    checksum_at = bytes.size();
    put16(bytes, 0);
    put16(bytes, 0);
  } else if (udp_) {
    protocol = kUdp;
    put16(bytes, udp_->source_port);
    put16(bytes, udp_->destination_port);
    put16(bytes, static_cast<unsigned>(8 + payload_));
    checksum_at = bytes.size();
    put16(bytes, 0);
  }
  for (std::size_t i = 0; i < payload_; ++i) put8(bytes, static_cast<unsigned>(i * 7 + 1));
  if (checksum_at != 0 && !without_checksum_) {
    const std::uint16_t sum = internet_checksum(bytes, pseudo_header(source_, destination_, protocol, bytes.size()));
    set16(bytes, checksum_at, protocol == kUdp && sum == 0 ? 0xffff : sum);
  }
  return bytes;
}

Bytes Packet::datagram() const {
  std::uint8_t protocol = 0;
  const Bytes body = transport(protocol);
  const unsigned words = 5 + option_words_;
  Bytes bytes;
  put8(bytes, (version_ << 4U) | header_words_.value_or(words));
  put8(bytes, type_of_service_);
  put16(bytes, total_length_.value_or(static_cast<std::uint16_t>(words * 4 + body.size())));
  put16(bytes, identification_);
  put16(bytes, fragment_);
  put8(bytes, time_to_live_);
  put8(bytes, protocol);
  put16(bytes, 0);
  put32(bytes, host(source_));
  put32(bytes, host(destination_));
  bytes.insert(bytes.end(), std::size_t{option_words_} * 4, std::byte{1});
  set16(bytes, 10, internet_checksum(bytes));
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

Bytes Packet::bytes() const {
  Bytes bytes;
  put_mac(bytes, destination_mac_);
  put_mac(bytes, source_mac_);
  put16(bytes, ether_type_);
  const Bytes rest = datagram();
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

std::string_view complaint(std::span<const std::byte> datagram) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(datagram[i]); };
  const auto word = [&](std::size_t i) { return (at(i) << 8U) | at(i + 1); };
  if (datagram.size() < 20) return "shorter than a header";
  const std::size_t header = (at(0) & 0x0fU) * std::size_t{4};
  const std::size_t total = word(2);
  if (header < 20 || total < header || total > datagram.size()) return "lengths contradict each other";
  if (internet_checksum(datagram.first(header)) != 0) return "wrong checksum of the IP header";
  const auto body = datagram.subspan(header, total - header);
  if (at(9) == kIpip) return complaint(body);
  if (at(9) != kTcp && at(9) != kUdp) return "";
  if (at(9) == kUdp && body.size() >= 8 && word(header + 6) == 0) return "";
  const core::Be32 source = core::be32((word(12) << 16U) | word(14));
  const core::Be32 destination = core::be32((word(16) << 16U) | word(18));
  return internet_checksum(body, pseudo_header(source, destination, static_cast<std::uint8_t>(at(9)), body.size())) == 0
             ? ""
             : "wrong checksum of TCP or UDP";
}

}  // namespace astil::test
