// The service addresses on lo while an agent runs that needs them; those that were there before stay.
#pragma once

#include <boost/asio/ip/address_v4.hpp>
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

  Result<void> hold(const boost::asio::ip::address_v4& address);

 private:
  Result<void> let_go(const boost::asio::ip::address_v4& address);

  SharedState& shared_;
  net::Network& network_;
  std::vector<boost::asio::ip::address_v4> held_;
};

}  // namespace astil::agent
