// What the process follows of the kernel's network: interfaces, the address that adverts leave from, and the sockets
// for them.
#include <algorithm>

#include "control/base/log.hpp"
#include "control/ha/vrrp/app/process.hpp"
#include "control/net/request.hpp"

namespace astil::ha {

void Process::read_links() {
  std::vector<net::Link> links;
  (void)asks_.ask(net::list_links(), [&](const net::RawMessage& message) {
    if (auto link = net::parse_link(message)) links.push_back(link->link);
  });
  (void)links_.replace(links);
}

void Process::read_addresses() {
  addresses_.clear();
  (void)asks_.ask(net::list_addresses(), [&](const net::RawMessage& message) {
    if (auto address = net::parse_address(message)) addresses_.push_back(*address);
  });
}

void Process::on_network() {
  bool links = false;
  bool addresses = false;
  while (true) {
    const auto received = events_.receive([&](const net::RawMessage& message) {
      if (const auto link = net::parse_link(message)) links = !links_.apply(*link).empty() || links;
      if (net::parse_address(message)) addresses = true;
    });
    if (received == net::NetlinkSocket::Received::nothing) break;
    if (received == net::NetlinkSocket::Received::overrun) {
      read_links();
      links = addresses = true;
    }
  }
  if (!links && !addresses) return;
  read_addresses();
  refresh_links();
  follow_tracks();
  std::set<net::InterfaceAddress> there;
  for (const net::AddressMessage& message : addresses_) there.insert(message.address);
  for (const auto& group : groups_) group->repair(there);
}

void Process::refresh_links() {
  for (std::size_t i = 0; i < groups_.size(); ++i) refresh_link(i);
  close_unused_sockets();
}

void Process::refresh_link(std::size_t index) {
  Group& group = *groups_[index];
  const net::Link* link = links_.by_name(group.record().interface.view());
  const bool is_up = link != nullptr && link->up && link->carrier && link->mac;
  const auto local = is_up ? local_address(group, link->ifindex) : std::nullopt;
  AdvertSocket* adverts = local ? adverts_of(*link, group.is_v4()) : nullptr;
  FrameSocket* frames = local ? frames_of(*link) : nullptr;
  const auto home = frames != nullptr ? home_of(group, *link) : std::nullopt;
  if (adverts == nullptr || !home) {
    election_.set_link(now_, index, std::nullopt);
    group.lose_link();
    return;
  }
  // Another interface by the same name: what is on the old one goes with it.
  if (group.home() != 0 && group.home() != *home) election_.set_link(now_, index, std::nullopt);
  group.set_link(*link, *home, *local, adverts, frames);
  election_.set_link(now_, index, local);
}

/// Where the group's addresses are put: the interface, or its virtual router's device.
std::optional<std::uint32_t> Process::home_of(const Group& group, const net::Link& link) {
  if (!group.has_virtual_mac()) return link.ifindex;
  const auto device = devices_.ensure(group.key(), link, links_);
  if (device.has_value()) return *device;
  log::error("no virtual router's device", {{"interface", link.name}, {"error", device.error().text()}});
  return std::nullopt;
}

/// RFC 9568 section 5.1.1.1: the primary IPv4 address; section 5.1.2.1: the link-local one; towards unicast peers one
/// that reaches as far as they do. Not one that moves.
std::optional<address> Process::local_address(const Group& group, std::uint32_t ifindex) {
  const GroupRecord& record = group.record();
  if (record.unicast != 0) {
    const auto source = source_towards(to_address(record.peers.front()), ifindex);
    if (source && !group.has(*source)) return source;
  }
  const bool is_v4 = group.is_v4();
  const bool near = !is_v4 && (record.unicast == 0 || to_address(record.peers.front()).to_v6().is_link_local());
  std::optional<address> own_of_group;
  for (const net::AddressMessage& message : addresses_) {
    const address& host = message.address.host;
    if (message.address.ifindex != ifindex || host.is_v4() != is_v4) continue;
    if (message.originator == net::kVrrpOriginator || message.originator == net::kOriginator) continue;
    if (!is_v4 && host.to_v6().is_link_local() != near) continue;
    if (!group.has(host)) return host;
    own_of_group = host;  // an owner's
  }
  return own_of_group;
}

/// As the routing table has it, if it leads out by that interface.
std::optional<address> Process::source_towards(const address& peer, std::uint32_t ifindex) {
  std::optional<address> source;
  (void)asks_.ask(net::look_up_route(peer), [&](const net::RawMessage& message) {
    const auto route = net::parse_route(message);
    if (route && route->ifindex == ifindex) source = route->source;
  });
  return source;
}

AdvertSocket* Process::adverts_of(const net::Link& link, bool is_v4) {
  const SocketKey key(link.ifindex, is_v4);
  if (const auto found = adverts_.find(key); found != adverts_.end()) return &found->second;
  auto socket = AdvertSocket::open(link.name, link.ifindex, is_v4);
  if (socket.has_error()) {
    log::error("no adverts on the interface", {{"interface", link.name}, {"error", socket.error().text()}});
    return nullptr;
  }
  return &adverts_.emplace(key, std::move(*socket)).first->second;
}

FrameSocket* Process::frames_of(const net::Link& link) {
  if (const auto found = frames_.find(link.ifindex); found != frames_.end()) return &found->second;
  auto socket = FrameSocket::open(link.ifindex);
  if (socket.has_error()) {
    log::error("no announcements on the interface", {{"interface", link.name}, {"error", socket.error().text()}});
    return nullptr;
  }
  return &frames_.emplace(link.ifindex, std::move(*socket)).first->second;
}

/// Of interfaces that are gone, or that no group is on any more. Groups without a link point at none.
void Process::close_unused_sockets() {
  const auto is_used = [&](std::uint32_t ifindex) {
    return links_.by_index(ifindex) != nullptr &&
           std::any_of(groups_.begin(), groups_.end(), [&](const auto& group) { return group->ifindex() == ifindex; });
  };
  std::erase_if(adverts_, [&](const auto& entry) { return !is_used(entry.first.first); });
  std::erase_if(frames_, [&](const auto& entry) { return !is_used(entry.first); });
}

}  // namespace astil::ha
