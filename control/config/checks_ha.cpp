#include "control/config/checks_ha.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "control/config/keys.hpp"
#include "control/config/utf8.hpp"

namespace astil::config {
namespace {

constexpr std::uint8_t kOwner = 255;
constexpr Milliseconds kIntervalStep{10};

struct GroupView : View<VrrpGroup> {
  [[nodiscard]] std::string name() const { return "group " + in_quotes(model->name); }
};

/// The place of an item of a list of the group's; `key` is there and sound.
Place item_place(const GroupView& group, std::string_view key, std::size_t index) {
  const std::vector<Node>& items = group.entry->value.find(key)->value.items;
  return index < items.size() ? items[index].place : group.place_of(key);
}

/// Whether every item of the list could be read, so that its items stand where the model has them.
bool is_whole(const GroupView& group, std::string_view key, std::size_t read) {
  return group.has_value(key) && group.entry->value.find(key)->value.items.size() == read;
}

void check_one_version(const GroupView& group, std::string_view key, const std::vector<address>& hosts,
                       Mistakes& mistakes) {
  if (!is_whole(group, key, hosts.size()) || group.model->addresses.empty()) return;
  const address& first = group.model->addresses.front();
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (hosts[i].is_v4() == first.is_v4()) continue;
    mistakes.add(item_place(group, key, i),
                 hosts[i].to_string() + " is " + std::string(version_of(hosts[i])) + ", and " + group.name() + " has " +
                     first.to_string(),
                 "a virtual router has one IP version: make a second group, and give both the same sync_group");
    return;
  }
}

/// A packet of 1500 bytes has so much room: IPv6 header, advert, and the code of `authenticate`.
std::size_t most_addresses(const VrrpGroup& group) {
  constexpr std::size_t kRoom = 1500 - 40 - 8 - kAdvertCodeBytes;
  const bool is_v6 = !group.addresses.empty() && group.addresses.front().is_v6();
  if (!is_v6 || !group.authenticate) return kMostGroupAddresses;
  return kRoom / 16 - (group.link_local ? 1 : 0);
}

void check_group(const GroupView& group, const Ha& ha, Mistakes& mistakes) {
  const VrrpGroup& model = *group.model;
  check_one_version(group, "addresses", model.addresses, mistakes);
  if (model.adverts == AdvertPath::unicast) check_one_version(group, "peers", model.peers, mistakes);
  if (group.has_value("link_local") && !model.addresses.empty() && model.addresses.front().is_v4()) {
    mistakes.add(group.place_of("link_local"),
                 "link_local is of IPv6, and " + group.name() + " has " + model.addresses.front().to_string(),
                 "leave it out, or give it to a group of IPv6 addresses");
  }
  if (group.has_value("link_local") && model.addresses.size() >= kMostGroupAddresses) {
    mistakes.add(group.place_of("link_local"),
                 "with link_local a group has " + std::to_string(kMostGroupAddresses - 1) + " addresses at most",
                 "make a second group, and give both the same sync_group");
  }
  const std::size_t room = most_addresses(model);
  if (group.has_value("authenticate") && is_whole(group, "addresses", model.addresses.size()) &&
      model.addresses.size() > room) {
    mistakes.add(
        group.place_of("addresses"),
        "with authenticate an advert of IPv6 holds " + std::to_string(room) + " addresses, link_local among them",
        "make a second group, and give both the same sync_group");
  }
  if (model.adverts == AdvertPath::unicast && is_whole(group, "peers", model.peers.size())) {
    for (std::size_t i = 0; i < model.peers.size(); ++i) {
      if (std::ranges::find(model.addresses, model.peers[i]) == model.addresses.end()) continue;
      mistakes.add(item_place(group, "peers", i),
                   model.peers[i].to_string() + " is an address of " + group.name() + " itself",
                   "write an address that is the other node's alone");
    }
  }
  if (group.has_value("advert_interval") && model.advert_interval % kIntervalStep != Milliseconds{0}) {
    mistakes.add(group.place_of("advert_interval"), "adverts tell their interval in steps of 10ms",
                 "write " + Duration{}.show(model.advert_interval / kIntervalStep * kIntervalStep));
  }
  if (group.has_value("authenticate") && model.authenticate && !ha.key_file) {
    mistakes.add(group.place_of("authenticate"), "authenticate needs the secret of the pair", "name it as ha.key_file");
  }
  if (group.is_sound("priority") && model.priority == kOwner && !model.track.empty()) {
    mistakes.add(group.place_of("track"), "the priority 255 of an owner is not changed by what is tracked",
                 "write a priority of 254 or less, or leave track out");
  }
  if (group.is_sound("track") && model.track.size() > kMostTracks) {
    mistakes.add(group.place_of("track"),
                 group.name() + " tracks more than " + std::to_string(kMostTracks) + " things");
  }
  if (group.is_sound("priority") && model.priority == kOwner && !model.preempt) {
    mistakes.add(group.place_of("preempt"), "the owner of the addresses takes them always",
                 "write a priority of 254 or less, or leave preempt out");
  }
  if (group.is_sound("priority") && model.priority == kOwner && !model.accept_mode) {
    mistakes.add(group.place_of("accept_mode"), "the owner of the addresses takes packets to them always",
                 "write a priority of 254 or less, or leave accept_mode out");
  }
}

/// A probe that outlasts its interval, and a command that would be looked for.
void check_probe(const GroupView& group, const Track& track, const Node& node, Mistakes& mistakes) {
  const Entry* interval = node.find("interval");
  const Entry* timeout = node.find("timeout");
  if (track.timeout > track.interval && is_sound_or_absent(interval, mistakes) &&
      is_sound_or_absent(timeout, mistakes)) {
    mistakes.add((timeout != nullptr ? timeout : interval)->value.place,
                 "the timeout of " + Duration{}.show(track.timeout) + (timeout != nullptr ? "" : " (the default)") +
                     " is longer than the interval of " + Duration{}.show(track.interval),
                 "a probe must end before the next begins");
  }
  const Entry* command = node.find("command");
  if (command != nullptr && is_sound_or_absent(command, mistakes) && !track.command.empty() &&
      !track.command.front().starts_with('/')) {
    mistakes.add(command->value.place, "the command " + in_quotes(track.command.front()) + " is no absolute path",
                 "write where the program is: no shell looks for it");
  }
  const Entry* host = node.find("address");
  const auto& moving = group.model->addresses;
  if (host != nullptr && is_sound_or_absent(host, mistakes) &&
      std::ranges::find(moving, track.address) != moving.end()) {
    mistakes.add(host->value.place, track.address.to_string() + " is an address of " + group.name() + " itself",
                 "write the address of a router that is neither of the two nodes");
  }
}

void check_tracks(const GroupView& group, Mistakes& mistakes) {
  if (!group.is_sound("track")) return;
  const Entry* section = group.entry->value.find("track");
  for (const Track& track : group.model->track) {
    const Entry* entry = section->value.find(track.name);
    if (entry != nullptr) check_probe(group, track, entry->value, mistakes);
  }
}

void check_ids_differ(const std::vector<GroupView>& groups, Mistakes& mistakes) {
  std::map<std::tuple<std::string, bool, std::uint8_t>, const GroupView*> seen;
  for (const GroupView& group : groups) {
    const VrrpGroup& model = *group.model;
    if (!group.has_value("virtual_router_id") || model.addresses.empty() || !model.interface) continue;
    const auto key = std::make_tuple(*model.interface, model.addresses.front().is_v4(), model.virtual_router_id);
    const auto [first, is_new] = seen.try_emplace(key, &group);
    if (is_new) continue;
    mistakes.add(group.place_of("virtual_router_id"),
                 "virtual router " + std::to_string(model.virtual_router_id) + " on " + *model.interface + " is " +
                     first->second->name() + line_of(first->second->entry->place) + " already",
                 "give each group on an interface a number of its own");
  }
}

/// The group that takes over first takes its sync group with it: with other priorities they would do so by turns.
void check_sync_groups(const std::vector<GroupView>& groups, Mistakes& mistakes) {
  std::map<std::string, const GroupView*> first_of;
  for (const GroupView& group : groups) {
    if (!group.model->sync_group || !group.is_sound("priority") || !group.is_sound("sync_group")) continue;
    const auto [first, is_new] = first_of.try_emplace(*group.model->sync_group, &group);
    if (is_new || first->second->model->priority == group.model->priority) continue;
    mistakes.add(group.place_of("priority"),
                 group.name() + " has priority " + std::to_string(group.model->priority) + ", and " +
                     first->second->name() + " of the same sync_group has " +
                     std::to_string(first->second->model->priority),
                 "give both the same: they change their state together");
  }
}

using Places = std::map<address, const GroupView*>;

Places check_addresses_differ(const std::vector<GroupView>& groups, Mistakes& mistakes) {
  Places placed;
  for (const GroupView& group : groups) {
    for (std::size_t i = 0; i < group.model->addresses.size(); ++i) {
      const address& host = group.model->addresses[i];
      const auto [first, is_new] = placed.try_emplace(host, &group);
      if (is_new || !is_whole(group, "addresses", group.model->addresses.size())) continue;
      mistakes.add(item_place(group, "addresses", i),
                   host.to_string() + " is an address of " + first->second->name() + " already",
                   "an address moves with one group");
    }
  }
  return placed;
}

/// An address that no group has would be on both nodes, or on none.
void check_services_placed(const Model& model, const std::vector<ServiceView>& services, const Places& placed,
                           Mistakes& mistakes) {
  if (model.addresses == AddressOwner::none) return;
  for (const ServiceView& service : services) {
    if (!service.has_value("address") || placed.contains(service.model->host)) continue;
    mistakes.add(service.place_of("address"),
                 service.model->host.to_string() + " is in none of ha.groups, so both nodes would have it",
                 "add it to the addresses of a group");
  }
}

/// The address that packets to the peer leave from is fixed; one that moves would take the ground from under it.
void check_paths(const Ha& ha, const Node& section, const Places& placed, Mistakes& mistakes) {
  const Entry* paths = section.find("paths");
  for (const PairPath& path : ha.paths) {
    const Entry* entry = paths->value.find(path.name);
    const Entry* local = entry->value.find("local");
    const Entry* peer = entry->value.find("peer");
    if (local == nullptr || peer == nullptr || mistakes.at(local->value.place) || mistakes.at(peer->value.place))
      continue;
    if (path.local.is_v4() != path.peer.is_v4() || path.local == path.peer) {
      mistakes.add(peer->value.place, path.peer.to_string() + " is no way from " + path.local.to_string(),
                   "write two addresses of one IP version, one of each node");
    } else if (const auto moving = placed.find(path.local); moving != placed.end()) {
      mistakes.add(local->value.place,
                   path.local.to_string() + " moves between the nodes: it is of " + moving->second->name(),
                   "write an address that is this node's alone");
    }
  }
  for (auto path = ha.paths.begin(); path != ha.paths.end(); ++path) {
    const auto first =
        std::find_if(ha.paths.begin(), path, [&](const PairPath& other) { return other.local == path->local; });
    const Entry* local = paths->value.find(path->name)->value.find("local");
    if (first == path || local == nullptr || mistakes.at(local->value.place)) continue;
    mistakes.add(local->value.place,
                 path->local.to_string() + " is where path " + in_quotes(first->name) + " leaves from",
                 "give each path an address of its own: it is a network of its own");
  }
  if (ha.previous_key_file && !ha.key_file && is_sound_or_absent(section.find("key_file"), mistakes)) {
    mistakes.add(section.find("previous_key_file")->place, "previous_key_file is beside a key_file, and there is none",
                 "name the key that is used as ha.key_file");
  }
  if (ha.paths.size() > kMostPairPaths) {
    mistakes.add(paths->value.place, "there are more than " + std::to_string(kMostPairPaths) + " paths");
  }
}

void check_heartbeat(const Ha& ha, const Node& section, Mistakes& mistakes) {
  const Entry* heartbeat = section.find("heartbeat");
  if (heartbeat == nullptr || mistakes.at(heartbeat->value.place)) return;
  if (!ha.key_file && is_sound_or_absent(section.find("key_file"), mistakes)) {
    mistakes.add(heartbeat->place, "heartbeats are authenticated, and there is no ha.key_file",
                 "make a key with 'openssl rand -hex 32' and name its file");
  }
  if (ha.paths.empty() && is_sound_or_absent(section.find("paths"), mistakes)) {
    mistakes.add(heartbeat->place, "heartbeats need a path between the nodes", "name one or more under ha.paths");
  }
}

void check_sync(const Ha& ha, const Node& section, Mistakes& mistakes) {
  const Entry* sync = section.find("sync");
  if (sync == nullptr || !ha.sync || mistakes.at(sync->value.place)) return;
  if (!ha.key_file && is_sound_or_absent(section.find("key_file"), mistakes)) {
    mistakes.add(sync->place, "flows are sent encrypted, and there is no ha.key_file",
                 "make a key with 'openssl rand -hex 32' and name its file");
  }
  if (ha.paths.empty() && is_sound_or_absent(section.find("paths"), mistakes)) {
    mistakes.add(sync->place, "flow sync needs a path between the nodes", "name one or more under ha.paths");
  }
  if (ha.heartbeat && ha.heartbeat->port == ha.sync->port && is_sound_or_absent(section.find("heartbeat"), mistakes)) {
    const Entry* port = sync->value.find("port");
    mistakes.add(port == nullptr ? sync->place : port->value.place,
                 "port " + std::to_string(ha.sync->port) + " is that of the heartbeats", "give each a port of its own");
  }
}

/// Nobody could ask the daemon there.
void check_closed(const GroupView& group, const Model& model, Mistakes& mistakes) {
  if (group.model->accept_mode || !group.has_value("accept_mode")) return;
  std::vector<std::pair<Endpoint, std::string>> listeners;
  if (model.metrics) listeners.emplace_back(*model.metrics, "api.metrics");
  if (model.remote) listeners.emplace_back(model.remote->listen, "api.remote");
  for (const Endpoint& endpoint : model.dns ? model.dns->listen : std::vector<Endpoint>{})
    listeners.emplace_back(endpoint, "dns.listen");
  for (const auto& [endpoint, what] : listeners) {
    if (std::ranges::find(group.model->addresses, endpoint.host) == group.model->addresses.end()) continue;
    mistakes.add(group.place_of("accept_mode"),
                 endpoint.host.to_string() + " is listened at (" + what + "), and " + group.name() +
                     " drops what is for no service",
                 "leave accept_mode out, or listen at another address");
  }
}

}  // namespace

