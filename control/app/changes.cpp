#include "control/app/changes.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "control/config/keys.hpp"

namespace astil::app {
namespace {

using config::Backend;
using config::Service;

template <class Named>
const Named* find(const std::vector<Named>& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Named& item) { return item.name == name; });
  return found == list.end() ? nullptr : &*found;
}

void compare_backends(const Service& from, const Service& to, std::vector<std::string>& changes) {
  const std::string where = "service " + to.name + ": backend ";
  for (const Backend& backend : from.backends) {
    if (find(to.backends, backend.name) == nullptr)
      changes.push_back(where + backend.name + " removed; its flows go on");
  }
  for (const Backend& backend : to.backends) {
    const Backend* before = find(from.backends, backend.name);
    if (before == nullptr) {
      changes.push_back(where + backend.name + " added at " + config::show_endpoint(backend.host, backend.port));
      continue;
    }
    if (before->host != backend.host || before->port != backend.port) {
      changes.push_back(where + backend.name + " moved from " + config::show_endpoint(before->host, before->port) +
                        " to " + config::show_endpoint(backend.host, backend.port));
    }
    if (before->is_fallback != backend.is_fallback)
      changes.push_back(where + backend.name + (backend.is_fallback ? " is a fallback" : " is no fallback any more"));
    if (before->weight != backend.weight) {
      changes.push_back(where + backend.name + " weight " + std::to_string(static_cast<unsigned>(before->weight)) +
                        " to " + std::to_string(static_cast<unsigned>(backend.weight)));
    }
  }
}

using Prefixes = std::vector<config::Prefix>;

/// "allow: 2 prefixes added (192.0.2.0/24, ...), 1 removed (198.51.100.0/24)"
void compare_prefixes(const std::string& where, const Prefixes& from, const Prefixes& to,
                      std::vector<std::string>& changes) {
  const auto only_in = [](const Prefixes& some, const Prefixes& others, const char* what) -> std::string {
    std::set<std::pair<config::address, unsigned>> known;
    for (const config::Prefix& prefix : others) known.insert({prefix.network, prefix.length});
    constexpr std::size_t kShown = 3;
    std::size_t count = 0;
    std::string names;
    for (const config::Prefix& prefix : some) {
      if (known.contains({prefix.network, prefix.length})) continue;
      if (++count <= kShown) names += (names.empty() ? "" : ", ") + config::ClientNetwork{}.show(prefix);
    }
    if (count == 0) return {};
    if (count > kShown) names += ", ...";
    return std::to_string(count) + (count == 1 ? " prefix " : " prefixes ") + what + " (" + names + ")";
  };
  const std::string added = only_in(to, from, "added");
  const std::string removed = only_in(from, to, "removed");
  if (added.empty() && removed.empty()) return;
  changes.push_back(where + added + (added.empty() || removed.empty() ? "" : ", ") + removed);
}

void compare_sources(const Service& from, const Service& to, std::vector<std::string>& changes) {
  if (from.sources == to.sources) return;
  const std::string where = "service " + to.name + ": sources: ";
  const config::Sources before = from.sources.value_or(config::Sources{});
  const config::Sources now = to.sources.value_or(config::Sources{});
  const std::size_t told = changes.size();
  compare_prefixes(where + "allow: ", before.allow, now.allow, changes);
  compare_prefixes(where + "deny: ", before.deny, now.deny, changes);
  const auto limit = [](const config::Sources& sources) {
    return std::tuple(sources.new_flows_per_second, sources.burst, sources.prefixes.ipv4, sources.prefixes.ipv6);
  };
  if (limit(before) != limit(now)) {
    changes.push_back(where +
                      (!now.new_flows_per_second ? "no limit of new flows any more"
                       : !before.new_flows_per_second
                           ? "limit of new flows begins, " + std::to_string(*now.new_flows_per_second) + " a second"
                           : "limit of new flows changed, now " + std::to_string(*now.new_flows_per_second) +
                                 " a second, " + std::to_string(*now.burst) + " at once"));
  }
  if (changes.size() == told) changes.push_back(where + "lists in another order");
}

void compare_services(const Service& from, const Service& to, std::vector<std::string>& changes) {
  const std::string where = "service " + to.name + ": ";
  if (from.host != to.host || from.port != to.port) {
    changes.push_back(where + "moved from " + config::show_endpoint(from.host, from.port) + " to " +
                      config::show_endpoint(to.host, to.port));
  }
  if (from.protocol != to.protocol)
    changes.push_back(where + "protocol changed to " + (to.protocol == config::Protocol::udp ? "udp" : "tcp"));
  if (from.forwarding != to.forwarding) changes.push_back(where + "forwarding changed");
  if (from.tunnel != to.tunnel) changes.push_back(where + "tunnel changed");
  if (from.scheduler != to.scheduler)
    changes.push_back(where + "scheduler changed to " + config::kSchedulers.show(to.scheduler));
  if (from.source_hash != to.source_hash) changes.push_back(where + "prefixes of source-hash changed");
  if (from.affinity != to.affinity) {
    const char* how = !to.affinity ? "given up" : from.affinity ? "changed" : "begins";
    changes.push_back(where + "affinity " + how);
  }
  compare_sources(from, to, changes);
  if (from.when_down != to.when_down || from.minimum_up != to.minimum_up)
    changes.push_back(where + "with fewer than " + std::to_string(to.minimum_up) +
                      " backends: " + config::kWhenDown.show(to.when_down));
  if (from.when_backend_down != to.when_backend_down)
    changes.push_back(where + "flows of a backend that is down: " + config::kDownFlows.show(*to.when_backend_down));
  if (from.removal_limit != to.removal_limit) changes.push_back(where + "limit for removed backends changed");
  if (from.slow_start != to.slow_start) changes.push_back(where + "slow start changed");
  if (from.health != to.health) changes.push_back(where + "health check changed");
  if (from.ring_slots_per_weight != to.ring_slots_per_weight) changes.push_back(where + "ring size changed");
  compare_backends(from, to, changes);
}

}  // namespace

std::vector<std::string> describe_changes(const config::Model& from, const config::Model& to) {
  std::vector<std::string> changes;
  if (from.interfaces != to.interfaces) changes.emplace_back("interfaces changed");
  if (from.hook != to.hook || from.interface_settings != to.interface_settings) changes.emplace_back("hooks changed");
  if (from.answers_echo != to.answers_echo)
    changes.emplace_back(to.answers_echo ? "echo requests are answered" : "echo requests are not answered any more");
  if (from.addresses != to.addresses || from.address_interface != to.address_interface) {
    changes.emplace_back("owner or interface of service addresses changed");
  }
  if (from.full_nat != to.full_nat) changes.emplace_back("source addresses of full NAT changed");
  if (from.tables != to.tables) changes.emplace_back("table sizes changed: flows are carried to new tables");
  if (from.timeouts != to.timeouts) changes.emplace_back("timeouts of flows changed");
  if (from.new_flows_per_second != to.new_flows_per_second) changes.emplace_back("limit of new flows changed");
  for (const Service& service : from.services) {
    if (find(to.services, service.name) == nullptr) changes.push_back("service " + service.name + " removed");
  }
  for (const Service& service : to.services) {
    if (const Service* before = find(from.services, service.name)) {
      compare_services(*before, service, changes);
    } else {
      changes.push_back("service " + service.name + " added at " + config::show_endpoint(service.host, service.port));
    }
  }
  return changes;
}

}  // namespace astil::app
