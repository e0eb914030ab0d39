#include "control/net/next_hops.hpp"

#include <linux/neighbour.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace astil::net {
namespace {

NeighbourKey neighbour_of(const Route& route, const address& destination) {
  return {route.ifindex, route.gateway.value_or(destination)};
}

template <class Array>
bool same_prefix(const Array& a, const Array& b, unsigned length) {
  const std::size_t whole = length / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const unsigned rest = length % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool in_network(const address& host, const address& network, unsigned length) {
  if (host.is_v4() != network.is_v4()) return false;
  if (host.is_v4()) return length <= 32 && same_prefix(host.to_v4().to_bytes(), network.to_v4().to_bytes(), length);
  return length <= 128 && same_prefix(host.to_v6().to_bytes(), network.to_v6().to_bytes(), length);
}

}  // namespace

void NextHops::adopt(const NeighbourKey& key, const Neighbour& neighbour) {
  if (entries_.contains(key)) return;
  Entry& entry = entries_[key];
  entry.kept = true;
  update(entry, neighbour);
}

void NextHops::track(const std::set<address>& addresses) {
  std::vector<address> gone;
  for (const auto& [destination, target] : targets_) {
    if (!addresses.contains(destination)) gone.push_back(destination);
  }
  for (const address& destination : gone) {
    const auto found = targets_.find(destination);
    if (found->second.route) leave(destination, neighbour_of(*found->second.route, destination));
    targets_.erase(found);
  }
  for (const address& destination : addresses) {
    if (targets_.try_emplace(destination).second) to_route_.insert(destination);
  }
  // A caller that changes the set reads the next hops of it afterwards, and needs no news of them.
  const auto known_to_caller = refresh();
  static_cast<void>(known_to_caller);
}

Result<NextHop> NextHops::next_hop(const address& target) const {
  const auto found = targets_.find(target);
  if (found == targets_.end()) return Error{target.to_string() + " is not tracked", {}};
  return found->second.hop;
}

Result<NextHop> NextHops::look_up(const address& destination) const {
  if (targets_.contains(destination)) return next_hop(destination);
  const Result<Route> route = kernel_.route(destination);
  if (!route) return route.error();
  const NeighbourKey key = neighbour_of(*route, destination);
  if (const auto known = entries_.find(key); known != entries_.end())
    return work_out(route, &known->second, destination);
  Entry entry;
  if (const auto now = kernel_.neighbour(key); now && now->valid()) {
    entry.now = *now;
    entry.last_mac = now->mac;
  }
  return work_out(route, &entry, destination);
}

// Routes vanish and come back with their interface, and IPv4 sends no messages of its own about that: ask for all.
void NextHops::on_link() { on_rules(); }

void NextHops::on_rules() {
  for (const auto& [destination, target] : targets_) to_route_.insert(destination);
}

void NextHops::on_route(const address& network, unsigned prefix_length) {
  for (auto at = targets_.lower_bound(network); at != targets_.end(); ++at) {
    if (!in_network(at->first, network, prefix_length)) break;
    to_route_.insert(at->first);
  }
}

void NextHops::on_address(std::uint32_t ifindex) {
  for (const auto& [destination, target] : targets_) {
    if (!target.route || target.route->ifindex == ifindex) to_route_.insert(destination);
  }
}

void NextHops::on_neighbour(const NeighbourMessage& message) {
  const auto found = entries_.find(message.key);
  if (found == entries_.end()) return;
  if (message.change == Change::removed) {
    update(found->second, {});
    to_keep_.insert(message.key);
  } else {
    update(found->second, message.neighbour);
  }
}

void NextHops::on_lost_messages() {
  on_rules();
  for (auto& [key, entry] : entries_) {
    const auto now = kernel_.neighbour(key);
    if (!now) to_keep_.insert(key);
    update(entry, now.value_or(Neighbour{}));
  }
}

std::set<address> NextHops::refresh() {
  for (const address& destination : std::exchange(to_route_, {})) {
    const auto found = targets_.find(destination);
    if (found != targets_.end()) set_route(destination, found->second, kernel_.route(destination));
  }
  release_unused();
  for (const NeighbourKey& key : std::exchange(to_keep_, {})) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) keep(key, found->second);
  }
  std::set<address> changed;
  for (const address& destination : std::exchange(to_compare_, {})) {
    const auto found = targets_.find(destination);
    if (found == targets_.end()) continue;
    auto hop = work_out(found->second.route, entry_of(found->second.route, destination), destination);
    auto& before = found->second.hop;
    if (hop.has_value() != before.has_value() || (hop && *hop != *before)) changed.insert(destination);
    before = std::move(hop);
  }
  return changed;
}

