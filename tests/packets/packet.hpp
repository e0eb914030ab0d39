// A packet, built header by header in a way that reads like a sentence:
//
//   Packet().ethernet(kBalancerMac, kClientMac).ipv4("192.0.2.10", "198.51.100.1").tcp(40000, 80, kSyn).payload(100)
//   Packet().ethernet(...).ipv6("2001:db8::1", "2001:db8::2").gue(55555, 6080).carrying(inner)
//
// Lengths and checksums are worked out from scratch over the finished bytes, by nothing that the packet path uses; so a
// packet that should come out is built the same way, and compared byte for byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "dataplane/core/address.hpp"
#include "tests/packets/wire.hpp"

namespace astil::test {

/// An IPv4 address from its dotted form.
[[nodiscard]] core::Be32 ip(std::string_view dotted);
/// An address of either version from its text; an IPv4 address as tables have it (core::mapped).
[[nodiscard]] core::Address address(std::string_view text);

/// 02:00:00:00:00:`last`, as the tables have it: the first byte on the wire is the lowest.
constexpr std::uint64_t mac(std::uint8_t last) { return 0x02ULL | (std::uint64_t{last} << 40U); }

inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kAck = 0x10;

inline constexpr std::uint16_t kDontFragmentBit = 0x4000;
inline constexpr std::uint16_t kMoreFragmentsBit = 0x2000;

/// What follows a fragment.
enum class Following { nothing, more };

/// All numbers in host byte order. What is not called has a usual value: IPv4, 64 hops, DF, no transport.
class Packet {
 public:
  Packet& ethernet(std::uint64_t destination, std::uint64_t source);
  /// A tag (IEEE 802.1Q) of a network 0 to 4095. Called twice the first is the outer one, of type 0x88a8 (IEEE
  /// 802.1ad).
  Packet& vlan(std::uint16_t id);
  /// Not the type of the IP version.
  Packet& ether_type(std::uint16_t type);

  Packet& ipv4(std::string_view source, std::string_view destination);
  Packet& ipv6(std::string_view source, std::string_view destination);
  Packet& time_to_live(std::uint8_t hops);
  Packet& hop_limit(std::uint8_t hops) { return time_to_live(hops); }
  Packet& type_of_service(std::uint8_t value);
  Packet& traffic_class(std::uint8_t value) { return type_of_service(value); }
  /// IPv6: 20 bits.
  Packet& flow_label(std::uint32_t label);
  /// IPv4.
  Packet& identification(std::uint16_t value);
  /// IPv4.
  Packet& fragment(std::uint16_t flags_and_offset);
  /// IPv4: options of so many 32-bit words, all "no operation".
  Packet& options(unsigned words);
  Packet& version(unsigned value);
  /// IPv4: a header length in 32-bit words that is not the true one.
  Packet& claims_header_words(unsigned words);
  /// A length that is not the true one: IPv4's total length, IPv6's payload length.
  Packet& claims_length(std::uint16_t bytes);

  // IPv6's extension headers, in the order called. Each is 8 * (1 + units) bytes long.
  Packet& hop_by_hop(unsigned units = 0);
  Packet& routing(unsigned units = 0);
  Packet& destination_options(unsigned units = 0);
  /// RFC 4302; below one unit it has no room for what belongs into it.
  Packet& authentication(unsigned units = 1);
  Packet& fragment_header(std::size_t offset_bytes, Following following, std::uint32_t identification);

  Packet& tcp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags);
  /// TCP's option of the maximum segment size (RFC 9293, section 3.7.1).
  Packet& mss(std::uint16_t bytes);
  Packet& sequence(std::uint32_t sequence, std::uint32_t acknowledgment);
  Packet& window(std::uint16_t value);
  Packet& udp(std::uint16_t source_port, std::uint16_t destination_port);
  /// The checksum field is 0: UDP has none then.
  Packet& without_checksum();
  /// The checksum field of TCP or UDP holds the sum of the pseudo header, not complemented: what Linux leaves to the
  /// hardware (CHECKSUM_PARTIAL).
  Packet& checksum_partial();
  /// A protocol whose header is not built here: what is inside is payload() alone.
  Packet& protocol(std::uint8_t number);
  /// The rest of a transport that began in another fragment: so many bytes of a pattern. To be called after ipv4() or
  /// ipv6() and identification(), whose 16 bits IPv6's fragment header gets too.
  Packet& later_fragment(std::uint8_t protocol, std::size_t offset_bytes, std::size_t bytes,
                         Following following = Following::nothing);

