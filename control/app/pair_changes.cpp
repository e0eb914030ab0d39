#include "control/app/pair_changes.hpp"

#include <algorithm>
#include <utility>

namespace astil::app {
namespace {

using config::Ha;
using config::VrrpGroup;
using Lines = std::vector<std::string>;

const VrrpGroup* find(const Ha& ha, const std::string& name) {
  const auto found = std::ranges::find(ha.groups, name, &VrrpGroup::name);
  return found == ha.groups.end() ? nullptr : &*found;
}

/// Those of `hosts` that are not among `others`, after `what`; empty: all are.
std::string beside(const std::vector<config::address>& hosts, const std::vector<config::address>& others,
                   const std::string& what) {
  std::string list;
  for (const config::address& host : hosts) {
    if (std::ranges::find(others, host) != others.end()) continue;
    list += (list.empty() ? what + " " : ", ") + host.to_string();
  }
  return list;
}

bool is_elected_anew(const VrrpGroup& from, const VrrpGroup& to) {
  return from.interface != to.interface || from.virtual_router_id != to.virtual_router_id ||
         from.virtual_mac != to.virtual_mac || from.addresses.front().is_v4() != to.addresses.front().is_v4();
}

/// Names of the settings that differ, of those that need no more words.
std::string plain_changes(const VrrpGroup& from, const VrrpGroup& to) {
  const std::pair<const char*, bool> settings[] = {
      {"link_local", from.link_local != to.link_local},
      {"advert_interval", from.advert_interval != to.advert_interval},
      {"preempt", from.preempt != to.preempt},
      {"preempt_delay", from.preempt_delay != to.preempt_delay},
      {"adverts", from.adverts != to.adverts || from.peers != to.peers},
      {"checksum", from.checksum != to.checksum},
      {"authenticate", from.authenticate != to.authenticate},
      {"sync_group", from.sync_group != to.sync_group},
      {"announce_refresh", from.announce_refresh != to.announce_refresh},
      {"track", from.track != to.track},
  };
  std::string list;
  for (const auto& [name, differs] : settings) {
    if (differs) list += (list.empty() ? "" : ", ") + std::string(name);
  }
  return list.empty() ? list : list + " changed";
}

Lines compare_groups(const VrrpGroup& from, const VrrpGroup& to) {
  Lines lines;
  if (is_elected_anew(from, to))
    lines.emplace_back("is another virtual router: elected anew, without addresses until then");
  lines.push_back(beside(to.addresses, from.addresses, "gets"));
  lines.push_back(beside(from.addresses, to.addresses, "gives up"));
  if (from.priority != to.priority)
    lines.push_back("priority changed from " + std::to_string(from.priority) + " to " + std::to_string(to.priority));
  if (from.accept_mode != to.accept_mode)
    lines.emplace_back(to.accept_mode ? "the host takes what is for no service" : "what is for no service is dropped");
  lines.push_back(plain_changes(from, to));
  std::erase(lines, "");
  return lines;
}

Lines compare_nodes(const Ha& from, const Ha& to) {
  Lines lines;
  if (from.node != to.node) lines.push_back("this node is " + to.node + ", and was " + from.node);
  if (from.key_file != to.key_file || from.previous_key_file != to.previous_key_file)
    lines.emplace_back("files with the pair's secrets changed");
  if (from.hold != to.hold || from.startup_hold != to.startup_hold || from.takeover_limit != to.takeover_limit)
    lines.emplace_back("times of the pair changed");
  if (from.paths != to.paths) lines.emplace_back("paths to the other node changed");
  if (from.heartbeat != to.heartbeat) lines.emplace_back(to.heartbeat ? "heartbeats changed" : "heartbeats end");
  if (from.sync != to.sync) lines.emplace_back(to.sync ? "flow sync changed" : "flow sync ends");
  if (from.notify != to.notify) lines.emplace_back("program that is told of the pair's states changed");
  return lines;
}

}  // namespace

std::vector<std::string> compare_pairs(const config::Model& from, const config::Model& to) {
  if (from.ha == to.ha) return {};
  if (!from.ha) return {"one of a pair: without its addresses until it is elected"};
  if (!to.ha) return {"pair left: this balancer has all addresses by itself"};
  Lines lines = compare_nodes(*from.ha, *to.ha);
  for (const VrrpGroup& group : from.ha->groups) {
    if (find(*to.ha, group.name) == nullptr) lines.push_back("group " + group.name + " removed");
  }
  for (const VrrpGroup& group : to.ha->groups) {
    const VrrpGroup* before = find(*from.ha, group.name);
    if (before == nullptr)
      lines.push_back("group " + group.name + " added: " + beside(group.addresses, {}, "elects who has"));
    if (before == nullptr) continue;
    for (const std::string& line : compare_groups(*before, group)) lines.push_back("group " + group.name + ": " + line);
  }
  return lines;
}

}  // namespace astil::app
