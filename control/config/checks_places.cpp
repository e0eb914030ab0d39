#include "control/config/checks_places.hpp"

#include <set>
#include <sstream>

#include "control/config/keys.hpp"
#include "control/config/suggest.hpp"
#include "control/config/utf8.hpp"
#include "control/config/views.hpp"

namespace astil::config {

std::vector<std::vector<std::string>> sites_by_nearness(const std::vector<std::string>& near) {
  std::vector<std::vector<std::string>> all;
  for (const std::string& words : near) {
    std::istringstream in(words);
    std::vector<std::string>& sites = all.emplace_back();
    for (std::string site; in >> site;) sites.push_back(site);
  }
  return all;
}

namespace {

/// Sites that are named in any place by which a client can come to them.
std::set<std::string, std::less<>> known_sites(const Dns& dns) {
  std::set<std::string, std::less<>> sites;
  for (const DnsZone& zone : dns.zones) {
    for (const DnsName& name : zone.names) {
      for (const DnsSite& site : name.sites) sites.insert(site.name);
    }
  }
  return sites;
}

void check_near(const Entry& list, const std::set<std::string, std::less<>>& known, Mistakes& mistakes) {
  if (list.value.kind != Node::Kind::list) return;
  std::set<std::string> seen;
  for (const Node& item : list.value.items) {
    if (item.kind != Node::Kind::scalar || mistakes.at(item.place)) continue;
    const std::vector<std::string> sites = sites_by_nearness({item.text}).front();
    for (const std::string& site : sites) {
      if (!seen.insert(site).second)
        mistakes.add(item.place, "site " + in_quotes(site) + " is near twice", "name it once");
      if (known.contains(site)) continue;
      const std::string meant = did_you_mean(site, std::vector<std::string_view>(known.begin(), known.end()));
      mistakes.add(item.place, "no name has a site " + in_quotes(site), meant.empty() ? "name sites of names" : meant);
    }
  }
}

void check_map(const DnsMap& map, const Entry& entry, const std::set<std::string, std::less<>>& known,
               Mistakes& mistakes) {
  if (entry.value.kind != Node::Kind::mapping) return;
  if (entry.value.find("networks") == nullptr && entry.value.find("databases") == nullptr)
    mistakes.add(entry.place, "map " + in_quotes(map.name) + " has neither networks nor databases",
                 "name a file that says where clients are");
  if (const Entry* elsewhere = entry.value.find("elsewhere")) check_near(*elsewhere, known, mistakes);
  const Entry* regions = entry.value.find("regions");
  if (regions == nullptr || regions->value.kind != Node::Kind::mapping) return;
  if (map.regions.size() > kMostDnsRegions)
    mistakes.add(regions->place,
                 "map " + in_quotes(map.name) + " has " + std::to_string(map.regions.size()) +
                     " regions, and can have " + std::to_string(kMostDnsRegions),
                 "let regions that have the same sites near be one");
  for (const Entry& region : regions->value.entries) {
    if (region.value.kind != Node::Kind::mapping) continue;
    if (const Entry* near = region.value.find("near")) check_near(*near, known, mistakes);
  }
}

void check_map_of(const DnsName& name, const Entry& entry, const Dns& dns, Mistakes& mistakes) {
  const Entry* use = entry.value.find("map");
  if (use == nullptr || name.map.empty() || mistakes.at(use->value.place)) return;
  std::vector<std::string_view> known;
  for (const DnsMap& map : dns.maps) known.push_back(map.name);
  if (std::find(known.begin(), known.end(), name.map) != known.end()) return;
  const std::string meant = did_you_mean(name.map, known);
  mistakes.add(use->value.place, "there is no map " + in_quotes(name.map),
               meant.empty() ? "name one of dns.maps" : meant);
}

/// By what a site's load is known.
void check_loads(const DnsName& name, const Entry& entry, const Model& model, Mistakes& mistakes) {
  const Entry* sites = entry.value.find("sites");
  if (!goes_by_load(name) || sites == nullptr) return;
  for (const DnsSite& site : name.sites) {
    const auto is_it = [&](const DnsReport& report) { return report.name == site.name; };
    const Place place = sites->value.find(site.name)->place;
    if (site.services.empty()) {
      if (!site.addresses.empty() && std::none_of(model.dns->sites.begin(), model.dns->sites.end(), is_it))
        mistakes.add(place, "nothing tells the load of site " + in_quotes(site.name),
                     "add it to dns.sites, with its balancers");
      continue;
    }
    for (const Service& service : model.services) {
      if (std::find(site.services.begin(), site.services.end(), service.name) == site.services.end()) continue;
      if (!service.capacity)
        mistakes.add(place,
                     "the load of site " + in_quotes(site.name) + " is not known: service " + in_quotes(service.name) +
                         " has no capacity",
                     "give the service a capacity");
    }
  }
}

void check_names_of(const Model& model, const Node& section, Mistakes& mistakes) {
  const Entry* zones = section.find("zones");
  for (const DnsZone& zone : model.dns->zones) {
    const Entry* names = zones->value.find(zone.name)->value.find("names");
    for (const DnsName& name : zone.names) {
      const Entry& entry = *names->value.find(name.name);
      check_map_of(name, entry, *model.dns, mistakes);
      check_loads(name, entry, model, mistakes);
    }
  }
}

/// Sites that have addresses elsewhere.
std::set<std::string, std::less<>> sites_elsewhere(const Dns& dns) {
  std::set<std::string, std::less<>> sites;
  for (const DnsZone& zone : dns.zones) {
    for (const DnsName& name : zone.names) {
      for (const DnsSite& site : name.sites) {
        if (!site.addresses.empty()) sites.insert(site.name);
      }
    }
  }
  return sites;
}

void check_report(const View<DnsReport>& report, const std::set<std::string, std::less<>>& known, Mistakes& mistakes) {
  const DnsReport& model = *report.model;
  if (!known.contains(model.name)) {
    const std::string meant = did_you_mean(model.name, std::vector<std::string_view>(known.begin(), known.end()));
    mistakes.add(report.entry->place, "no name has a site " + in_quotes(model.name) + " with addresses",
                 meant.empty() ? "leave it out" : meant);
  }
  if (report.is_sound("stale_after") && report.is_sound("interval") && *model.stale_after < model.interval)
    mistakes.add(report.place_of("stale_after"),
                 "the stale_after of " + Duration{}.show(*model.stale_after) + " is shorter than the interval of " +
                     Duration{}.show(model.interval),
                 "an answer must last until the next one");
}

}  // namespace

void check_places(const Model& model, const Node& section, Mistakes& mistakes) {
  const Dns& dns = *model.dns;
  const auto known = known_sites(dns);
  if (const Entry* maps = section.find("maps"); maps != nullptr && maps->value.kind == Node::Kind::mapping) {
    for (const DnsMap& map : dns.maps) check_map(map, *maps->value.find(map.name), known, mistakes);
  }
  if (const Entry* sites = section.find("sites"); sites != nullptr && sites->value.kind == Node::Kind::mapping) {
    const auto elsewhere = sites_elsewhere(dns);
    for (const DnsReport& report : dns.sites)
      check_report({&report, sites->value.find(report.name), &mistakes}, elsewhere, mistakes);
  }
  check_names_of(model, section, mistakes);
}

}  // namespace astil::config