  // ICMP or ICMPv6, by the version said before.
  Packet& icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest_of_header);
  /// With the first bytes of another packet's datagram; 0: with all of them.
  Packet& icmp_error(std::uint8_t type, std::uint8_t code, std::uint32_t rest_of_header, const Packet& quoted,
                     std::size_t quoted_bytes = 0);
  Packet& echo_request(std::uint16_t identifier, std::uint16_t sequence);
  Packet& echo_reply(std::uint16_t identifier, std::uint16_t sequence);

  /// The other packet without its Ethernet header: IP-in-IP (RFC 2003, RFC 2473), or inside of what gue() wrote.
  Packet& carrying(const Packet& inner);
  /// Generic UDP encapsulation, variant 1: the packet carried stands directly behind UDP's header, whose checksum is 0.
  Packet& gue(std::uint16_t source_port, std::uint16_t destination_port);
  /// Variant 0: behind UDP's header GUE's own of 4 bytes.
  Packet& gue_header();

  /// Behind all else so many bytes, of a pattern.
  Packet& payload(std::size_t bytes);

  /// The frame.
  [[nodiscard]] Bytes bytes() const;
  /// Without the Ethernet header.
  [[nodiscard]] Bytes datagram() const;

 private:
  struct Extension {
    std::uint8_t number;
    Bytes bytes;  ///< the first, which says what follows, is filled in later
  };
  struct Tcp {
    std::uint16_t source_port, destination_port;
    std::uint8_t flags;
  };
  struct Udp {
    std::uint16_t source_port, destination_port;
  };
  struct Inner {
    std::uint8_t protocol;
    Bytes datagram;
  };
  struct Icmp {
    std::uint8_t type, code;
    std::uint32_t rest_of_header;
    Bytes quote;
  };
  enum class Checksum { right, none, partial };
  /// A header, or all that follows one.
  struct Part {
    std::uint8_t protocol;
    Bytes bytes;
    std::size_t checksum_at = 0;  ///< 0: has none
  };
  [[nodiscard]] Part tcp_header(const Tcp& tcp) const;
  [[nodiscard]] Part transport_header(std::size_t inside_bytes) const;
  [[nodiscard]] Bytes inside() const;
  [[nodiscard]] Part body() const;
  void set_checksum(Part& body) const;
  [[nodiscard]] Bytes ipv4_header(std::uint8_t protocol, std::size_t body_bytes) const;
  [[nodiscard]] Bytes ipv6_header(std::uint8_t protocol, std::size_t body_bytes) const;
  Packet& options_header(std::uint8_t number, unsigned units);

  std::uint64_t destination_mac_ = 0;
  std::uint64_t source_mac_ = 0;
  std::vector<std::uint16_t> vlans_;
  std::optional<std::uint16_t> ether_type_;

  bool is_ipv6_ = false;
  core::Address source_ = core::mapped({});
  core::Address destination_ = core::mapped({});
  std::uint8_t time_to_live_ = 64;
  std::uint8_t type_of_service_ = 0;
  std::uint32_t flow_label_ = 0;
  std::uint16_t identification_ = 0x1234;
  std::uint16_t fragment_ = kDontFragmentBit;
  unsigned option_words_ = 0;
  std::optional<unsigned> version_;
  std::optional<unsigned> header_words_;
  std::optional<std::uint16_t> length_;
  std::vector<Extension> extensions_;

  std::optional<std::uint8_t> protocol_;
  std::variant<std::monostate, Tcp, Udp, Icmp> transport_;
  std::optional<std::uint16_t> mss_;
  std::uint32_t sequence_ = 0x01020304;
  std::optional<std::uint32_t> acknowledgment_;
  std::uint16_t window_ = 0xfaf0;
  Checksum checksum_ = Checksum::right;
  bool gue_header_ = false;
  std::optional<Inner> inner_;
  std::size_t payload_ = 0;
};

}  // namespace astil::test
