// Contradictions between services, with the API's endpoint, and with the sizes of the tables.
#include "control/config/checks_across.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "control/balance/ring.hpp"
#include "control/config/checks_dns.hpp"
#include "control/config/checks_dpdk.hpp"
#include "control/config/checks_ha.hpp"
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

/// A backend under nat. Its replies are known by their source alone, (backend, port, protocol).
struct Use {
  const ServiceView* service;
  const BackendView* backend;
};

using Replies = std::map<std::tuple<address, Port, Protocol>, Use>;

std::string serves_already(const Use& use, const Use& first) {
  return "backend " + use.backend->endpoint() + " serves " + first.service->name() +
         (use.backend->model->port == first.backend->model->port ? "" : " on any port") + " already" +
         line_of(first.backend->entry->place) + "; under nat its replies could not be told apart";
}

/// Replies from one port of a backend that also serves another service on any port. Only where both have one address
/// and the port stays are they told apart: then that port is this service's and never the other's.
void check_any_port_replies(const Use& use, const Replies& replies, Mistakes& mistakes) {
  const Service& service = *use.service->model;
  const Backend& backend = *use.backend->model;
  const auto any = replies.find({backend.host, Port{0}, service.protocol});
  if (backend.port == Port{0} || any == replies.end()) return;
  const Service& other = *any->second.service->model;
  if (!any->second.service->has_endpoint()) return;
  if (other.host == service.host && backend.port == service.port) return;
  mistakes.add(use.backend->place_of("address"), serves_already(use, any->second),
               "use forwarding tunnel or direct, or give both services one address and let the backend keep the port");
}

void check_replies_differ(const Services& services, Mistakes& mistakes) {
  Replies replies;
  std::vector<Use> uses;
  for (const ServiceView& service : services) {
    const bool is_nat = service.model->forwarding == Forwarding::nat && service.is_sound("forwarding");
    if (!is_nat || !service.is_sound("protocol")) continue;
    for (const BackendView& backend : service.backends) {
      if (!backend.has_endpoint()) continue;
      const Use use{&service, &backend};
      const auto key = std::tuple(backend.model->host, backend.model->port, service.model->protocol);
      const auto [first, is_new] = replies.try_emplace(key, use);
      if (service.has_endpoint()) uses.push_back(use);
      if (is_new || first->second.service == &service) continue;
      mistakes.add(
          backend.place_of("address"), serves_already(use, first->second),
          "let the server listen on another port for " + service.name() + ", or use forwarding tunnel or direct");
    }
  }
  for (const Use& use : uses) check_any_port_replies(use, replies, mistakes);
}

/// The balancer has the service addresses, so a backend there would be itself.
void check_addresses_differ(const Services& services, Mistakes& mistakes) {
  std::map<address, const ServiceView*> owners;
  for (const ServiceView& service : services) {
    if (service.has_value("address")) owners.try_emplace(service.model->host, &service);
  }
  for (const ServiceView& service : services) {
    for (const BackendView& backend : service.backends) {
      const auto owner = owners.find(backend.model->host);
      if (owner == owners.end() || !backend.has_value("address")) continue;
      mistakes.add(backend.place_of("address"),
                   backend.model->host.to_string() + " is the address of " + owner->second->name() +
                       line_of(owner->second->entry->place) + ", so it can not be a backend's",
                   "write the server's own address");
    }
  }
}

/// Addresses that are a service's or a backend's, and whose.
std::map<address, std::string> hosts_of(const Services& services) {
  std::map<address, std::string> hosts;
  for (const ServiceView& service : services) {
    if (service.has_value("address"))
      hosts.try_emplace(service.model->host, service.name() + line_of(service.entry->place));
    for (const BackendView& backend : service.backends) {
      if (backend.has_value("address"))
        hosts.try_emplace(backend.model->host,
                          "backend " + in_quotes(backend.model->name) + line_of(backend.entry->place));
    }
  }
  return hosts;
}