void check_ha(const Model& model, const std::vector<ServiceView>& services, const Node& root, Mistakes& mistakes) {
  const Entry* entry = root.find("ha");
  if (!model.ha || entry == nullptr || !is_sound_or_absent(entry, mistakes)) return;
  const Node& section = entry->value;
  if (model.addresses == AddressOwner::none) {
    mistakes.add(entry->place, "the pair's active node has the addresses, and addresses.owner is none",
                 "set addresses.owner to daemon, or leave ha out");
    return;
  }
  std::vector<GroupView> groups;
  for (const VrrpGroup& group : model.ha->groups) {
    const Entry* inner = section.find("groups")->value.find(group.name);
    groups.push_back({{&group, inner, &mistakes}});
  }
  if (groups.size() > kMostGroups) {
    mistakes.add(section.find("groups")->place, "there are more than " + std::to_string(kMostGroups) + " groups");
  }
  for (const GroupView& group : groups) check_group(group, *model.ha, mistakes);
  for (const GroupView& group : groups) check_tracks(group, mistakes);
  for (const GroupView& group : groups) check_closed(group, model, mistakes);
  check_ids_differ(groups, mistakes);
  check_sync_groups(groups, mistakes);
  const Places placed = check_addresses_differ(groups, mistakes);
  const bool all_read = !groups.empty() && std::all_of(groups.begin(), groups.end(), [](const GroupView& group) {
    return is_whole(group, "addresses", group.model->addresses.size());
  });
  if (all_read) check_services_placed(model, services, placed, mistakes);
  check_paths(*model.ha, section, placed, mistakes);
  check_heartbeat(*model.ha, section, mistakes);
  check_sync(*model.ha, section, mistakes);
}

}  // namespace astil::config
