// Datagrams that the packet path has made, sent by the kernel: it finds the next hop's MAC address, and holds them
// until it has it. Of one thread.
#pragma once

#include <cstddef>
#include <span>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"

namespace astil::dpdk {

class KernelSender {
 public:
  static Result<KernelSender> open();

  /// Takes a frame of either version of IP, whose Ethernet header and tags do not count: the kernel makes others.
  /// False: it does not take it.
  bool send(std::span<const std::byte> frame);

 private:
  KernelSender(base::Descriptor ipv4, base::Descriptor ipv6) : ipv4_(std::move(ipv4)), ipv6_(std::move(ipv6)) {}

  base::Descriptor ipv4_;
  base::Descriptor ipv6_;  ///< none: this host has no IPv6
};

}  // namespace astil::dpdk
