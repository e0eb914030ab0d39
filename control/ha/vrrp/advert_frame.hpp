// Adverts as whole frames, for virtual routers with a MAC address of their own: the source MAC of an advert is that
// one, from which switches learn where it is (RFC 9568 section 7.2). Pure.
#pragma once

#include <optional>

#include "control/ha/vrrp/announcement.hpp"
#include "control/ha/vrrp/wire.hpp"

namespace astil::ha {

/// 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for IPv6 (RFC 9568 section 7.3). `ip_version` is 4 or 6.
[[nodiscard]] net::MacAddress virtual_router_mac(std::uint8_t ip_version, std::uint8_t virtual_router_id);

/// Where frames to an IP multicast address go (RFC 1112 section 6.4, RFC 2464 section 7).
[[nodiscard]] net::MacAddress multicast_mac(const address& group);

/// `message` is of build_advert(), and what authenticates it. TTL or Hop Limit is 255.
[[nodiscard]] Frame advert_frame(Bytes message, const address& source, const address& destination,
                                 const net::MacAddress& source_mac, const net::MacAddress& destination_mac);

}  // namespace astil::ha
