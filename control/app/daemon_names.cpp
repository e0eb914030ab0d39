// What the daemon knows of the sites that names lead to, and what its operator orders of them.
#include <algorithm>

#include "control/app/daemon.hpp"
#include "control/app/name_zones.hpp"
#include "control/app/steadiness.hpp"
#include "control/base/log.hpp"
#include "control/dns/name.hpp"

namespace astil::app {
namespace {

/// How often answers are made to follow what checks have seen in a row: it says how long they may be kept.
constexpr std::chrono::milliseconds kLearnInterval{500};

/// No service has a name that begins so.
constexpr const char* kNamePrefix = "@";

health::TargetKey key_of(const std::string& name, const config::DnsSite& site, const config::address& host) {
  return {.service = kNamePrefix + name, .backend = site.name + " " + host.to_string()};
}

}  // namespace

bool Daemon::is_of_name(const health::TargetKey& key) { return key.service.starts_with(kNamePrefix); }

/// Checks of sites' addresses.
void Daemon::add_site_targets(std::vector<health::Subject>& subjects) const {
  if (!model_.dns) return;
  for (const config::DnsZone& zone : model_.dns->zones) {
    const std::string apex = dns::name_from_text(zone.name).value();
    for (const config::DnsName& name : zone.names) {
      const std::string whole = dns::name_to_text(dns::name_below(name.name, apex).value());
      for (const config::DnsSite& site : name.sites) {
        if (!site.health) continue;
        for (const config::address& host : site.addresses) {
          const health::TargetKey key = key_of(whole, site, host);
          subjects.push_back({.key = key, .targets = {{.key = key, .host = host, .check = *site.health}}});
        }
      }
    }
  }
}

/// Of a service of ours. While another model is not in force yet, a service is as it was last; what is not known counts
/// as up.
AddressFact Daemon::fact_of(const config::Service& service) const {
  const auto index = static_cast<std::size_t>(&service - model_.services.data());
  if (!settled_ || index >= in_force().size()) {
    const auto last = last_facts_.find(service.name);
    return last == last_facts_.end() ? AddressFact{.steady = 0, .why = "not known yet"} : last->second;
  }
  std::vector<BackendSteadiness> backends;
  std::size_t in_rotation = 0;
  for (std::size_t b = 0; b < service.backends.size(); ++b) {
    const config::Backend& backend = service.backends[b];
    if (backend.is_fallback) continue;
    const bool is_in = path_->published().services[index].backends[b].rotation == dataplane::Rotation::in;
    in_rotation += is_in ? 1 : 0;
    const auto state = checks_->state({.service = service.name, .backend = backend.name});
    const bool checked = service.health && state;
    backends.push_back({.is_up = is_in, .seconds = checked ? steady_seconds(*service.health, *state) : UINT32_MAX});
  }
  return last_facts_[service.name] = {.is_up = !path_->has_too_few(index),
                                      .steady = steady_seconds(backends, service.minimum_up),
                                      .why = "service " + service.name + ": " + std::to_string(in_rotation) + " of " +
                                             std::to_string(backends.size()) + " backends in rotation"};
}

/// Connections of a service by the last census: where answers pass the balancer, those that were answered.
std::uint64_t Daemon::connections_of(std::size_t service) const {
  const config::Forwarding forwarding = model_.services[service].forwarding;
  const bool sees_answers = forwarding == config::Forwarding::nat || forwarding == config::Forwarding::full_nat;
  std::uint64_t connections = 0;
  for (const std::uint32_t number : in_force()[service].backends) {
    const std::uint32_t open = path_->open_flows(number);
    connections += sees_answers ? open - std::min(open, path_->half_open(number)) : open;
  }
  return connections;
}

/// None: the service has not told it.
std::optional<std::uint64_t> Daemon::capacity_now(std::size_t service) const {
  const config::Service& wanted = model_.services[service];
  if (!wanted.capacity) return std::nullopt;
  std::uint64_t weights = 0;
  for (std::size_t b = 0; b < wanted.backends.size(); ++b) {
    const bool is_in = path_->published().services[service].backends[b].rotation == dataplane::Rotation::in;
    if (is_in && !wanted.backends[b].is_fallback) weights += static_cast<std::uint64_t>(wanted.backends[b].weight);
  }
  return weights * *wanted.capacity;
}

api::ReportView Daemon::report() const {
  api::ReportView view;
  for (std::size_t i = 0; i < model_.services.size(); ++i) {
    const config::Service& service = model_.services[i];
    const AddressFact fact = fact_of(service);
    const bool is_known = settled_ && i < in_force().size();
    view.services.push_back({.service = service.name,
                             .address = service.host.to_string(),
                             .up = fact.is_up,
                             .steady = fact.steady,
                             .why = fact.why,
                             .connections = is_known ? connections_of(i) : 0,
                             .capacity = is_known ? capacity_now(i) : std::nullopt});
  }
  return view;
}

std::optional<dns::SiteLoad> Daemon::load_of(const config::DnsSite& site) const {
  if (site_reports_.has(site.name) && site.services.empty())
    return site_reports_.load(site.name, site.addresses, std::chrono::steady_clock::now());
  dns::SiteLoad load;
  for (std::size_t i = 0; i < model_.services.size(); ++i) {
    if (std::find(site.services.begin(), site.services.end(), model_.services[i].name) == site.services.end()) continue;
    if (!settled_ || i >= in_force().size() || !model_.services[i].capacity) return std::nullopt;
    load.connections += static_cast<double>(connections_of(i));
    load.capacity += static_cast<double>(*capacity_now(i));
  }
  return load;
}

AddressFact Daemon::fact_of(const std::string& name, const config::DnsSite& site, const config::address& host) const {
  const std::string order = site_orders_.of(site.name);
  if (order != "auto") return {.is_up = order == "up", .why = "ordered " + order};
  if (!site.services.empty()) {
    AddressFact all;
    for (const config::Service& service : model_.services) {
      const bool named = std::find(site.services.begin(), site.services.end(), service.name) != site.services.end();
      if (!named || service.host != host) continue;
      AddressFact fact = fact_of(service);
      all.is_up = all.is_up && fact.is_up;
      all.steady = std::min(all.steady, fact.steady);
      all.why += (all.why.empty() ? "" : ", ") + fact.why;
    }
    return all;
  }
  if (site_reports_.has(site.name)) {
    const auto now = std::chrono::steady_clock::now();
    if (const auto told = site_reports_.fact(site.name, host, now)) return *told;
    if (!site.health) return site_reports_.stale_fact(site.name, host, now);
  }
  if (!site.health) return {.why = "not checked"};
  const auto state = checks_->state(key_of(name, site, host));
  if (!state || state->health == health::Health::unknown) return {.steady = 0, .why = "not known yet"};
  const bool is_up = state->health == health::Health::up;
  return {.is_up = is_up,
          .steady = steady_seconds(*site.health, *state),
          .why = state->last_error.empty() ? "checked" : "checked: " + state->last_error};
}

SiteFacts Daemon::site_facts() const {
  return {.now = std::chrono::steady_clock::now(),
          .address = [this](const std::string& name, const config::DnsSite& site,
                            const config::address& host) { return fact_of(name, site, host); },
          .load = [this](const config::DnsSite& site) { return load_of(site); }};
}

Orders Daemon::orders_of_sites() const {
  return [this](const std::string& site) { return site_orders_.of(site); };
}

void Daemon::learn_of_sites() {
  name_server_.learn(site_facts());
  name_server_.write_queries(std::chrono::steady_clock::now());
  learn_timer_.cancel();
  if (!name_server_.has_names() && !name_server_.keeps_queries()) return;
  learn_timer_.expires_after(kLearnInterval);
  learn_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) learn_of_sites();
  });
}

Result<api::DnsExplainView> Daemon::explain(const api::DnsQuestion& question) const {
  return name_server_.explain(question, site_facts(), orders_of_sites());
}

Result<api::DnsOrderView> Daemon::order_site(const std::string& site, const std::string& state) {
  if (!name_server_.has_site(site) && site_orders_.of(site) == "auto")
    return Error{"no name has a site '" + site + "'", "astil dns status lists them"};
  if (auto kept = site_orders_.set(site, state); kept.has_error()) {
    log::warning("order for a site refused", {{"site", site}, {"state", state}, {"error", kept.error().text()}});
    return kept.error();
  }
  log::info("site ordered", {{"site", site}, {"state", state}});
  learn_of_sites();
  return api::DnsOrderView{.site = site, .state = state};
}

}  // namespace astil::app
