// The service addresses on lo while an agent runs that needs them; those that were there before stay. Of an IPv6 one
// nobody asks on lo whether another host has it (the balancer has), and it starts no connections.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <vector>

#include "agent/shared_state.hpp"
#include "control/net/network.hpp"
#include "dataplane/base/result.hpp"

namespace astil::agent {

class HeldAddresses {
 public:
  /// Both must outlive it.
  HeldAddresses(SharedState& shared, net::Network& network) : shared_(shared), network_(network) {}
  HeldAddresses(const HeldAddresses&) = delete;
  HeldAddresses& operator=(const HeldAddresses&) = delete;
  /// Takes away those that no other agent holds.
  ~HeldAddresses();

  /// When it returns, the kernel takes packets for the address.
  Result<void> hold(const boost::asio::ip::address& host);

 private:
  Result<void> let_go(const boost::asio::ip::address& host);

  SharedState& shared_;
  net::Network& network_;
  std::vector<boost::asio::ip::address> held_;
};

}  // namespace astil::agent
