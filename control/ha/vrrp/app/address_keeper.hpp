// Puts a group's addresses on interfaces and takes them away; the guardian (guardian.hpp) knows each that is there.
#pragma once

#include <cstdint>

#include "control/base/result.hpp"
#include "control/ha/vrrp/app/guardian.hpp"
#include "control/ha/vrrp/wire.hpp"
#include "control/net/netlink_socket.hpp"

namespace astil::ha {

class AddressKeeper {
 public:
  /// Both must outlive it.
  AddressKeeper(net::NetlinkSocket& socket, Guardian& guardian) : socket_(socket), guardian_(guardian) {}

  /// One that is there already is taken for ours if it has our mark, and left alone, also later, if it has not.
  [[nodiscard]] Result<void> add(std::uint32_t ifindex, const address& host);
  /// One that is not there is no error.
  [[nodiscard]] Result<void> remove(std::uint32_t ifindex, const address& host);

  /// The same of one that has our mark alone, whoever of us put it there.
  [[nodiscard]] Result<void> remove_ours(std::uint32_t ifindex, const address& host);

 private:
  [[nodiscard]] bool is_ours(const net::InterfaceAddress& address);

  net::NetlinkSocket& socket_;
  Guardian& guardian_;
};

[[nodiscard]] net::InterfaceAddress host_address(std::uint32_t ifindex, const address& host);

}  // namespace astil::ha
