// The echo request that an ICMP check sends, and which packets answer it: RFC 792 and, of IPv6, RFC 4443 section 4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace astil::health {

enum class IpVersion { ipv4, ipv6 };

/// Type, code, checksum, id, sequence, and some bytes. Of IPv6 the checksum is 0: the kernel writes it.
[[nodiscard]] std::vector<std::byte> echo_request(IpVersion version, std::uint16_t id, std::uint16_t sequence);

/// Whether the packet is the reply to the request, which echo_request made. As raw sockets give packets: of IPv4 behind
/// its IP header, of IPv6 without.
[[nodiscard]] bool is_echo_reply(IpVersion version, std::span<const std::byte> request,
                                 std::span<const std::byte> packet);

}  // namespace astil::health
