// The service addresses on the balancer's interface: there once the program forwards, away before it detaches, or the
// kernel would reset the clients' connections.
#pragma once

#include <compare>
#include <optional>
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

  /// Those that an earlier run has put there for services that it served: ours to keep, and to remove.
  Result<void> inherit(const std::set<config::address>& served);

  /// Removes what is not wanted any more. Call it before the services go. Every error is logged, the first returned.
  Result<void> remove_unwanted(const std::set<PlacedAddress>& wanted);

  /// Removes all, before the programs go. Where one stays the programs have to, or the kernel would reset the clients:
  /// the error says so.
  Result<void> remove_all();

  /// Adds what is missing. Call it after the services are forwarded. Every error is logged, the first returned.
  Result<void> add_missing(const std::set<PlacedAddress>& wanted);

  /// The kernel, or somebody, took an address away: the next `add_missing` puts it back.
  void lost(const config::address& host);

  /// Where an address is that this daemon has put; none: nowhere.
  [[nodiscard]] std::optional<PlacedAddress> find(const config::address& host) const;

 private:
  net::Network& network_;
  std::set<PlacedAddress> present_;  ///< put there by us
};

}  // namespace astil::app
