// A packet, built header by header in a way that reads like a sentence:
//
//   Packet().ethernet(kBalancerMac, kClientMac).ipv4("192.0.2.10", "198.51.100.1").tcp(40000, 80, kSyn).payload(100)
//
// Lengths and checksums are worked out from scratch over the finished bytes, by nothing that the packet path uses; so a
// packet that should come out is built the same way, and compared byte for byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/core/layout.hpp"

namespace astil::test {

using Bytes = std::vector<std::byte>;

/// An IPv4 address from its dotted form.
[[nodiscard]] core::Be32 ip(std::string_view dotted);
[[nodiscard]] core::Address address(std::string_view dotted);

/// 02:00:00:00:00:`last`, as the tables have it: the first byte on the wire is the lowest.
constexpr std::uint64_t mac(std::uint8_t last) { return 0x02ULL | (std::uint64_t{last} << 40U); }

inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kAck = 0x10;

inline constexpr std::uint16_t kDontFragmentBit = 0x4000;
inline constexpr std::uint16_t kMoreFragmentsBit = 0x2000;

class Packet {
 public:
  Packet& ethernet(std::uint64_t destination, std::uint64_t source);
  Packet& ether_type(std::uint16_t type);
  Packet& ipv4(std::string_view source, std::string_view destination);
  Packet& time_to_live(std::uint8_t hops);
  Packet& type_of_service(std::uint8_t value);
  Packet& identification(std::uint16_t value);
  Packet& fragment(std::uint16_t flags_and_offset);
  /// Options of so many 32-bit words, all "no operation".
  Packet& options(unsigned words);
  Packet& version(unsigned value);
  /// A header length in 32-bit words that is not the true one.
  Packet& claims_header_words(unsigned words);
  /// A total length that is not the true one.
  Packet& claims_length(std::uint16_t total);
  Packet& tcp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags);
  Packet& udp(std::uint16_t source_port, std::uint16_t destination_port);
  /// UDP's checksum is 0: none.
  Packet& without_checksum();
  /// IP-in-IP: the other packet without its Ethernet header.
  Packet& carrying(const Packet& inner);
  Packet& payload(std::size_t bytes);

  [[nodiscard]] Bytes bytes() const;
  [[nodiscard]] Bytes datagram() const;

 private:
  struct Tcp {
    std::uint16_t source_port, destination_port;
    std::uint8_t flags;
  };
  struct Udp {
    std::uint16_t source_port, destination_port;
  };
  [[nodiscard]] Bytes transport(std::uint8_t& protocol) const;

  std::uint64_t destination_mac_ = 0;
  std::uint64_t source_mac_ = 0;
  std::uint16_t ether_type_ = 0x0800;
  core::Be32 source_{};
  core::Be32 destination_{};
  std::uint8_t time_to_live_ = 64;
  std::uint8_t type_of_service_ = 0;
  std::uint16_t identification_ = 0x1234;
  std::uint16_t fragment_ = kDontFragmentBit;
  unsigned option_words_ = 0;
  unsigned version_ = 4;
  std::optional<unsigned> header_words_;
  std::optional<std::uint16_t> total_length_;
  std::optional<Tcp> tcp_;
  std::optional<Udp> udp_;
  bool without_checksum_ = false;
  Bytes inner_;
  std::size_t payload_ = 0;
};

/// RFC 1071's sum over bytes, complemented, as a number; two zero bytes stand for no checksum field yet.
[[nodiscard]] std::uint16_t internet_checksum(std::span<const std::byte> bytes, std::uint32_t start = 0);

/// What is wrong with the lengths and checksums of an IPv4 TCP datagram, an IP-in-IP one included; empty: nothing.
[[nodiscard]] std::string_view complaint(std::span<const std::byte> datagram);

}  // namespace astil::test
