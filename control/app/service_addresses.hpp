// The service addresses on the balancer's interface: there once the program forwards, away before it detaches, or the
// kernel would reset the clients' connections.
#pragma once

#include <compare>
#include <set>
#include <string>

#include "control/config/model.hpp"
#include "control/net/network.hpp"

namespace astil::app {

/// An address on an interface, by name.
struct PlacedAddress {
  std::string interface;
  config::address host;
  std::strong_ordering operator<=>(const PlacedAddress&) const = default;
};

class ServiceAddresses {
 public:
  explicit ServiceAddresses(net::Network& network) : network_(network) {}

  /// Those that an earlier run has put there for services that it served: ours to remove.
  void inherit(const std::set<config::address>& served);

  /// Removes what is not wanted any more. Call it before the services go.
  void remove_unwanted(const std::set<PlacedAddress>& wanted);

  /// Adds what is missing. Call it after the services are forwarded. The first error is returned, the others logged.
  Result<void> add_missing(const std::set<PlacedAddress>& wanted);

  /// The kernel, or somebody, took an address away: the next `add_missing` puts it back.
  void lost(const config::address& host);

 private:
  net::Network& network_;
  std::set<PlacedAddress> present_;  ///< put there by us
};

}  // namespace astil::app
