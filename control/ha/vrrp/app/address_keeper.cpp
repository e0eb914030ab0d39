#include "control/ha/vrrp/app/address_keeper.hpp"

#include <cerrno>

#include "control/net/request.hpp"

namespace astil::ha {

net::InterfaceAddress host_address(std::uint32_t ifindex, const address& host) {
  return {ifindex, host, static_cast<std::uint8_t>(host.is_v4() ? 32 : 128)};
}

bool AddressKeeper::is_ours(const net::InterfaceAddress& address) {
  bool ours = false;
  (void)socket_.ask(net::list_addresses(), [&](const net::RawMessage& message) {
    const auto listed = net::parse_address(message);
    if (listed && listed->address == address) ours = listed->originator == net::kVrrpOriginator;
  });
  return ours;
}

Result<void> AddressKeeper::add(std::uint32_t ifindex, const address& host) {
  const net::InterfaceAddress wanted = host_address(ifindex, host);
  guardian_.note(wanted);
  const auto verdict = socket_.ask(net::add_address(wanted, net::kVrrpOriginator));
  if (verdict.error == 0) return {};
  if (verdict.error == EEXIST && is_ours(wanted)) return {};
  guardian_.forget(wanted);
  if (verdict.error == EEXIST)
    return Error{host.to_string() + " is on the interface already, put there by somebody else",
                 "remove it with 'ip address delete': both nodes have it now"};
  return net::kernel_error("add " + host.to_string(), verdict);
}

Result<void> AddressKeeper::remove(std::uint32_t ifindex, const address& host) {
  const net::InterfaceAddress unwanted = host_address(ifindex, host);
  const auto verdict = socket_.ask(net::remove_address(unwanted));
  if (verdict.error != 0 && verdict.error != EADDRNOTAVAIL && verdict.error != ENODEV)
    return net::kernel_error("remove " + host.to_string(), verdict);
  guardian_.forget(unwanted);
  return {};
}

Result<void> AddressKeeper::remove_ours(std::uint32_t ifindex, const address& host) {
  if (!is_ours(host_address(ifindex, host))) return {};
  return remove(ifindex, host);
}

}  // namespace astil::ha
