// The life of a backend as the daemon sees it: what its checks and its operator say, and when it is empty.
#include <algorithm>
#include <unordered_map>

#include "control/api/json.hpp"
#include "control/app/daemon.hpp"
#include "control/base/log.hpp"
#include "control/config/suggest.hpp"

namespace astil::app {

namespace {

/// What an earlier daemon had in rotation. Its backends are taken for well until checks have found otherwise: a host
/// that is too busy at a restart to get its first answers in time would empty its rings else, and break what they hold.
class Inheritance {
 public:
  /// `state` must outlive it.
  explicit Inheritance(const dataplane::DesiredState& state) {
    for (const dataplane::ServiceState& service : state.services) services_.emplace(service.key, &service);
  }
  [[nodiscard]] bool has(const config::Service& service, const config::Backend& backend) const {
    const auto found = services_.find(key_of(service));
    if (found == services_.end()) return false;
    const auto& backends = found->second->backends;
    return std::any_of(backends.begin(), backends.end(), [&](const dataplane::BackendUse& use) {
      return use.rotation == dataplane::Rotation::in && use.address == to_core(backend.host) &&
             use.port == static_cast<std::uint16_t>(backend.port);
    });
  }

 private:
  std::unordered_map<dataplane::ServiceKey, const dataplane::ServiceState*, dataplane::ServiceKeyHash> services_;
};

}  // namespace

/// Health checks and next hops of the model's backends.
void Daemon::follow_model() {
  static const dataplane::DesiredState kNothing;
  const Inheritance inheritance(settled_ ? kNothing : path_->inherited());
  std::vector<health::Subject> subjects;
  std::set<config::address> hosts;
  for (const config::Service& service : model_.services) {
    for (const config::Backend& backend : service.backends) {
      hosts.insert(backend.host);
      const bool rests = orders_.state(service.name, backend.name) == api::AdminState::maintenance;
      if (!service.health || rests) continue;
      subjects.push_back(subject_of(service, backend));
      for (health::Target& target : subjects.back().targets) target.was_up = inheritance.has(service, backend);
    }
  }
  add_site_targets(subjects);
  site_reports_.follow(model_.dns ? model_.dns->sites : std::vector<config::DnsReport>());
  network_->keep_gateways(
      std::any_of(model_.services.begin(), model_.services.end(), [](const config::Service& service) {
        return service.forwarding == config::Forwarding::nat || service.forwarding == config::Forwarding::full_nat;
      }));
  network_->track(hosts);  // first: probes through the forwarding path need to know the way
  note_next_hops(hosts);
  if (auto followed = follow_path_probes(); followed.has_error())
    log::warning("no probes through the forwarding path", {{"error", followed.error().text()}});
  checks_->configure(subjects);
}

/// Makes what probes through the forwarding path need while a check wants it, puts right what is missing of it, and
/// gives it up once none does.
Result<void> Daemon::follow_path_probes() {
  const bool wanted = std::any_of(model_.services.begin(), model_.services.end(), [](const config::Service& service) {
    const auto by_path = [](const config::HealthCheck& check) { return check.via == config::ProbeVia::path; };
    return (service.health && by_path(*service.health)) ||
           std::any_of(service.further_checks.begin(), service.further_checks.end(),
                       [&](const config::FurtherCheck& further) { return by_path(further.check); });
  });
  if (!wanted) {
    prober_.use(nullptr);
    path_probes_.reset();
    return {};
  }
  if (!path_probes_) {
    const auto source = [this](const config::address& service, const net::NextHop& hop) {
      std::set<config::address> services;
      for (const config::Service& each : model_.services) services.insert(each.host);
      return probe_source(service, hop, services);
    };
    auto made = PathProbes::make(
        options_.program.probe_object, model_.instance,
        [this](const config::address& host) { return network_->next_hop(host); }, source);
    if (made.has_error()) return made.error().within("probes through the forwarding path");
    path_probes_ = std::move(*made);
    prober_.use(path_probes_.get());
  }
  std::set<std::uint32_t> interfaces;
  for (const std::string& name : model_.interfaces) {
    if (const auto link = network_->link(name)) interfaces.insert(link->ifindex);
  }
  return path_probes_->follow(interfaces);
}

Facts Daemon::facts() const {
  return {.availability =
              [this](const config::Service& service, const config::Backend& backend) {
                if (orders_.state(service.name, backend.name) == api::AdminState::maintenance)
                  return balance::Availability::down;
                if (!service.health) return balance::Availability::up;
                const auto state = checks_->state({.service = service.name, .backend = backend.name});
                return state ? availability_of(state->health) : balance::Availability::unknown;
              },
          .next_hop = [this](const config::address& host) -> std::optional<net::NextHop> {
            auto hop = network_->next_hop(host);
            if (hop.has_error()) return std::nullopt;
            return *hop;
          },
          .intake = [this](const config::Service& service,
                           const config::Backend& backend) { return intake_of(service, backend); }};
}

/// Does the operator let new flows in?
balance::Intake Daemon::intake_of(const config::Service& service, const config::Backend& backend) const {
  const bool active = orders_.state(service.name, backend.name) == api::AdminState::active;
  return active ? balance::Intake::open : balance::Intake::closed;
}

void Daemon::on_health_change(const health::TargetKey& key, const health::State& state) {
  if (is_of_name(key)) {
    log::info("health of a site changed", {{"name", key.service.substr(1)},
                                           {"site", key.backend},
                                           {"state", health::to_string(state.health)},
                                           {"error", state.last_error}});
    learn_of_sites();
    return;
  }
  log::info("backend health changed", {{"service", key.service},
                                       {"backend", key.backend},
                                       {"state", health::to_string(state.health)},
                                       {"error", state.last_error}});
  event_log_.change(api::EventKind::health,
                    {.service = key.service,
                     .backend = key.backend,
                     .after = health::to_string(state.health),
                     .reason = state.health == health::Health::up ? "its checks succeed" : state.last_error},
                    health::to_string(health::Health::unknown));
  request_reconcile();
}

/// The backends in the configuration that a request is about.
Result<std::vector<BackendOrders::Key>> Daemon::named(const api::BackendFilter& filter) const {
  std::vector<BackendOrders::Key> keys;
  std::vector<std::string_view> known;
  bool has_service = !filter.service;
  for (const config::Service& service : model_.services) {
    if (filter.service && service.name != *filter.service) continue;
    has_service = true;
    for (const config::Backend& backend : service.backends) {
      known.push_back(backend.name);
      if (backend.name == filter.backend) keys.emplace_back(service.name, backend.name);
    }
  }
  const std::string list = "astil status lists them";
  if (!has_service) return Error{"there is no service '" + *filter.service + "'", list};
  if (!keys.empty()) return keys;
  const std::string meant = config::did_you_mean(filter.backend, known);
  return Error{
      (filter.service ? "service " + *filter.service + " has" : "there is") + " no backend '" + filter.backend + "'",
      meant.empty() ? list : meant};
}

api::DrainView Daemon::drain_view(const BackendOrders::Key& key) const {
  api::DrainView view{.service = key.first, .backend = key.second, .admin = orders_.state(key.first, key.second)};
  for (std::size_t i = 0; i < in_force().size(); ++i) {
    const config::Service& service = model_.services[i];
    if (service.name != key.first) continue;
    for (std::size_t b = 0; b < service.backends.size(); ++b) {
      if (service.backends[b].name != key.second) continue;
      const dataplane::BackendUse& use = path_->published().services[i].backends[b];
      view.in_rotation = use.rotation == dataplane::Rotation::in;
      view.active_flows = path_->active_flows(in_force()[i].backends[b]);
      view.drained = !view.in_rotation && view.active_flows == 0 && path_->census_is_new();
    }
  }
  if (const auto empty_in = drains_.empty_in(key)) view.empty_in_seconds = empty_in->count();
  return view;
}

Result<api::DrainsView> Daemon::backends(const api::BackendFilter& filter) const {
  const auto keys = named(filter);
  if (keys.has_error()) return keys.error();
  api::DrainsView view;
  for (const BackendOrders::Key& key : *keys) view.backends.push_back(drain_view(key));
  return view;
}

Result<api::DrainsView> Daemon::order(const api::BackendFilter& filter, api::AdminState state, const api::Caller& by) {
  const auto ordered = [&]() -> Result<void> {
    if (detached_) return Error{"the packet path is detached", "start astild again"};
    const auto keys = named(filter);
    if (keys.has_error()) return keys.error();
    if (auto kept = orders_.set(*keys, state, std::chrono::system_clock::now()); kept.has_error()) return kept.error();
    for (const BackendOrders::Key& key : *keys) {
      drained_.erase(key);
      event_log_.change(
          api::EventKind::order,
          {.service = key.first, .backend = key.second, .after = api::to_string(state), .reason = "by " + by.name()},
          api::to_string(api::AdminState::active));
    }
    return {};
  }();
  const std::string service = filter.service.value_or("(all)");
  if (ordered.has_error()) {
    ++orders_refused_;
    log::warning("order for a backend refused", {{"service", service},
                                                 {"backend", filter.backend},
                                                 {"state", api::to_string(state)},
                                                 {"error", ordered.error().text()}});
    return ordered.error();
  }
  ++orders_ok_;
  log::info("backend ordered", {{"service", service}, {"backend", filter.backend}, {"state", api::to_string(state)}});
  follow_model();
  // What fails is a problem in the status, and is tried again; the order stands.
  if (settled_) follow();
  return backends(filter);
}

/// Services whose address is taken away since they have too few backends.
std::set<std::string> Daemon::withdrawn_services() const {
  std::set<std::string> names;
  for (std::size_t i = 0; i < in_force().size(); ++i) {
    const config::Service& service = model_.services[i];
    if (service.when_down == config::WhenDown::withdraw && path_->has_too_few(i)) names.insert(service.name);
  }
  return names;
}

void Daemon::note_withdrawn() {
  std::set<std::string> now = withdrawn_services();
  for (const std::string& name : now) {
    if (!withdrawn_.contains(name)) log::warning("service withdrawn: too few backends", {{"service", name}});
  }
  for (const std::string& name : withdrawn_) {
    if (!now.contains(name)) log::info("service not withdrawn any more", {{"service", name}});
  }
  withdrawn_ = std::move(now);
}

/// After each census.
void Daemon::watch_drains() {
  std::map<DrainWatch::Key, std::uint64_t> flows;
  for (std::size_t i = 0; i < in_force().size(); ++i) {
    const config::Service& service = model_.services[i];
    const dataplane::PlacedService& placed = in_force()[i];
    for (std::size_t b = 0; b < placed.backends.size(); ++b) {
      if (path_->published().services[i].backends[b].rotation == dataplane::Rotation::in) continue;
      const BackendOrders::Key key(service.name, service.backends[b].name);
      const std::uint32_t left = path_->active_flows(placed.backends[b]);
      flows[key] = left;
      if (left != 0 || !path_->census_is_new()) continue;
      const bool ordered = orders_.state(key.first, key.second) != api::AdminState::active;
      if (!ordered || !drained_.insert(key).second) continue;
      log::info("backend drained", {{"service", key.first}, {"backend", key.second}});
      event_log_.add(
          api::EventKind::flows,
          {.service = key.first, .backend = key.second, .after = "drained", .reason = "its last flow has ended"});
    }
  }
  for (const dataplane::Retired& retired : path_->retired()) {
    const Labels labels = labels_of(retired.number);
    flows[{labels.service, labels.backend}] += path_->active_flows(retired.number);
  }
  drains_.see(flows, std::chrono::steady_clock::now());
  give_up_retired();
}

/// After each census: what clients' connections tell of backends, before the next check would.
void Daemon::watch_signs() {
  std::vector<health::Signs> all;
  for (std::size_t i = 0; i < in_force().size(); ++i) {
    const config::Service& service = model_.services[i];
    const bool is_seen =
        service.protocol == config::Protocol::tcp && service.health &&
        (service.forwarding == config::Forwarding::nat || service.forwarding == config::Forwarding::full_nat);
    if (!is_seen || service.passive == config::Passive{.refused = 0, .unanswered = 0}) continue;
    const dataplane::PlacedService& placed = in_force()[i];
    for (std::size_t b = 0; b < placed.backends.size(); ++b) {
      if (path_->published().services[i].backends[b].rotation != dataplane::Rotation::in) continue;
      const core::Counter counted = path_->tables().sum_counter(placed.backends[b]);
      all.push_back({.key = {.service = service.name, .backend = service.backends[b].name},
                     .limits = service.passive,
                     .connections = counted.connections,
                     .refused = counted.refused,
                     .unanswered = path_->half_open(placed.backends[b]),
                     .has_any_port = service.port == config::Port{0}});
    }
  }
  for (const health::Suspicions::Change& change : suspicions_.see(all, std::chrono::steady_clock::now())) {
    const bool began = !change.why.empty();
    checks_->hurry(change.key, began);
    if (began)
      log::warning("backend is suspect, and checked at once",
                   {{"service", change.key.service}, {"backend", change.key.backend}, {"why", change.why}});
    event_log_.change(api::EventKind::suspicion,
                      {.service = change.key.service,
                       .backend = change.key.backend,
                       .after = began ? "suspect" : "none",
                       .reason = began ? change.why : "nothing more was seen, or it is out of rotation"},
                      "none");
  }
}

/// Removed backends keep their flows as long as their service says.
void Daemon::give_up_retired() {
  std::map<std::string, std::optional<std::chrono::milliseconds>, std::less<>> limits;
  for (const config::Service& service : model_.services) limits[service.name] = service.removal_limit;
  std::vector<RemovalClock::Removed> removed;
  for (const dataplane::Retired& retired : path_->retired()) {
    const Labels labels = labels_of(retired.number);
    const auto limit = limits.find(labels.service);
    removed.push_back({.key = {labels.service, labels.backend, path_->tables().backends()[retired.number].forwarding},
                       .number = retired.number,
                       .limit = limit == limits.end() ? std::nullopt : limit->second});
  }
  path_->give_up(removal_clock_.due(removed, std::chrono::steady_clock::now()));
}

/// Backends that start slowly get their share by and by.
void Daemon::await_next_step() {
  const auto next = path_->next_step();
  if (!next) {
    step_timer_.cancel();
    return;
  }
  step_timer_.expires_at(*next);
  step_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) request_reconcile();
  });
}

}  // namespace astil::app
