#include "control/config/checks_sites.hpp"

#include <algorithm>
#include <map>

#include "control/config/keys.hpp"
#include "control/config/suggest.hpp"
#include "control/config/utf8.hpp"
#include "control/dns/name.hpp"

namespace astil::config {
namespace {

struct SiteView : View<DnsSite> {
  [[nodiscard]] std::string name() const { return "site " + in_quotes(model->name); }
};

void check_services(const SiteView& site, const std::vector<ServiceView>& services, Mistakes& mistakes) {
  const Entry* list = site.entry->value.find("services");
  if (list == nullptr || list->value.kind != Node::Kind::list) return;
  for (const Node& item : list->value.items) {
    const auto is_it = [&](const ServiceView& service) { return service.model->name == item.text; };
    if (item.kind != Node::Kind::scalar || mistakes.at(item.place)) continue;
    if (std::any_of(services.begin(), services.end(), is_it)) continue;
    std::vector<std::string_view> known;
    for (const ServiceView& service : services) known.push_back(service.model->name);
    const std::string meant = did_you_mean(item.text, known);
    mistakes.add(item.place, "there is no service " + in_quotes(item.text),
                 meant.empty() ? "name one of services" : meant);
  }
}

void check_probe(const SiteView& site, Mistakes& mistakes) {
  const Entry* health = site.entry->value.find("health");
  if (health == nullptr || !site.model->health || !site.is_sound("health")) return;
  const HealthCheck& check = *site.model->health;
  if (needs_port(check.probe) && health->value.kind == Node::Kind::mapping && health->value.find("port") == nullptr) {
    mistakes.add(health->place, "the health of " + site.name() + " lacks the key \"port\"",
                 "name the port that a probe opens");
  }
  const Entry* via = health->value.find("via");
  if (via != nullptr && check.via == ProbeVia::path)
    mistakes.add(via->place, "\"via: path\" applies only to services with forwarding tunnel and direct",
                 "leave it out: sites are probed at their addresses");
  const Entry* slower = health->value.find("down_interval");
  if (slower != nullptr && check.down_interval && *check.down_interval < check.interval)
    mistakes.add(slower->value.place,
                 "the down_interval of " + Duration{}.show(*check.down_interval) + " is shorter than the interval of " +
                     Duration{}.show(check.interval),
                 "a site that is down is probed more seldom, or leave it out");
  if (check.timeout > check.interval) {
    const Entry* timeout = health->value.find("timeout");
    mistakes.add(timeout != nullptr ? timeout->value.place : health->place,
                 "the timeout of " + Duration{}.show(check.timeout) + " is longer than the interval of " +
                     Duration{}.show(check.interval),
                 "a probe must end before the next begins");
  }
}

void check_site(const SiteView& site, const std::vector<ServiceView>& services, Mistakes& mistakes) {
  const bool has_services = site.entry->value.find("services") != nullptr;
  const bool has_addresses = site.entry->value.find("addresses") != nullptr;
  if (has_services == has_addresses) {
    mistakes.add(site.entry->place,
                 site.name() + (has_services ? " has services and addresses" : " has neither services nor addresses"),
                 "name services, which are here, or addresses, which are elsewhere");
  }
  if (has_services && site.model->health)
    mistakes.add(site.entry->value.find("health")->place, "\"health\" applies only with addresses",
                 "services have checks of their own");
  check_services(site, services, mistakes);
  if (!has_services) check_probe(site, mistakes);
}

void check_name(const View<DnsName>& name, const std::vector<ServiceView>& services, Mistakes& mistakes) {
  const DnsName& model = *name.model;
  const std::string title = "name " + in_quotes(model.name);
  if (name.is_sound("ttl") && model.least_ttl > model.most_ttl)
    mistakes.add(name.place_of("ttl"),
                 "the ttl of " + title + " is at least " + Duration{}.show(model.least_ttl) + " and at most " +
                     Duration{}.show(model.most_ttl),
                 "give min and max the other way round");
  const Entry* sites = name.entry->value.find("sites");
  if (sites == nullptr || sites->value.kind != Node::Kind::mapping) return;
  if (model.sites.size() > kMostDnsSites)
    mistakes.add(
        sites->place,
        title + " has " + std::to_string(model.sites.size()) + " sites, and can have " + std::to_string(kMostDnsSites),
        "spread them over several names");
  for (const DnsSite& site : model.sites) {
    const Entry* entry = sites->value.find(site.name);
    if (entry->value.kind == Node::Kind::mapping) check_site({{&site, entry, &mistakes}}, services, mistakes);
  }
}

}  // namespace

std::string ZoneView::name() const { return "zone " + in_quotes(model->name); }

bool check_names(const ZoneView& zone, const std::string& top, const std::vector<ServiceView>& services,
                 std::vector<std::string>& names, Mistakes& mistakes) {
  const Entry* all = zone.entry->value.find("names");
  if (all == nullptr || all->value.kind != Node::Kind::mapping) return all == nullptr;
  std::map<std::string, Place> seen;
  bool whole = true;
  for (const DnsName& name : zone.model->names) {
    const Entry* entry = all->value.find(name.name);
    auto folded = dns::name_below(name.name, top);
    if (folded.has_error() || !seen.try_emplace(*folded, entry->place).second) {
      whole = false;
      if (mistakes.at(entry->place)) continue;
      mistakes.add(entry->place, folded.has_error() ? folded.error().what : in_quotes(name.name) + " stands twice",
                   "leave it out");
      continue;
    }
    names.push_back(std::move(*folded));
    if (entry->value.kind == Node::Kind::mapping) check_name({&name, entry, &mistakes}, services, mistakes);
  }
  return whole;
}

}  // namespace astil::config
