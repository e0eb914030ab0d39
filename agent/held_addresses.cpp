#include "agent/held_addresses.hpp"

#include "control/base/log.hpp"

namespace astil::agent {
namespace {

using boost::asio::ip::address_v4;

constexpr unsigned kHostPrefix = 32;

std::string name_of(const address_v4& address) { return "address@" + address.to_string(); }

}  // namespace

HeldAddresses::~HeldAddresses() {
  for (const address_v4& address : held_) {
    if (auto done = let_go(address); done.has_error()) {
      log::warning("service address not removed", {{"address", address.to_string()}, {"error", done.error().text()}});
    }
  }
}

Result<void> HeldAddresses::hold(const address_v4& address) {
  auto turn = shared_.turn();
  if (turn.has_error()) return turn.error();
  const std::string name = name_of(address);
  if (auto held = turn->hold(name, "absent"); held.has_error()) return held.error();
  auto added = network_.add_address("lo", address, kHostPrefix);
  if (added.has_value() && *added != net::AddressOutcome::foreign) {
    held_.push_back(address);
    return {};
  }
  turn->let_go(name, [](const std::string& /*found*/) {});
  if (added.has_error()) return added.error().within("address " + address.to_string());
  return {};
}

Result<void> HeldAddresses::let_go(const address_v4& address) {
  auto turn = shared_.turn();
  if (turn.has_error()) return turn.error();
  Result<void> removed;
  turn->let_go(name_of(address),
               [&](const std::string& /*found*/) { removed = network_.remove_address("lo", address, kHostPrefix); });
  return removed;
}

}  // namespace astil::agent
