#include "dataplane/dpdk/app/kernel_sender.hpp"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "dataplane/core/headers.hpp"
#include "dataplane/core/vlan.hpp"

namespace astil::dpdk {
namespace {

/// What is behind the Ethernet header and its tags, and its EtherType.
std::span<const std::byte> datagram_of(std::span<const std::byte> frame, core::Be16& type) {
  std::size_t at = offsetof(core::EthernetHeader, type);
  while (frame.size() >= at + sizeof(type)) {
    std::memcpy(&type, &frame[at], sizeof(type));
    if (!core::detail::is_vlan(type)) return frame.subspan(at + sizeof(type));
    at += core::kVlanTagBytes;
  }
  return {};
}

}  // namespace

/// Nothing is ever received by them: they take no protocol that is sent to this host.
Result<KernelSender> KernelSender::open() {
  constexpr int kKind = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
  base::Descriptor ipv4(::socket(AF_INET, kKind, IPPROTO_RAW));
  if (!ipv4.valid()) {
    const int reason = errno;
    Error error = system_error("open a raw socket", reason);
    if (reason == EPERM) error.remedy = "run as root, or with CAP_NET_RAW";
    return error;
  }
  return KernelSender(std::move(ipv4), base::Descriptor(::socket(AF_INET6, kKind, IPPROTO_RAW)));
}

bool KernelSender::send(std::span<const std::byte> frame) {
  core::Be16 type{};
  const auto datagram = datagram_of(frame, type);
  // Where it goes stands in its own header; the socket wants it besides.
  if (type == core::kEtherTypeIpv4 && datagram.size() >= sizeof(iphdr)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, &datagram[offsetof(iphdr, daddr)], sizeof(to.sin_addr));
    return ::sendto(ipv4_.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                    sizeof(to)) >= 0;
  }
  if (type == core::kEtherTypeIpv6 && datagram.size() >= sizeof(ip6_hdr)) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    std::memcpy(&to.sin6_addr, &datagram[offsetof(ip6_hdr, ip6_dst)], sizeof(to.sin6_addr));
    return ::sendto(ipv6_.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                    sizeof(to)) >= 0;
  }
  return false;
}

}  // namespace astil::dpdk