void NextHops::keep_up() {
  for (auto& [key, entry] : entries_) {
    if (!entry.now.managed) keep(key, entry);
  }
  auto next = targets_.upper_bound(last_in_turn_);
  for (std::size_t i = 0; i < std::min(kRoutesInTurn, targets_.size()); ++i, ++next) {
    if (next == targets_.end()) next = targets_.begin();
    last_in_turn_ = next->first;
    to_route_.insert(last_in_turn_);
  }
}

void NextHops::release_all() {
  targets_.clear();
  for (auto& [key, entry] : entries_) entry.users.clear();
  release_unused();
}

void NextHops::set_route(const address& destination, Target& target, Result<Route> route) {
  // An interface's MAC or MTU may be other though the route is the same.
  to_compare_.insert(destination);
  std::optional<NeighbourKey> before;
  std::optional<NeighbourKey> now;
  if (target.route) before = neighbour_of(*target.route, destination);
  if (route) now = neighbour_of(*route, destination);
  target.route = std::move(route);
  if (before == now) return;
  if (before) leave(destination, *before);
  if (now) join(destination, *now);
}

void NextHops::leave(const address& user, const NeighbourKey& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) found->second.users.erase(user);
}

void NextHops::join(const address& user, const NeighbourKey& key) {
  const auto [entry, is_new] = entries_.try_emplace(key);
  entry->second.users.insert(user);
  if (!is_new) return;
  const auto now = kernel_.neighbour(key);
  if (now) update(entry->second, *now);
  keep(key, entry->second);
}

void NextHops::keep(const NeighbourKey& key, Entry& entry) {
  if (entry.now.foreign()) return;
  entry.kept = true;
  kernel_.keep(key);
}

void NextHops::update(Entry& entry, const Neighbour& now) {
  entry.now = now;
  if (now.valid()) entry.last_mac = now.mac;
  to_compare_.insert(entry.users.begin(), entry.users.end());
}

// After all routes are known and not before: a gateway that one address leaves may be the one that another takes.
void NextHops::release_unused() {
  std::erase_if(entries_, [&](const auto& item) {
    const auto& [key, entry] = item;
    if (!entry.users.empty()) return false;
    if (entry.kept && !entry.now.foreign()) kernel_.release(key);
    return true;
  });
}

const NextHops::Entry* NextHops::entry_of(const Result<Route>& way, const address& destination) const {
  const auto entry = way ? entries_.find(neighbour_of(*way, destination)) : entries_.end();
  return entry == entries_.end() ? nullptr : &entry->second;
}

Result<NextHop> NextHops::work_out(const Result<Route>& way, const Entry* entry, const address& destination) const {
  if (!way) return way.error();
  const Route& route = *way;
  const Link* link = links_.by_index(route.ifindex);
  if (link == nullptr) return Error{"its interface is gone", {}};
  if (!link->up) return Error{"interface " + link->name + " is down", "ip link set " + link->name + " up"};
  if (!link->carrier) return Error{"interface " + link->name + " has no carrier", {}};
  if (!link->mac) return Error{"interface " + link->name + " is not Ethernet", {}};

  const auto exit = links_.exit_of(*link);
  if (!exit) return exit.error();

  if (entry == nullptr || !entry->last_mac) {
    const NeighbourKey key = neighbour_of(route, destination);
    return Error{"neighbour " + key.host.to_string() + " on " + link->name + " has not answered", {}};
  }
  const address any =
      destination.is_v4() ? address(boost::asio::ip::address_v4::any()) : address(boost::asio::ip::address_v6::any());
  return NextHop{.ifindex = route.ifindex,
                 .source_mac = *link->mac,
                 .neighbour_mac = *entry->last_mac,
                 .source_address = route.source.value_or(any),
                 .mtu = route.mtu == 0 ? link->mtu : std::min(route.mtu, link->mtu),
                 .neighbour_answers = entry->now.valid(),
                 .exit = *exit};
}

}  // namespace astil::net
