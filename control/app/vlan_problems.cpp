#include "control/app/vlan_problems.hpp"

#include <algorithm>

#include "control/app/inputs.hpp"
#include "control/net/links.hpp"

namespace astil::app {
namespace {

/// What carries a device in the end; null: it is in another network namespace, or there are more tags than a frame has.
const net::Link* lowest_of(const net::Links& table, const net::Link& link) {
  constexpr int kMostTags = 4;
  const net::Link* lowest = &link;
  for (int tags = 0; lowest != nullptr && lowest->vlan; ++tags) {
    if (tags == kMostTags) return nullptr;
    lowest = table.by_index(lowest->vlan->parent);
  }
  return lowest;
}

/// One of 802.1ad carries others, and nothing else.
bool carries_another(const std::vector<net::Link>& links, const net::Link& link) {
  return std::any_of(links.begin(), links.end(),
                     [&](const net::Link& other) { return other.vlan && other.vlan->parent == link.ifindex; });
}

}  // namespace

std::vector<api::ProblemView> vlan_problems(const std::vector<net::Link>& links,
                                            const std::vector<std::string>& interfaces) {
  net::Links table;
  static_cast<void>(table.replace(links));
  std::vector<api::ProblemView> problems;
  std::size_t usable = 0;
  for (const auto& [ifindex, link] : table.all()) {
    if (!link.vlan || !link.up) continue;
    const net::Link* const lowest = lowest_of(table, link);
    const bool ours =
        lowest != nullptr && std::find(interfaces.begin(), interfaces.end(), lowest->name) != interfaces.end();
    if (!ours) continue;
    if (const auto exit = table.exit_of(link); exit.has_error()) {
      if (!carries_another(links, link))
        problems.push_back({exit.error().what + ": what is behind it is not reached", exit.error().remedy});
      continue;
    }
    ++usable;
    if (link.mac == lowest->mac || !link.mac || !lowest->mac) continue;
    problems.push_back({"VLAN device " + link.name + " has another MAC address than " + lowest->name +
                            ": its frames are left to the kernel",
                        "ip link set " + link.name + " address " + net::to_string(*lowest->mac)});
  }
  if (usable > kMostVlanDevices)
    problems.push_back({std::to_string(usable) + " VLAN devices are up, and those beyond the first " +
                            std::to_string(kMostVlanDevices) + " are not known for replies under nat",
                        "take down those that are not needed"});
  return problems;
}

}  // namespace astil::app
