#include "agent/held_addresses.hpp"

#include "agent/local_route.hpp"
#include "control/base/log.hpp"

namespace astil::agent {
namespace {

using boost::asio::ip::address;

std::string name_of(const address& host) { return "address@" + host.to_string(); }

/// Bits of a prefix that has no other address.
unsigned host_prefix(const address& host) { return host.is_v4() ? 32 : 128; }

}  // namespace

HeldAddresses::~HeldAddresses() {
  for (const address& host : held_) {
    if (auto done = let_go(host); done.has_error()) {
      log::warning("service address not removed", {{"address", host.to_string()}, {"error", done.error().text()}});
    }
  }
}

Result<void> HeldAddresses::hold(const address& host) {
  auto turn = shared_.turn();
  if (turn.has_error()) return turn.error();
  const std::string name = name_of(host);
  if (auto held = turn->hold(name, "absent"); held.has_error()) return held.error();
  auto added = network_.add_address("lo", host, host_prefix(host));
  if (added.has_value() && *added != net::AddressOutcome::foreign) {
    held_.push_back(host);
    return wait_until_local(host);
  }
  turn->let_go(name, [](const std::string& /*found*/) {});
  if (added.has_error()) return added.error().within("address " + host.to_string());
  return {};
}

Result<void> HeldAddresses::let_go(const address& host) {
  auto turn = shared_.turn();
  if (turn.has_error()) return turn.error();
  Result<void> removed;
  turn->let_go(name_of(host),
               [&](const std::string& /*found*/) { removed = network_.remove_address("lo", host, host_prefix(host)); });
  return removed;
}

}  // namespace astil::agent
