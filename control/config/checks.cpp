// Contradictions within one service; what concerns several services, and the tables' sizes, is in checks_across.cpp.
#include "control/config/checks.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "control/balance/ring.hpp"
#include "control/config/checks_across.hpp"
#include "control/config/checks_life.hpp"
#include "control/config/checks_sources.hpp"
#include "control/config/keys.hpp"
#include "control/config/utf8.hpp"
#include "control/config/views.hpp"

namespace astil::config {
namespace {

/// One of a service's checks beside its place in the file.
struct CheckView {
  const HealthCheck* model;
  const Entry* entry;
  const ServiceView* service;
  std::string path;  ///< "services.web.health"

  [[nodiscard]] const Entry* find(std::string_view key) const { return entry->value.find(key); }
};

/// Those that can be looked at.
std::vector<CheckView> checks_of(const ServiceView& service, const Mistakes& mistakes) {
  std::vector<CheckView> checks;
  const auto add = [&](const HealthCheck& model, const Entry* entry, const std::string& path) {
    if (entry != nullptr && entry->value.kind == Node::Kind::mapping && is_sound_or_absent(entry, mistakes))
      checks.push_back({.model = &model,
                        .entry = entry,
                        .service = &service,
                        .path = "services." + service.model->name + "." + path});
  };
  if (service.model->health) add(*service.model->health, service.entry->value.find("health"), "health");
  const Entry* further = service.entry->value.find("further_checks");
  for (const FurtherCheck& each : service.model->further_checks) {
    add(each.check, further->value.find(each.name), "further_checks." + each.name);
  }
  return checks;
}

void check_timeout(const CheckView& check, Mistakes& mistakes) {
  const HealthCheck& health = *check.model;
  const Entry* interval = check.find("interval");
  const Entry* timeout = check.find("timeout");
  const bool is_sound = is_sound_or_absent(interval, mistakes) && is_sound_or_absent(timeout, mistakes);
  if (!is_sound || health.timeout <= health.interval) return;
  const auto show = [](Milliseconds value) { return Duration{}.show(value); };
  const std::string origin = timeout != nullptr ? "" : " (the default)";
  const std::string relation =
      "the timeout of " + show(health.timeout) + origin + " is longer than the interval of " + show(health.interval);
  mistakes.add((timeout != nullptr ? timeout : interval)->value.place, relation,
               "a probe must end before the next begins");
}

void check_down_interval(const CheckView& check, Mistakes& mistakes) {
  const HealthCheck& health = *check.model;
  const Entry* slower = check.find("down_interval");
  if (slower == nullptr || !is_sound_or_absent(slower, mistakes) ||
      !is_sound_or_absent(check.find("interval"), mistakes))
    return;
  if (!health.down_interval || *health.down_interval >= health.interval) return;
  mistakes.add(slower->value.place,
               "the down_interval of " + Duration{}.show(*health.down_interval) + " is shorter than the interval of " +
                   Duration{}.show(health.interval),
               "a backend that is down is probed more seldom, or leave it out");
}

void check_trust(const CheckView& check, Mistakes& mistakes) {
  const auto* https = std::get_if<HttpsCheck>(&check.model->probe);
  const Entry* ca = check.find("ca");
  if (https == nullptr || https->trust.verify || ca == nullptr) return;
  mistakes.add(ca->place, "\"ca\" applies only with verify: true", "leave one of them out");
}

/// Of a service on any port there is no port that a probe could open unless one is named.
void check_probed_port(const CheckView& check, Mistakes& mistakes) {
  if (!check.service->has_any_port() || check.find("port") != nullptr || !needs_port(check.model->probe)) return;
  mistakes.add(check.entry->place,
               check.path + " lacks the key \"port\", which it needs where the service has port any",
               "name the port that a probe opens");
}

/// The packet path carries what has ports, and under nat and full-nat a service's address is on no backend.
void check_via(const CheckView& check, Mistakes& mistakes) {
  if (!check.service->is_sound("forwarding")) return;
  const Entry* via = check.find("via");
  if (via == nullptr || check.model->via != ProbeVia::path) return;
  const Forwarding forwarding = check.service->model->forwarding;
  if (forwarding != Forwarding::tunnel && forwarding != Forwarding::direct) {
    mistakes.add(via->place, "\"via: path\" applies only with forwarding tunnel and direct",
                 "leave it out: with " + kForwardings.show(forwarding) + " backends are probed at their own addresses");
  } else if (!needs_port(check.model->probe)) {
    const bool icmp = std::holds_alternative<IcmpCheck>(check.model->probe);
    mistakes.add(via->place, std::string("\"via: path\" does not apply to type ") + (icmp ? "icmp" : "exec"),
                 "use another type, or via: address");
  }
}

void check_command(const CheckView& check, Mistakes& mistakes) {
  const auto* exec = std::get_if<ExecCheck>(&check.model->probe);
  const Entry* command = check.find("command");
  if (exec == nullptr || command == nullptr || exec->command.empty() || !is_sound_or_absent(command, mistakes)) return;
  if (exec->command.front().starts_with('/')) return;
  mistakes.add(command->value.place, "the command " + in_quotes(exec->command.front()) + " is no absolute path",
               "write where the program is: no shell looks for it");
}

void check_several(const ServiceView& service, Mistakes& mistakes) {
  if (service.model->health) return;
  for (const char* const key : {"further_checks", "flapping", "passive"}) {
    const Entry* entry = service.entry->value.find(key);
    if (entry != nullptr)
      mistakes.add(entry->place, std::string("\"") + key + "\" applies only with health",
                   "write the first check there");
  }
}

/// Of others the balancer does not see what backends answer.
void check_passive(const ServiceView& service, Mistakes& mistakes) {
  const Entry* entry = service.entry->value.find("passive");
  const Forwarding forwarding = service.model->forwarding;
  if (entry == nullptr || !service.is_sound("forwarding") || forwarding == Forwarding::nat ||
      forwarding == Forwarding::full_nat)
    return;
  mistakes.add(entry->place, "\"passive\" does not apply to forwarding " + kForwardings.show(forwarding),
               "leave it out: replies do not pass the balancer");
}

void check_has_backends(const ServiceView& service, Mistakes& mistakes) {
  const Entry* backends = service.entry->value.find("backends");
  if (backends == nullptr || backends->value.kind != Node::Kind::mapping || !backends->value.entries.empty()) return;
  if (service.entry->value.find("discovery") != nullptr || mistakes.at(backends->value.place)) return;
  mistakes.add(backends->value.place, "services." + service.model->name + ".backends is empty",
               "at least one is needed, or discovery");
}

void check_discovery(const ServiceView& service, Mistakes& mistakes) {
  if (!service.model->discovery || !service.is_sound("discovery")) return;
  const Entry& entry = *service.entry->value.find("discovery");
  const Discovery& discovery = *service.model->discovery;
  if (discovery.from != DiscoveryFrom::dns) return;
  const Entry* port = entry.value.find("port");
  const bool keeps_port =
      service.model->forwarding != Forwarding::nat && service.model->forwarding != Forwarding::full_nat;
  if (port != nullptr && (service.has_any_port() || (keeps_port && discovery.dns.port != service.model->port)))
    mistakes.add(port->value.place, "the port of what is found can not be another than that of " + service.name(),
                 "leave it out: only forwarding nat and full-nat can change the port, and not that of port any");
  const Entry* shortest = entry.value.find("shortest");
  if (discovery.dns.shortest > discovery.dns.longest)
    mistakes.add((shortest != nullptr ? *shortest : entry).value.place, "shortest is longer than longest",
                 "exchange them");
}

void check_weights(const ServiceView& service, Mistakes& mistakes) {
  const std::vector<Backend>& backends = service.model->backends;
  const auto has_no_weight = [](const Backend& backend) { return backend.weight == Weight{0}; };
  if (backends.empty() || service.model->discovery || !std::all_of(backends.begin(), backends.end(), has_no_weight))
    return;
  mistakes.add(service.entry->value.find("backends")->place, "all backends of " + service.name() + " have weight 0",
               "give one a weight, so that new flows have a place to go");
}

void check_port(const ServiceView& service, const BackendView& backend, Mistakes& mistakes) {
  const Service& model = *service.model;
  const bool keeps_port = model.forwarding != Forwarding::nat && model.forwarding != Forwarding::full_nat;
  if (!service.has_value("port") || !backend.has_value("port")) return;
  if (model.port == Port{0}) {
    mistakes.add(backend.place_of("port"),
                 "backend " + in_quotes(backend.model->name) + " has a port, and " + service.name() + " has port any" +
                     line_of(service.place_of("port")),
                 "leave it out: packets keep the port that clients connect to");
    return;
  }
  if (!keeps_port || !service.is_sound("forwarding") || backend.model->port == model.port) return;
  mistakes.add(backend.place_of("port"),
               "port " + kPort.show(backend.model->port) + " is not the service's port " + kPort.show(model.port),
               "only forwarding nat and full-nat can change the port; with " + kForwardings.show(model.forwarding) +
                   " leave it out");
}

/// "backend 2001:db8::1 is IPv6, and the tunnel's source is IPv4: 10.0.0.0 (line 9)"
std::string other_version(const address& backend, const std::string& what, const address& other, Place place) {
  return "backend " + backend.to_string() + " is " + std::string(version_of(backend)) + ", and " + what + " is " +
         std::string(version_of(other)) + ": " + other.to_string() + line_of(place);
}

void check_version(const ServiceView& service, const BackendView& backend, Mistakes& mistakes) {
  const Service& model = *service.model;
  const address& host = backend.model->host;
  const bool is_known = service.is_sound("forwarding") && backend.has_value("address");
  if (!is_known || model.forwarding == Forwarding::tunnel) return;
  if (!service.has_value("address") || host.is_v4() == model.host.is_v4()) return;
  mistakes.add(backend.place_of("address"),
               other_version(host, "the address of " + service.name(), model.host, service.place_of("address")),
               "with forwarding " + kForwardings.show(model.forwarding) + " write the server's " +
                   std::string(version_of(model.host)) + " address; only tunnel carries one version in the other");
}

void check_source(const ServiceView& service, const BackendView& backend, Mistakes& mistakes) {
  const std::optional<Prefix>& source = service.model->tunnel.source;
  const address& host = backend.model->host;
  if (!source || !backend.has_value("address") || host.is_v4() == source->network.is_v4()) return;
  const Place place = service.entry->value.find("tunnel")->value.find("source")->value.place;
  mistakes.add(backend.place_of("address"), other_version(host, "the tunnel's source", source->network, place),
               "the outer header has one version: leave source out, or let all backends be of its version");
}

void check_once(const ServiceView& service, Mistakes& mistakes) {
  std::map<std::pair<address, Port>, const BackendView*> seen;
  for (const BackendView& backend : service.backends) {
    // Two that both leave the port to the service are the same, also where that port is wrong.
    if (!backend.has_value("address") || !backend.is_sound("port")) continue;
    const auto [first, is_new] = seen.try_emplace({backend.model->host, backend.model->port}, &backend);
    if (is_new) continue;
    mistakes.add(backend.place_of("address"),
                 "backend " + (backend.has_endpoint() ? backend.endpoint() : backend.model->host.to_string()) +
                     " stands twice in " + service.name(),
                 "it is " + in_quotes(first->second->model->name) + line_of(first->second->entry->place) + " already");
  }
}

void check_count(const ServiceView& service, Mistakes& mistakes) {
  if (service.backends.size() <= balance::kMostMembers) return;
  mistakes.add(service.place_of("backends"),
               service.name() + " has " + std::to_string(service.backends.size()) + " backends; at most " +
                   std::to_string(balance::kMostMembers) + " can be told apart",
               "spread them over several services");
}

}  // namespace

void check_model(const Model& model, const Node& root, Mistakes& mistakes) {
  const std::vector<ServiceView> services = views_of(model, root, mistakes);
  for (const ServiceView& service : services) {
    for (const CheckView& check : checks_of(service, mistakes)) {
      check_timeout(check, mistakes);
      check_down_interval(check, mistakes);
      check_trust(check, mistakes);
      check_probed_port(check, mistakes);
      check_via(check, mistakes);
      check_command(check, mistakes);
    }
    check_several(service, mistakes);
    check_passive(service, mistakes);
    check_has_backends(service, mistakes);
    check_discovery(service, mistakes);
    check_weights(service, mistakes);
    check_once(service, mistakes);
    check_count(service, mistakes);
    check_client_sources(service, mistakes);
    check_when_down(model, service, mistakes);
    for (const BackendView& backend : service.backends) {
      check_port(service, backend, mistakes);
      check_version(service, backend, mistakes);
      check_source(service, backend, mistakes);
    }
  }
  check_across(model, services, root, mistakes);
}

}  // namespace astil::config
