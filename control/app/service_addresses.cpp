#include "control/app/service_addresses.hpp"

#include <algorithm>

#include "control/base/log.hpp"

namespace astil::app {
namespace {

unsigned prefix_of(const config::address& host) { return host.is_v4() ? 32 : 128; }

}  // namespace

Result<void> ServiceAddresses::inherit(const std::set<config::address>& served) {
  auto own = network_.list_own_addresses();
  if (own.has_error()) return own.error().within("service addresses of the earlier run");
  for (const net::InterfaceAddress& address : *own) {
    const auto link = network_.link(address.ifindex);
    if (!link || !served.contains(address.host)) continue;
    present_.insert({.interface = link->name, .host = address.host});
    network_.adopt_address(address);
  }
  return {};
}

Result<void> ServiceAddresses::remove_unwanted(const std::set<PlacedAddress>& wanted) {
  Result<void> first;
  std::erase_if(present_, [&](const PlacedAddress& address) {
    if (wanted.contains(address)) return false;
    if (auto removed = network_.remove_address(address.interface, address.host, prefix_of(address.host));
        removed.has_error()) {
      log::warning(
          "service address not removed",
          {{"address", address.host.to_string()}, {"interface", address.interface}, {"error", removed.error().text()}});
      if (first.has_value()) first = removed.error();
      return false;
    }
    log::info("service address removed", {{"address", address.host.to_string()}, {"interface", address.interface}});
    return true;
  });
  return first;
}

Result<void> ServiceAddresses::remove_all() {
  const auto removed = remove_unwanted({});
  if (removed.has_value()) return {};
  return Error{removed.error().what,
               "the programs stay, or this host would reset the clients: remove the address with 'ip address delete', "
               "then detach again"};
}

Result<void> ServiceAddresses::add_missing(const std::set<PlacedAddress>& wanted) {
  Result<void> first;
  for (const PlacedAddress& address : wanted) {
    if (present_.contains(address)) continue;
    auto added = network_.add_address(address.interface, address.host, prefix_of(address.host));
    if (added.has_error()) {
      log::error(
          "service address not added",
          {{"address", address.host.to_string()}, {"interface", address.interface}, {"error", added.error().text()}});
      if (first.has_value()) first = added.error();
      continue;
    }
    if (*added == net::AddressOutcome::foreign) continue;  // somebody else's: it is there, and not ours to take away
    present_.insert(address);
    if (*added == net::AddressOutcome::added) {
      log::info("service address added", {{"address", address.host.to_string()}, {"interface", address.interface}});
    }
  }
  return first;
}

std::optional<PlacedAddress> ServiceAddresses::find(const config::address& host) const {
  const auto found = std::find_if(present_.begin(), present_.end(),
                                  [&](const PlacedAddress& address) { return address.host == host; });
  return found == present_.end() ? std::nullopt : std::optional(*found);
}

void ServiceAddresses::lost(const config::address& host) {
  std::erase_if(present_, [&](const PlacedAddress& address) { return address.host == host; });
}

}  // namespace astil::app
