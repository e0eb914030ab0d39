// Devices that have a virtual router's MAC address (RFC 9568 section 7.3): macvlan over the interface of a group, with
// the group's addresses on it. The kernel answers ARP and neighbour solicitations with that address then, the interface
// takes frames to it, and hands on what the packet path leaves. A device is down while its group is not active.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/base/result.hpp"
#include "control/ha/vrrp/app/guardian.hpp"
#include "control/ha/vrrp/election.hpp"
#include "control/net/links.hpp"
#include "control/net/netlink_socket.hpp"

namespace astil::ha {

class RouterDevices {
 public:
  /// Both must outlive it.
  RouterDevices(net::NetlinkSocket& socket, Guardian& guardian) : socket_(socket), guardian_(guardian) {}

  /// The ifindex of the group's device over `link`. One of that name and MAC address is taken as it is, also when an
  /// earlier process left it; else it is made, down. `links` are those that are there.
  [[nodiscard]] Result<std::uint32_t> ensure(const GroupKey& key, const net::Link& link, const net::Links& links);
  void bring_up(std::uint32_t device) { set(device, true); }
  void bring_down(std::uint32_t device) { set(device, false); }
  /// With the addresses that are on it. One that is not there is no error.
  void remove(std::uint32_t device);
  /// One that somebody else has removed, maybe with its interface.
  void forget(std::uint32_t device) { guardian_.forget_device(device); }

  /// The MAC address of a station on a link, as the kernel knows it; one that it is not sure of is asked for.
  [[nodiscard]] std::optional<net::MacAddress> station(std::uint32_t ifindex, const address& host);

 private:
  [[nodiscard]] std::uint32_t find(const std::string& name);
  void set(std::uint32_t device, bool up);
  void furnish(std::uint32_t device, const std::string& name, const net::Link& link, bool is_v4);

  net::NetlinkSocket& socket_;
  Guardian& guardian_;
};

}  // namespace astil::ha
