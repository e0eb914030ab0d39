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

}  // namespace astil::net