/// A host drops packets that come from its own address, and some of those made up within the prefix would be such.
void check_sources(const Services& services, Mistakes& mistakes) {
  const std::map<address, std::string> hosts = hosts_of(services);
  for (const ServiceView& service : services) {
    const std::optional<Prefix>& source = service.model->tunnel.source;
    if (!source) continue;
    const auto host = hosts.lower_bound(source->network);
    if (host == hosts.end() || !holds(*source, host->first)) continue;
    mistakes.add(
        service.entry->value.find("tunnel")->value.find("source")->value.place,
        SourcePrefix{}.show(*source) + " holds " + host->first.to_string() + ", the address of " + host->second,
        "choose a prefix that holds no host's address");
  }
}

/// Of full NAT: each service needs a source address of its version, and none may be anybody else's.
void check_full_nat(const Model& model, const Services& services, const Node& root, Mistakes& mistakes) {
  const Entry* section = root.find("full_nat");
  const Entry* written = section != nullptr ? section->value.find("sources") : nullptr;
  const Entry* interface = section != nullptr ? section->value.find("interface") : nullptr;
  if (interface != nullptr && model.addresses != AddressOwner::daemon)
    mistakes.add(interface->place, "\"interface\" applies only with addresses.owner: daemon");
  const bool is_known = is_sound_or_absent(section, mistakes) && is_sound_or_absent(written, mistakes);
  const auto& sources = model.full_nat.sources;
  for (const ServiceView& service : services) {
    const address& host = service.model->host;
    const bool is_of_this = service.model->forwarding == Forwarding::full_nat && service.is_sound("forwarding");
    if (!is_of_this || !is_known || !service.has_value("address")) continue;
    if (std::any_of(sources.begin(), sources.end(), [&](const address& a) { return a.is_v4() == host.is_v4(); }))
      continue;
    mistakes.add(service.place_of("forwarding"),
                 service.name() + " is under full-nat, and full_nat.sources has no " + std::string(version_of(host)) +
                     " address",
                 "name one there that this balancer shall have towards the backends");
  }
  if (written == nullptr || written->value.kind != Node::Kind::list) return;
  const auto taken = hosts_of(services);
  for (const Node& item : written->value.items) {
    if (item.kind != Node::Kind::scalar || mistakes.at(item.place)) continue;
    const auto source = HostAddress{}.read({item.text, item.quoted});
    if (!source) continue;
    const auto owner = taken.find(*source);
    if (owner == taken.end()) continue;
    mistakes.add(item.place, source->to_string() + " is the address of " + owner->second + " already",
                 "connections need an address that only they come from");
  }
}

/// A service's packets never reach the daemon, so that nobody could ask it there.
void check_listener(const Endpoint& endpoint, const char* what, Place place, const Services& services,
                    Mistakes& mistakes) {
  for (const ServiceView& service : services) {
    const bool takes_port = service.model->port == endpoint.port || service.has_any_port();
    if (!service.has_endpoint() || service.model->protocol != Protocol::tcp) continue;
    if (service.model->host != endpoint.host || !takes_port) continue;
    mistakes.add(place,
                 service.endpoint() + " belongs to " + service.name() + line_of(service.entry->place) +
                     ": packets to it never reach the daemon",
                 service.has_any_port()
                     ? std::string("choose another address for ") + what + ": the service takes every port"
                     : std::string("choose another port for ") + what);
  }
}

