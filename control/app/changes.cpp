#include "control/app/changes.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "control/app/pair_changes.hpp"
#include "control/config/keys.hpp"

namespace astil::app {
namespace {

using config::Backend;
using config::Service;

const Backend* find(const std::vector<Backend>& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Backend& item) { return item.name == name; });
  return found == list.end() ? nullptr : &*found;
}

/// The services of a configuration, of which there can be many.
class Services {
 public:
  explicit Services(const config::Model& model) {
    for (const Service& service : model.services) {
      by_name_[service.name] = &service;
      keys_.insert({service.host, service.port, service.protocol});
    }
  }

  [[nodiscard]] const Service* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }
  /// The packet path knows a service by its address, port and protocol.
  [[nodiscard]] bool serve(const Service& service) const {
    return keys_.contains({service.host, service.port, service.protocol});
  }

 private:
  std::unordered_map<std::string_view, const Service*> by_name_;
  std::set<std::tuple<config::address, config::Port, config::Protocol>> keys_;
};

/// Several changes of one backend are told one after the other.
void say_of(api::ServiceChange& changes, const std::string& backend, std::string what, std::uint64_t flows) {
  auto& backends = changes.backends;
  if (backends.empty() || backends.back().backend != backend) backends.push_back({backend, {}, flows});
  backends.back().changes.push_back(std::move(what));
}

void compare_backends(const Service& from, const Service& to, const FlowCounts& flows, bool stays,
                      api::ServiceChange& changes) {
  for (const Backend& backend : from.backends) {
    if (find(to.backends, backend.name) == nullptr)
      say_of(changes, backend.name, stays ? "removed; its flows go on" : "removed", flows.of_backend(from, backend));
  }
  for (const Backend& backend : to.backends) {
    const Backend* before = find(from.backends, backend.name);
    if (before == nullptr) {
      say_of(changes, backend.name, "added at " + config::show_endpoint(backend.host, backend.port), 0);
      continue;
    }
    if (before->host != backend.host || before->port != backend.port) {
      say_of(changes, backend.name,
             "moved from " + config::show_endpoint(before->host, before->port) + " to " +
                 config::show_endpoint(backend.host, backend.port),
             flows.of_backend(from, *before));
    }
    if (before->is_fallback != backend.is_fallback)
      say_of(changes, backend.name, backend.is_fallback ? "is a fallback" : "is no fallback any more",
             flows.of_backend(from, *before));
    if (before->weight != backend.weight) {
      say_of(changes, backend.name,
             "weight " + std::to_string(static_cast<unsigned>(before->weight)) + " to " +
                 std::to_string(static_cast<unsigned>(backend.weight)),
             flows.of_backend(from, *before));
    }
  }
}

using Prefixes = std::vector<config::Prefix>;

/// "allow: 2 prefixes added (192.0.2.0/24, ...), 1 removed (198.51.100.0/24)"
void compare_prefixes(const std::string& where, const Prefixes& from, const Prefixes& to, api::ServiceChange& changes) {
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
  changes.changes.push_back(where + added + (added.empty() || removed.empty() ? "" : ", ") + removed);
}

void compare_sources(const Service& from, const Service& to, api::ServiceChange& changes) {
  if (from.sources == to.sources) return;
  const std::string where = "sources: ";
  const config::Sources before = from.sources.value_or(config::Sources{});
  const config::Sources now = to.sources.value_or(config::Sources{});
  const std::size_t told = changes.changes.size();
  compare_prefixes(where + "allow: ", before.allow, now.allow, changes);
  compare_prefixes(where + "deny: ", before.deny, now.deny, changes);
  const auto limit = [](const config::Sources& sources) {
    return std::tuple(sources.new_flows_per_second, sources.burst, sources.prefixes.ipv4, sources.prefixes.ipv6);
  };
  if (limit(before) != limit(now)) {
    changes.changes.push_back(
        where + (!now.new_flows_per_second ? "no limit of new flows any more"
                 : !before.new_flows_per_second
                     ? "limit of new flows begins, " + std::to_string(*now.new_flows_per_second) + " a second"
                     : "limit of new flows changed, now " + std::to_string(*now.new_flows_per_second) + " a second, " +
                           std::to_string(*now.burst) + " at once"));
  }
  if (changes.changes.size() == told) changes.changes.push_back(where + "lists in another order");
}

void compare_services(const Service& from, const Service& to, api::ServiceChange& changes) {
  if (from.host != to.host || from.port != to.port) {
    changes.changes.push_back("moved from " + config::show_endpoint(from.host, from.port) + " to " +
                              config::show_endpoint(to.host, to.port));
  }
  if (from.protocol != to.protocol)
    changes.changes.push_back(std::string("protocol changed to ") +
                              (to.protocol == config::Protocol::udp ? "udp" : "tcp"));
  if (from.forwarding != to.forwarding) changes.changes.push_back("forwarding changed");
  if (from.tunnel != to.tunnel) changes.changes.push_back("tunnel changed");
  if (from.scheduler != to.scheduler)
    changes.changes.push_back("scheduler changed to " + config::kSchedulers.show(to.scheduler));
  if (from.source_hash != to.source_hash) changes.changes.push_back("prefixes of source-hash changed");
  if (from.affinity != to.affinity) {
    const char* how = !to.affinity ? "given up" : from.affinity ? "changed" : "begins";
    changes.changes.push_back(std::string("affinity ") + how);
  }
  compare_sources(from, to, changes);
  if (from.when_down != to.when_down || from.minimum_up != to.minimum_up)
    changes.changes.push_back("with fewer than " + std::to_string(to.minimum_up) +
                              " backends: " + config::kWhenDown.show(to.when_down));
  if (from.capacity != to.capacity) changes.changes.push_back("capacity changed");
  if (from.when_backend_down != to.when_backend_down)
    changes.changes.push_back("flows of a backend that is down: " + config::kDownFlows.show(*to.when_backend_down));
  if (from.removal_limit != to.removal_limit) changes.changes.push_back("limit for removed backends changed");
  if (from.slow_start != to.slow_start) changes.changes.push_back("slow start changed");
  if (from.health != to.health || from.further_checks != to.further_checks || from.healthy_when != to.healthy_when)
    changes.changes.push_back("health check changed");
  if (from.flapping != to.flapping) changes.changes.push_back("what flapping is changed");
  if (from.passive != to.passive) changes.changes.push_back("what makes a backend suspect changed");
  if (from.ring_rule != to.ring_rule) changes.changes.push_back("ring: " + config::kRingRules.show(*to.ring_rule));
  if (from.ring_slots_per_weight != to.ring_slots_per_weight) changes.changes.push_back("ring size changed");
}

