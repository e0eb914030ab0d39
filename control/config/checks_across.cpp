// Contradictions between services, with the API's endpoint, and with the sizes of the tables.
#include "control/config/checks_across.hpp"

#include <map>
#include <tuple>
#include <utility>

#include "control/balance/ring.hpp"
#include "control/config/keys.hpp"
#include "control/config/utf8.hpp"

namespace astil::config {
namespace {

using Services = std::vector<ServiceView>;

void check_services_differ(const Services& services, Mistakes& mistakes) {
  std::map<std::tuple<address, Port, Protocol>, const ServiceView*> seen;
  for (const ServiceView& service : services) {
    if (!service.has_endpoint()) continue;
    const Service& model = *service.model;
    const auto [first, is_new] = seen.try_emplace({model.host, model.port, model.protocol}, &service);
    if (is_new) continue;
    const ServiceView& other = *first->second;
    mistakes.add(
        service.place_of("address"),
        service.endpoint() + " (" + kProtocols.show(model.protocol) + ") belongs to " + other.name() + " already",
        "each service needs an address and port of its own; the other stands in line " +
            std::to_string(other.entry->place.line));
  }
}

/// Under nat a reply is known by its source alone, (backend, port): two services there could not be told apart.
void check_replies_differ(const Services& services, Mistakes& mistakes) {
  struct Use {
    const ServiceView* service;
    const BackendView* backend;
  };
  std::map<std::tuple<address, Port, Protocol>, Use> seen;
  for (const ServiceView& service : services) {
    if (service.model->forwarding != Forwarding::nat || !service.is_sound("forwarding")) continue;
    for (const BackendView& backend : service.backends) {
      if (!backend.has_endpoint()) continue;
      const auto key = std::tuple(backend.model->host, backend.model->port, service.model->protocol);
      const auto [first, is_new] = seen.try_emplace(key, Use{&service, &backend});
      if (is_new || first->second.service == &service) continue;
      mistakes.add(
          backend.place_of("address"),
          "backend " + backend.endpoint() + " serves " + first->second.service->name() + " already" +
              line_of(first->second.backend->entry->place) + "; under nat its replies could not be told apart",
          "let the server listen on another port for " + service.name() + ", or use forwarding tunnel or direct");
    }
  }
}

/// The balancer has the service addresses, so a backend there would be itself.
void check_addresses_differ(const Services& services, Mistakes& mistakes) {
  std::map<address, const ServiceView*> owners;
  for (const ServiceView& service : services) owners.try_emplace(service.model->host, &service);
  for (const ServiceView& service : services) {
    for (const BackendView& backend : service.backends) {
      const auto owner = owners.find(backend.model->host);
      if (owner == owners.end() || backend.model->host.is_unspecified()) continue;
      mistakes.add(backend.place_of("address"),
                   backend.model->host.to_string() + " is the address of " + owner->second->name() +
                       line_of(owner->second->entry->place) + ", so it can not be a backend's",
                   "write the server's own address");
    }
  }
}

void check_metrics(const Model& model, const Services& services, const Node& root, Mistakes& mistakes) {
  if (!model.metrics) return;
  for (const ServiceView& service : services) {
    if (service.model->host != model.metrics->host || service.model->port != model.metrics->port) continue;
    mistakes.add(root.find("api")->value.find("metrics")->value.place,
                 service.endpoint() + " belongs to " + service.name() + line_of(service.entry->place) +
                     ": packets to it never reach the daemon",
                 "choose another port for the metrics");
  }
}

struct Demand {
  std::string_view key;  ///< under dataplane.tables
  std::uint64_t needed;
  std::uint32_t size;
  std::string what;  ///< "3 services"
};

void check_room(const Demand& demand, const Node& root, Mistakes& mistakes) {
  if (demand.needed <= demand.size) return;
  const Entry* dataplane = root.find("dataplane");
  const Entry* tables = dataplane != nullptr ? dataplane->value.find("tables") : nullptr;
  const Entry* written = tables != nullptr ? tables->value.find(demand.key) : nullptr;
  if (!is_sound_or_absent(written, mistakes)) return;
  const Place place = written != nullptr ? written->value.place : root.find("services")->place;
  const std::string key = "dataplane.tables." + std::string(demand.key);
  mistakes.add(place,
               demand.what + " do not fit: " + key + " is " + std::to_string(demand.size) +
                   (written != nullptr ? "" : " (the default)"),
               "set " + key + " to " + std::to_string(demand.needed) + " or more");
}

/// Slots that the service's ring takes, and under round-robin the order of turns beside it.
std::uint64_t ring_slots(const Service& service) {
  std::vector<balance::RingMember> members;
  for (const Backend& backend : service.backends)
    members.push_back({.weight = static_cast<std::uint32_t>(backend.weight)});
  const std::uint64_t ring = balance::ring_room(members, service.ring_slots_per_weight);
  return ring + (service.scheduler == Scheduler::round_robin ? balance::wheel_room(members) : 0);
}

void check_tables(const Model& model, const Node& root, Mistakes& mistakes) {
  std::uint64_t backends = 0;
  std::uint64_t slots = 0;
  for (const Service& service : model.services) {
    backends += service.backends.size();
    slots += balance::kRingGenerations * ring_slots(service);
  }
  const std::uint64_t services = model.services.size();
  const TableSizes& sizes = model.tables;
  check_room({"services", services, sizes.services, std::to_string(services) + " services"}, root, mistakes);
  check_room({"backends", backends, sizes.backends, std::to_string(backends) + " backends"}, root, mistakes);
  check_room({"ring_slots", slots, sizes.ring_slots, "rings of " + std::to_string(slots) + " slots"}, root, mistakes);
}

}  // namespace

void check_across(const Model& model, const Services& services, const Node& root, Mistakes& mistakes) {
  check_services_differ(services, mistakes);
  check_replies_differ(services, mistakes);
  check_addresses_differ(services, mistakes);
  check_metrics(model, services, root, mistakes);
  check_tables(model, root, mistakes);
}

}  // namespace astil::config