void check_listeners(const Model& model, const Services& services, const Node& root, Mistakes& mistakes) {
  const Entry* api = root.find("api");
  if (model.metrics)
    check_listener(*model.metrics, "the metrics", api->value.find("metrics")->value.place, services, mistakes);
  const Entry* remote = api == nullptr ? nullptr : api->value.find("remote");
  const Entry* listen = model.remote && remote != nullptr ? remote->value.find("listen") : nullptr;
  if (listen == nullptr || mistakes.at(listen->value.place)) return;
  const Place place = listen->value.place;
  check_listener(model.remote->listen, "api.remote", place, services, mistakes);
  if (model.metrics && *model.metrics == model.remote->listen)
    mistakes.add(place, "the metrics have this address and port already", "choose another port");
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
  return ring + (service.scheduler == Scheduler::round_robin
                     ? balance::wheel_room(members, service.slow_start ? balance::kTenths : 1)
                     : 0);
}

std::vector<Demand> demands_of(const Model& model) {
  std::uint64_t backends = 0;
  std::uint64_t slots = 0;
  std::uint64_t prefixes = 0;
  for (const Service& service : model.services) {
    backends += service.backends.size();
    slots += balance::kRingGenerations * ring_slots(service);
    if (service.sources) prefixes += service.sources->allow.size() + service.sources->deny.size();
  }
  const std::uint64_t services = model.services.size();
  const TableSizes& sizes = model.tables;
  return {{"services", services, sizes.services, std::to_string(services) + " services"},
          {"backends", backends, sizes.backends, std::to_string(backends) + " backends"},
          {"ring_slots", slots, sizes.ring_slots, "rings of " + std::to_string(slots) + " slots"},
          {"source_prefixes", prefixes, sizes.source_prefixes, std::to_string(prefixes) + " prefixes of sources"}};
}

/// The flow table keeps the client's whole address only where there is room for it.
void check_ipv6(const Model& model, const Services& services, const Node& root, Mistakes& mistakes) {
  if (model.tables.ipv6) return;
  const auto has_ipv6 = [](const ServiceView& service) {
    return service.has_value("address") && service.model->host.is_v6();
  };
  const auto service = std::find_if(services.begin(), services.end(), has_ipv6);
  if (service == services.end()) return;
  const Node& tables = root.find("dataplane")->value.find("tables")->value;
  mistakes.add(tables.find("ipv6")->value.place,
               "dataplane.tables.ipv6 is false, and " + service->name() + " has an IPv6 address" +
                   line_of(service->place_of("address")),
               "set dataplane.tables.ipv6 to true, or leave it out");
}

void check_interface_settings(const Model& model, const Node& root, Mistakes& mistakes) {
  for (const InterfaceSettings& settings : model.interface_settings) {
    const auto& known = model.interfaces;
    if (std::find(known.begin(), known.end(), settings.name) != known.end()) continue;
    const Entry* entry = root.find("dataplane")->value.find("interfaces")->value.find(settings.name);
    if (!is_sound_or_absent(root.find("interfaces"), mistakes)) continue;
    mistakes.add(entry->place, in_quotes(settings.name) + " is none of the interfaces",
                 "name it under interfaces too, or leave it out here");
  }
}

}  // namespace

void check_across(const Model& model, const Services& services, const Node& root, Mistakes& mistakes) {
  check_services_differ(services, mistakes);
  check_replies_differ(services, mistakes);
  check_addresses_differ(services, mistakes);
  check_sources(services, mistakes);
  check_full_nat(model, services, root, mistakes);
  check_listeners(model, services, root, mistakes);
  for (const Demand& demand : demands_of(model)) check_room(demand, root, mistakes);
  check_ipv6(model, services, root, mistakes);
  check_interface_settings(model, root, mistakes);
  check_dpdk(model, root, mistakes);
  check_ha(model, services, root, mistakes);
  check_dns(model, services, root, mistakes);
}

Result<> check_room(const Model& model) {
  for (const Demand& demand : demands_of(model)) {
    if (demand.needed <= demand.size) continue;
    const std::string key = "dataplane.tables." + std::string(demand.key);
    return Error{demand.what + " do not fit: " + key + " is " + std::to_string(demand.size),
                 "set " + key + " to " + std::to_string(demand.needed) + " or more"};
  }
  return {};
}

}  // namespace astil::config