/// Flows that the change of a service concerns, and of these those that end, since nobody serves them any more.
void count_flows(const Service& from, const Service* to, const FlowCounts& flows, bool stays,
                 api::ServiceChange& view) {
  const bool whole = !stays || to == nullptr || from.forwarding != to->forwarding || from.tunnel != to->tunnel;
  if (whole) view.flows = flows.of_service(from);
  if (!stays) view.flows_end = view.flows;
  if (whole) return;
  for (const api::BackendChange& backend : view.backends) view.flows += backend.flows;
}

/// Of configurations whose names differ.
std::string change_of_names(const config::Model& from, const config::Model& to) {
  if (!from.dns) return "name server added";
  if (!to.dns) return "name server removed";
  const bool moves =
      from.dns->listen != to.dns->listen || from.dns->workers != to.dns->workers || from.dns->tcp != to.dns->tcp;
  return moves ? "name server changed: queries at the old sockets are lost" : "names changed";
}

std::vector<std::string> compare_overall(const config::Model& from, const config::Model& to) {
  std::vector<std::string> changes;
  if (from.interfaces != to.interfaces) changes.emplace_back("interfaces changed");
  if (from.engine != to.engine)
    changes.push_back("engine changed to " + config::kEngines.show(to.engine) + ": flows are carried to its tables");
  else if (from.dpdk != to.dpdk)
    changes.emplace_back("ports or workers of the DPDK engine changed");
  if (from.hook != to.hook || from.interface_settings != to.interface_settings) changes.emplace_back("hooks changed");
  if (from.answers_echo != to.answers_echo)
    changes.emplace_back(to.answers_echo ? "echo requests are answered" : "echo requests are not answered any more");
  if (from.addresses != to.addresses || from.address_interface != to.address_interface) {
    changes.emplace_back("owner or interface of service addresses changed");
  }
  for (std::string& change : compare_pairs(from, to)) changes.push_back(std::move(change));
  if (from.dns != to.dns) changes.push_back(change_of_names(from, to));
  if (from.full_nat != to.full_nat) changes.emplace_back("source addresses of full NAT changed");
  if (from.tables != to.tables) changes.emplace_back("table sizes changed: flows are carried to new tables");
  if (from.timeouts != to.timeouts) changes.emplace_back("timeouts of flows changed");
  if (from.new_flows_per_second != to.new_flows_per_second) changes.emplace_back("limit of new flows changed");
  return changes;
}

/// The same in lines that stand for themselves.
std::vector<std::string> lines_of(const api::ApplyView& view) {
  std::vector<std::string> lines = view.overall;
  for (const api::ServiceChange& service : view.services) {
    const std::string who = "service " + service.service;
    if (service.change != api::PartChange::changed) {
      for (const std::string& change : service.changes) lines.push_back(who + " " + change);
      continue;
    }
    for (const std::string& change : service.changes) lines.push_back(who + ": " + change);
    for (const api::BackendChange& backend : service.backends) {
      for (const std::string& change : backend.changes)
        lines.push_back(who + ": backend " + backend.backend + " " + change);
    }
  }
  return lines;
}

}  // namespace

api::ApplyView describe_changes(const config::Model& from, const config::Model& to, const FlowCounts& flows) {
  api::ApplyView view;
  view.overall = compare_overall(from, to);
  if (from.tables != to.tables) view.flows_carried = flows.all;
  const Services before(from);
  const Services wanted(to);
  for (const Service& service : from.services) {
    if (wanted.find(service.name) != nullptr) continue;
    api::ServiceChange changes{.service = service.name};
    changes.change = api::PartChange::removed;
    changes.changes.push_back("removed");
    count_flows(service, nullptr, flows, wanted.serve(service), changes);
    view.services.push_back(std::move(changes));
  }
  for (const Service& service : to.services) {
    api::ServiceChange changes{.service = service.name};
    if (const Service* earlier = before.find(service.name)) {
      if (*earlier == service) continue;
      const bool stays = wanted.serve(*earlier);
      compare_services(*earlier, service, changes);
      compare_backends(*earlier, service, flows, stays, changes);
      count_flows(*earlier, &service, flows, stays, changes);
      if (changes.changes.empty() && changes.backends.empty()) continue;
    } else {
      changes.change = api::PartChange::added;
      changes.changes.push_back("added at " + config::show_endpoint(service.host, service.port));
    }
    view.services.push_back(std::move(changes));
  }
  view.changes = lines_of(view);
  return view;
}

}  // namespace astil::app
