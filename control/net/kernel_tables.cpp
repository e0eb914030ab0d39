#include "control/net/kernel_tables.hpp"

#include <linux/rtnetlink.h>

#include <cerrno>

#include "control/base/log.hpp"

namespace astil::net {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kQuiet{10};

/// What kind of route forwards no packet, in words.
const char* refusal(std::uint8_t route_type) {
  switch (route_type) {
    case RTN_UNICAST:
      return nullptr;
    case RTN_LOCAL:
      return "is an address of this machine";
    case RTN_BROADCAST:
    case RTN_ANYCAST:
    case RTN_MULTICAST:
      return "is no unicast address";
    case RTN_BLACKHOLE:
      return "is routed into a black hole";
    case RTN_UNREACHABLE:
      return "is routed as unreachable";
    case RTN_PROHIBIT:
      return "is routed as prohibited";
    default:
      return "has a route that leads nowhere";
  }
}

/// A source that no router passes on (RFC 4291, section 2.5.6): the kernel names it where it has no other.
bool is_link_local(const address& host) { return host.is_v6() && host.to_v6().is_link_local(); }

}  // namespace

Result<Route> KernelTables::route(const address& destination) {
  std::optional<RouteMessage> answer;
  const auto verdict = socket_.ask(look_up_route(destination), [&](const RawMessage& message) {
    if (!answer) answer = parse_route(message);
  });
  const std::string name = destination.to_string();
  if (verdict.error != 0) return kernel_error("no route to " + name, verdict);
  if (!answer) return Error{"no route to " + name, {}};
  if (const char* why = refusal(answer->type)) return Error{name + " " + why, {}};
  const bool reaches = !answer->source || !is_link_local(*answer->source) || is_link_local(destination);
  return Route{answer->ifindex, answer->gateway, reaches ? answer->source : std::nullopt, answer->mtu};
}

std::optional<Neighbour> KernelTables::neighbour(const NeighbourKey& key) {
  std::optional<Neighbour> found;
  const auto verdict = socket_.ask(look_up_neighbour(key), [&](const RawMessage& message) {
    if (const auto answer = parse_neighbour(message)) found = answer->neighbour;
  });
  if (verdict.error != 0 && verdict.error != ENOENT) warn(key, verdict);
  return found;
}

void KernelTables::keep(const NeighbourKey& key) {
  const auto verdict = socket_.ask(keep_neighbour(key));
  if (verdict.error != 0) warn(key, verdict);
}

void KernelTables::release(const NeighbourKey& key) {
  const auto verdict = socket_.ask(use_neighbour(key, IfAbsent::leave));
  if (verdict.error != 0 && verdict.error != ENOENT && verdict.error != ENODEV) warn(key, verdict);
}

void KernelTables::use(const NeighbourKey& key) {
  const auto known = neighbour(key);
  if (known && (known->managed || known->foreign())) return;
  const auto verdict = socket_.ask(use_neighbour(key, IfAbsent::create));
  if (verdict.error != 0) warn(key, verdict);
}

std::vector<NeighbourMessage> KernelTables::list_kept() {
  std::vector<NeighbourMessage> kept;
  const auto verdict = socket_.ask(list_neighbours(), [&](const RawMessage& message) {
    const auto answer = parse_neighbour(message);
    if (answer && answer->neighbour.managed && answer->neighbour.originator == kOriginator) kept.push_back(*answer);
  });
  if (verdict.error != 0)
    log::warning("neighbours can not be listed", {{"error", kernel_error("ask", verdict).text()}});
  return kept;
}

std::set<NeighbourKey> KernelTables::list_gateways(std::size_t most) {
  std::set<NeighbourKey> gateways;
  const auto verdict = socket_.ask(list_routes(), [&](const RawMessage& message) {
    for (const NeighbourKey& key : parse_gateways(message).keys) {
      if (gateways.size() < most) gateways.insert(key);
    }
  });
  if (verdict.error != 0) log::warning("routes can not be listed", {{"error", kernel_error("ask", verdict).text()}});
  return gateways;
}

void KernelTables::warn(const NeighbourKey& key, const Acknowledgement& verdict) {
  const auto now = steady_clock::now();
  if (now < quiet_until_) return;
  quiet_until_ = now + kQuiet;
  log::warning("neighbour can not be asked for", {{"neighbour", key.host.to_string()},
                                                  {"ifindex", key.ifindex},
                                                  {"error", kernel_error("netlink", verdict).text()}});
}

}  // namespace astil::net
