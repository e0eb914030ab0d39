// What is wrong with a packet, looked at from the outside: its lengths and checksums, and those of all that it carries.
// Written from the RFCs, without anything that the packet path uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace astil::test {

/// Where IANA has Generic UDP Encapsulation.
inline constexpr std::uint16_t kUsualGuePort = 6080;

/// The complaint about TCP or UDP whose checksum field holds the pseudo header's sum alone, not complemented: the
/// hardware was to do the rest.
inline constexpr std::string_view kPartialChecksum = "partial checksum";

/// What is wrong with an IPv4 or IPv6 datagram: its own lengths and checksums, those of TCP, UDP or ICMP in it, of what
/// an ICMP error quotes, and of the packets in tunnels (IP-in-IP, and GUE to `gue_port`). Empty: nothing. Bytes behind
/// the datagram are none of it, and a fragment tells nothing about its transport.
[[nodiscard]] std::string_view complaint(std::span<const std::byte> datagram, std::uint16_t gue_port = kUsualGuePort);

/// The same for a whole Ethernet frame, with any number of VLAN tags. Nothing is wrong with what is not IP.
[[nodiscard]] std::string_view complaint_of_frame(std::span<const std::byte> frame,
                                                  std::uint16_t gue_port = kUsualGuePort);

}  // namespace astil::test
