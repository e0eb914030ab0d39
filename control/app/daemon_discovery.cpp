// Backends that are found: what is configured and what the services' sources name make the model that is followed. A
// set that can not be used leaves the one before; none of it is an entry of the history, which has what operators
// wrote.
#include <algorithm>
#include <tuple>

#include "control/app/daemon.hpp"
#include "control/base/log.hpp"
#include "control/config/address_kinds.hpp"
#include "control/config/checks_across.hpp"

namespace astil::app {
namespace {

bool changes_port(const config::Service& service) {
  return service.forwarding == config::Forwarding::nat || service.forwarding == config::Forwarding::full_nat;
}

/// What the configuration's own checks say of backends that are written down.
Result<void> check_found(const config::Service& service, const config::Backend& backend) {
  const std::string who = "backend " + config::show_endpoint(backend.host, backend.port);
  if (service.port == config::Port{} && backend.port != config::Port{})
    return Error{who + " has a port, and the service has port any", "name it without a port"};
  if (!changes_port(service) && backend.port != service.port)
    return Error{who + " has another port than the service", "only forwarding nat and full-nat can change the port"};
  const bool any_version = service.forwarding == config::Forwarding::tunnel;
  if (!any_version && backend.host.is_v4() != service.host.is_v4())
    return Error{who + " is of another IP version than the service", "only forwarding tunnel carries one in the other"};
  if (service.tunnel.source && backend.host.is_v4() != service.tunnel.source->network.is_v4())
    return Error{who + " is of another IP version than the tunnel's source", "name one of that version"};
  return {};
}

config::Backend backend_of(const config::Service& service, const discovery::Found& found) {
  const config::Port port = found.port == config::Port{} ? service.port : found.port;
  return {.name = discovery::name_of(found, port),
          .host = found.host,
          .port = port,
          .weight = found.weight,
          .is_found = true};
}

/// What is written down is so on purpose, and stays as it is. What does not fit its service is left out.
void add_found(config::Service& service, const discovery::Set& set) {
  std::set<std::pair<config::address, config::Port>> there;
  std::set<std::string> names;
  for (const config::Backend& backend : service.backends) {
    there.emplace(backend.host, backend.port);
    names.insert(backend.name);
  }
  for (const discovery::Found& found : set) {
    config::Backend backend = backend_of(service, found);
    if (check_found(service, backend).has_error() || !there.emplace(backend.host, backend.port).second) continue;
    if (names.insert(backend.name).second) service.backends.push_back(std::move(backend));
  }
}

/// Under nat, replies of an address and port are one service's: the first that has them written down, or else found.
/// Returns what a found one would take from another.
std::vector<config::Backend> drop_conflicts(config::Model& model) {
  std::map<std::tuple<config::address, config::Port, config::Protocol>, std::string> owners;
  std::vector<config::Backend> dropped;
  for (const bool found : {false, true}) {
    for (config::Service& service : model.services) {
      if (service.forwarding != config::Forwarding::nat) continue;
      std::erase_if(service.backends, [&](const config::Backend& backend) {
        if (backend.is_found != found) return false;
        const auto [owner, is_new] = owners.try_emplace({backend.host, backend.port, service.protocol}, service.name);
        if (is_new || owner->second == service.name || !found) return false;
        dropped.push_back(backend);
        return true;
      });
    }
  }
  return dropped;
}

std::vector<discovery::Wanted> wanted_sources(const config::Model& model) {
  std::vector<discovery::Wanted> wanted;
  for (const config::Service& service : model.services) {
    if (!service.discovery) continue;
    discovery::Wanted& source = wanted.emplace_back();
    source = {.service = service.name, .how = *service.discovery};
    const bool any_version = service.forwarding == config::Forwarding::tunnel && !service.tunnel.source;
    const config::address& like = service.tunnel.source ? service.tunnel.source->network : service.host;
    if (!any_version) source.version = like.is_v4() ? 4 : 6;
  }
  return wanted;
}

}  // namespace

/// As the sources are followed.
config::Model Daemon::with_found(config::Model model) const {
  for (config::Service& service : model.services) {
    const discovery::Report* const report = discoveries_->report(service.name);
    if (service.discovery && report != nullptr && report->set) add_found(service, *report->set);
  }
  (void)drop_conflicts(model);
  return model;
}

/// As they would be right after a change to this configuration. Error: what is known does not fit it.
Result<config::Model> Daemon::with_found_after(const config::Model& configured) const {
  auto sets = discoveries_->would_be(wanted_sources(configured));
  config::Model model = configured;
  for (config::Service& service : model.services) {
    const auto set = sets.find(service.name);
    if (!service.discovery || set == sets.end()) continue;
    auto fits = check_set(configured, service.name, set->second);
    if (fits.has_value()) {
      add_found(service, set->second);
      continue;
    }
    // A file that has become wrong leaves what was known of it.
    const auto known = discoveries_->known(service.name, *service.discovery);
    if (!known) continue;
    if (fits = check_set(configured, service.name, *known); fits.has_error())
      return fits.error().within("the backends that were found for service " + service.name);
    add_found(service, *known);
  }
  (void)drop_conflicts(model);
  return model;
}

/// Whether all that a service's source names can be used in this configuration, beside what is known of the others.
Result<void> Daemon::check_set(config::Model model, const std::string& name, const discovery::Set& set) const {
  for (config::Service& service : model.services) {
    if (!service.discovery) continue;
    const discovery::Report* const report = discoveries_->report(service.name);
    if (service.name != name) {
      if (report != nullptr && report->set) add_found(service, *report->set);
      continue;
    }
    for (const discovery::Found& found : set) {
      if (auto checked = check_found(service, backend_of(service, found)); checked.has_error()) return checked;
    }
    add_found(service, set);
  }
  if (const auto taken = drop_conflicts(model); !taken.empty()) {
    return Error{"backend " + config::show_endpoint(taken.front().host, taken.front().port) +
                     " is one of another service already",
                 "under nat an address and port serve one service"};
  }
  return config::check_room(model);
}

/// Whether what was found last can be used in this configuration, of every service.
Result<void> Daemon::check_sets(const config::Model& configured) const {
  for (const config::Service& service : configured.services) {
    const discovery::Report* const report = discoveries_->report(service.name);
    if (!service.discovery || report == nullptr || !report->set) continue;
    if (auto fits = check_set(configured, service.name, *report->set); fits.has_error())
      return fits.error().within("the backends that were found for service " + service.name);
  }
  return {};
}

/// What a source names that can not be used leaves what is known of it.
void Daemon::follow_sources() {
  discoveries_->configure(wanted_sources(configured_), [this](const std::string& service, const discovery::Set& set) {
    return check_set(configured_, service, set);
  });
}

/// At the start there is nothing to go back to: what an earlier daemon has found, and can not be used any more, is
/// forgotten.
void Daemon::follow_first_sources() {
  follow_sources();
  for (const auto& [service, set] : discoveries_->sets()) {
    if (!set) continue;
    if (const auto fits = check_set(configured_, service, *set); fits.has_error())
      discoveries_->put_back({{service, std::nullopt}}, fits.error().text());
  }
}

Result<void> Daemon::on_found(const std::string& service) {
  if (detached_ || !checks_) return {};
  if (auto fits = check_set(configured_, service, *discoveries_->report(service)->set); fits.has_error()) return fits;
  config::Model wanted = with_found(configured_);
  if (wanted == model_) return {};
  const api::ApplyView changes = describe_changes(model_, wanted, flow_counts());
  config::Model before = exchange_model(std::move(wanted));
  follow_model();
  if (settled_) {
    if (auto done = reconcile(); done.has_error()) {
      const Error why = done.error();
      (void)exchange_model(std::move(before));
      follow_model();
      follow();
      return why;
    }
  } else {
    await_settling();
  }
  std::string reason;
  for (const std::string& change : changes.changes) {
    log::info("backends changed", {{"change", change}});
    if (reason.empty()) reason = change;
  }
  if (changes.changes.size() > 1) reason += ", and " + std::to_string(changes.changes.size() - 1) + " more changes";
  const discovery::Report* const report = discoveries_->report(service);
  event_log_.add(
      api::EventKind::discovery,
      {.service = service, .after = std::to_string(report->set ? report->set->size() : 0), .reason = reason});
  return {};
}

std::optional<api::DiscoveryView> Daemon::discovery_view(const config::Service& service) const {
  const discovery::Report* const report = discoveries_->report(service.name);
  if (!service.discovery || report == nullptr) return std::nullopt;
  return api::DiscoveryView{.source = discovery::Discoveries::source_of(*service.discovery),
                            .backends = report->set ? report->set->size() : 0,
                            .at = report->at,
                            .error = report->error,
                            .followed = report->followed,
                            .failed = report->failed,
                            .refused = report->refused};
}

}  // namespace astil::app
