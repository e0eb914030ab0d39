#include "control/net/links.hpp"

#include <algorithm>

namespace astil::net {

std::set<std::string> Links::apply(const LinkMessage& message) {
  std::set<std::string> changed;
  const auto known = links_.find(message.link.ifindex);
  if (message.change == Change::removed) {
    if (known == links_.end()) return changed;
    changed.insert(known->second.name);
    links_.erase(known);
    return changed;
  }
  if (known != links_.end() && known->second == message.link) return changed;
  if (known != links_.end()) changed.insert(known->second.name);
  changed.insert(message.link.name);
  links_.insert_or_assign(message.link.ifindex, message.link);
  return changed;
}

std::set<std::string> Links::replace(const std::vector<Link>& links) {
  std::set<std::string> changed;
  std::set<std::uint32_t> present;
  for (const Link& link : links) {
    present.insert(link.ifindex);
    changed.merge(apply({Change::added, link}));
  }
  std::erase_if(links_, [&](const auto& entry) {
    if (present.contains(entry.first)) return false;
    changed.insert(entry.second.name);
    return true;
  });
  return changed;
}

const Link* Links::by_name(std::string_view name) const {
  const auto found = std::find_if(links_.begin(), links_.end(), [&](const auto& e) { return e.second.name == name; });
  return found == links_.end() ? nullptr : &found->second;
}

const Link* Links::by_index(std::uint32_t ifindex) const {
  const auto found = links_.find(ifindex);
  return found == links_.end() ? nullptr : &found->second;
}

// The packet path writes one tag as 802.1Q's, and of two the outer one as 802.1ad's (dataplane/core/vlan.hpp).
Result<Exit> Links::exit_of(const Link& link) const {
  if (!link.vlan) return Exit{.ifindex = link.ifindex};
  constexpr std::uint16_t kCustomerTag = 0x8100;
  constexpr std::uint16_t kServiceTag = 0x88a8;
  const auto refuse = [](const Link& device, const std::string& why) {
    return Error{"VLAN device " + device.name + " " + why, "ip -d link show " + device.name};
  };
  const auto carrier_of = [this](const Link& device) { return by_index(device.vlan->parent); };
  if (link.vlan->protocol != kCustomerTag)
    return refuse(link, "has a tag of 802.1ad alone; one that stands alone has to be of 802.1Q");
  if (link.vlan->id == 0) return refuse(link, "has VLAN id 0, which is no VLAN");
  const Link* below = carrier_of(link);
  if (below == nullptr) return refuse(link, "is carried by an interface that is not in this network namespace");
  if (!below->vlan) return Exit{.ifindex = below->ifindex, .inner_tag = link.vlan->id};
  if (below->vlan->protocol != kServiceTag || below->vlan->id == 0)
    return refuse(*below, "carries another one, so its tag has to be of 802.1ad, with a VLAN id");
  const Link* lowest = carrier_of(*below);
  if (lowest == nullptr) return refuse(*below, "is carried by an interface that is not in this network namespace");
  if (lowest->vlan) return refuse(link, "has more than two tags");
  return Exit{.ifindex = lowest->ifindex, .outer_tag = below->vlan->id, .inner_tag = link.vlan->id};
}

}  // namespace astil::net
