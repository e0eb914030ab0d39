// VRRP version 3 adverts as they are on the wire (RFC 9568 section 5). Pure: bytes in, values out. What comes from the
// network is hostile: nothing is read past its span, and every packet that is not taken has a reason.
//
//     0                   1                   2                   3
//    |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//    |Reserve| Max Advertise Interval|          Checksum             |
//    |                       IPvX Address(es) ...                    |
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "control/ha/channel.hpp"

namespace astil::ha {

using boost::asio::ip::address;

inline constexpr std::uint8_t kVrrpProtocol = 112;  ///< section 5.1.1.4
inline constexpr std::uint8_t kVrrpTtl = 255;       ///< section 5.1.1.3; Hop Limit: 5.1.2.3
inline constexpr std::uint8_t kOwnerPriority = 255;
inline constexpr std::uint8_t kLeavingPriority = 0;
inline constexpr std::size_t kAdvertHeader = 8;

/// Section 5.1.1.2: 224.0.0.18; section 5.1.2.2: ff02::12.
[[nodiscard]] address advert_multicast(bool is_v4);

enum class ChecksumKind { with_pseudo_header, plain };

struct Advert {
  std::uint8_t virtual_router_id = 0;
  std::uint8_t priority = 0;
  std::uint16_t max_interval = 0;  ///< centiseconds, 12 bits
  std::vector<address> addresses;  ///< of one version
};

/// Packets that a socket gives in a turn, at most: whoever floods one keeps no timer of the election from running out.
inline constexpr int kPacketsAtOnce = 64;

/// A packet as it came, without its IP header.
struct Received {
  Bytes payload;
  address source;
  address destination;
  std::uint8_t ttl = 0;  ///< or Hop Limit
};

/// The length of the advert that the payload begins with, by its count of addresses; none: it is cut short. What
/// follows it is not VRRP's (authentication.hpp).
[[nodiscard]] std::optional<std::size_t> advert_length(Bytes payload, bool is_v4);

/// Checks all of section 7.1 that needs no knowledge of the groups here, in its order. Under IPv6 the checksum always
/// has the pseudo-header.
[[nodiscard]] std::variant<Advert, AdvertDrop> parse_advert(const Received& packet, ChecksumKind checksum);

/// The VRID of a packet, to find whose settings it is checked by; none: too short to have one.
[[nodiscard]] std::optional<std::uint8_t> peek_router_id(Bytes payload);

/// The message with its checksum. `source` and `destination` are of the packet that carries it.
[[nodiscard]] std::vector<std::byte> build_advert(const Advert& advert, const address& source,
                                                  const address& destination, ChecksumKind checksum);

/// The Internet checksum (RFC 1071) over the pseudo-header (RFC 768, RFC 8200 section 8.1) and the message, in host
/// byte order; 0 where the message has the right one in it.
[[nodiscard]] std::uint16_t checksum_with_pseudo_header(Bytes message, const address& source,
                                                        const address& destination, std::uint8_t protocol);
[[nodiscard]] std::uint16_t plain_checksum(Bytes message);

/// Between records of the channel and addresses.
[[nodiscard]] address to_address(const AddressRecord& record);
[[nodiscard]] AddressRecord to_record(const address& host);

}  // namespace astil::ha
