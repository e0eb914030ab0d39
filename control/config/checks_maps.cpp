#include "control/config/checks_maps.hpp"

#include <set>
#include <sstream>

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

void check_uses(const Dns& dns, const Node& section, Mistakes& mistakes) {
  std::vector<std::string_view> known;
  for (const DnsMap& map : dns.maps) known.push_back(map.name);
  const Entry* zones = section.find("zones");
  for (const DnsZone& zone : dns.zones) {
    const Entry* names = zones->value.find(zone.name)->value.find("names");
    for (const DnsName& name : zone.names) {
      const Entry* use = names->value.find(name.name)->value.find("map");
      if (use == nullptr || name.map.empty() || mistakes.at(use->value.place)) continue;
      if (std::find(known.begin(), known.end(), name.map) != known.end()) continue;
      const std::string meant = did_you_mean(name.map, known);
      mistakes.add(use->value.place, "there is no map " + in_quotes(name.map),
                   meant.empty() ? "name one of dns.maps" : meant);
    }
  }
}

}  // namespace

void check_maps(const Dns& dns, const Node& section, Mistakes& mistakes) {
  const auto known = known_sites(dns);
  if (const Entry* maps = section.find("maps"); maps != nullptr && maps->value.kind == Node::Kind::mapping) {
    for (const DnsMap& map : dns.maps) check_map(map, *maps->value.find(map.name), known, mistakes);
  }
  check_uses(dns, section, mistakes);
}

}  // namespace astil::config
