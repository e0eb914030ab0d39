// A network namespace of this process's own, with one pair of veth devices between it and the namespace that the
// process runs in. It has no name and goes with the process, and the pair with it.
//
// Inside, everything leaves by the pair and nothing is resolved: the device knows no ARP, and what stands at the host's
// end gives frames the addresses that they need. Its checksums are finished, and its packets at most kMtu bytes long,
// so that any outer header fits a wire of 1500.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <set>

#include "control/base/result.hpp"
#include "control/net/netlink_socket.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::net {

class OwnNamespace {
 public:
  /// Of IPv6 the least that there may be (RFC 8200, section 5).
  static constexpr std::uint32_t kMtu = 1280;

  /// `inside`: the MAC address of the end in the namespace. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
  [[nodiscard]] static Result<OwnNamespace> make(const MacAddress& inside);

  /// The host's end of the pair.
  [[nodiscard]] std::uint32_t ifindex() const { return ifindex_; }

  /// A socket of the namespace, non-blocking; the caller's thread is out of the namespace again when this returns.
  [[nodiscard]] Result<base::Descriptor> socket(int family, int type) const;

  /// Lets sockets of the namespace be bound to an address. One that is there already is fine.
  [[nodiscard]] Result<> add_address(const address& host);

 private:
  OwnNamespace(base::Descriptor host, base::Descriptor own, NetlinkSocket netlink, std::uint32_t inner,
               std::uint32_t ifindex)
      : host_(std::move(host)), own_(std::move(own)), netlink_(std::move(netlink)), inner_(inner), ifindex_(ifindex) {}

  base::Descriptor host_;  // the namespace that the process runs in
  base::Descriptor own_;
  NetlinkSocket netlink_;  // of the namespace
  std::uint32_t inner_;    // the end in the namespace
  std::uint32_t ifindex_;
  std::set<address> addresses_;
};

}  // namespace astil::net
