#include "control/net/addresses.hpp"

#include <algorithm>
#include <cerrno>

#include "control/base/log.hpp"
#include "control/net/sysctl.hpp"

namespace astil::net {
namespace {

/// The kernel refuses IPv6 addresses where an interface's IPv6 is switched off.
Error with_remedy(Error error, const std::string& interface, const address& host) {
  if (!host.is_v6() || !error.remedy.empty()) return error;
  const auto disabled = sysctl_ipv6(interface, "disable_ipv6");
  if (disabled && *disabled != 0) error.remedy = "sysctl -w net.ipv6.conf." + interface + ".disable_ipv6=0";
  return error;
}

std::string text_of(const address& host, unsigned prefix_length) {
  return host.to_string() + "/" + std::to_string(prefix_length);
}

}  // namespace

Result<AddressOutcome> Addresses::add(const std::string& interface, const address& host, unsigned prefix_length) {
  const Link* link = links_.by_name(interface);
  if (link == nullptr) return Error{"there is no interface " + interface, "ip link lists those that there are"};
  const InterfaceAddress wanted{link->ifindex, host, static_cast<std::uint8_t>(prefix_length)};
  const auto verdict = socket_.ask(add_address(wanted));
  if (verdict.error != 0 && verdict.error != EEXIST) {
    return with_remedy(kernel_error("add " + text_of(host, prefix_length) + " to " + interface, verdict), interface,
                       host);
  }
  wanted_.insert(wanted);
  if (verdict.error == 0) return AddressOutcome::added;

  const auto own = list_own();
  if (!own) return own.error();
  return std::find(own->begin(), own->end(), wanted) == own->end() ? AddressOutcome::foreign
                                                                   : AddressOutcome::already_ours;
}

Result<> Addresses::remove(const std::string& interface, const address& host, unsigned prefix_length) {
  const Link* link = links_.by_name(interface);
  if (link == nullptr) return {};
  const InterfaceAddress unwanted{link->ifindex, host, static_cast<std::uint8_t>(prefix_length)};
  wanted_.erase(unwanted);
  const auto verdict = socket_.ask(remove_address(unwanted));
  if (verdict.error == 0 || verdict.error == EADDRNOTAVAIL || verdict.error == ENODEV) return {};
  return kernel_error("remove " + text_of(host, prefix_length) + " from " + interface, verdict);
}

Result<std::vector<InterfaceAddress>> Addresses::list_own() {
  const auto all = list();
  if (!all) return all.error();
  std::vector<InterfaceAddress> own;
  for (const AddressMessage& message : *all) {
    if (message.originator == kOriginator) own.push_back(message.address);
  }
  return own;
}

void Addresses::on_address(const AddressMessage& message) {
  if (message.change == Change::removed && wanted_.contains(message.address)) to_check_ = true;
}

std::set<InterfaceAddress> Addresses::lost() {
  if (!to_check_) return {};
  // The message may be older than an address that we have put back since: the present state tells.
  const auto all = list();
  if (!all) {
    log::warning("addresses can not be listed", {{"error", all.error().text()}});
    return {};
  }
  to_check_ = false;
  std::set<InterfaceAddress> gone = wanted_;
  for (const AddressMessage& message : *all) gone.erase(message.address);
  for (const InterfaceAddress& address : gone) wanted_.erase(address);
  return gone;
}

Result<std::vector<AddressMessage>> Addresses::list() {
  std::vector<AddressMessage> all;
  const auto verdict = socket_.ask(list_addresses(), [&](const RawMessage& message) {
    if (auto address = parse_address(message)) all.push_back(*address);
  });
  if (verdict.error != 0) return kernel_error("list the addresses", verdict);
  return all;
}

}  // namespace astil::net
