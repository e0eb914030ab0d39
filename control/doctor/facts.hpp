// What a host is like, as far as it matters to a balancer or a backend. Read without a daemon, changing nothing.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/dpdk/needs.hpp"

namespace astil::doctor {

struct InterfaceFacts {
  std::string name;
  bool exists = false;
  bool up = false;
  unsigned mtu = 0;
  std::string driver;  ///< empty: not told
  bool lro = false;    ///< the interface makes large packets of those that it receives
  /// The kernel's settings net.ipv4.conf.NAME and net.ipv6.conf.NAME; none: it has no such.
  std::optional<int> forwarding_ipv4, forwarding_ipv6;
  std::optional<int> send_redirects, rp_filter, arp_ignore, arp_announce;
};

struct Facts {
  std::string kernel;                ///< its release, such as "6.1.0-18-amd64"
  std::string bpf_refusal;           ///< why a BPF map can not be made; empty: it can
  bool bpf_filesystem = false;       ///< at /sys/fs/bpf
  std::optional<int> jit;            ///< net.core.bpf_jit_enable; none: not told here
  std::string missing_capabilities;  ///< of those that the daemon needs, by name; empty: none
  std::uint64_t open_files = 0;      ///< that a process may have, at most
  /// The settings of "all", which the kernel combines with those of each interface.
  InterfaceFacts all;
  std::vector<InterfaceFacts> interfaces;
  std::vector<boost::asio::ip::address> addresses;  ///< of this host
  dpdk::HostFacts dpdk;                             ///< for the DPDK engine, where it is asked for
};

/// Of this host. `interfaces` are those to look at; none: all that there are but lo.
[[nodiscard]] Facts gather(const std::vector<std::string>& interfaces);

}  // namespace astil::doctor
