#include "control/app/name_maps.hpp"

#include <algorithm>

#include "control/dns/region_files.hpp"

namespace astil::app {
namespace {

Result<std::shared_ptr<const dns::Regions>> read_map(const config::DnsMap& wanted) {
  dns::RegionNumbers numbers;
  for (const config::DnsRegion& region : wanted.regions)
    numbers.emplace(region.name, static_cast<dns::Region>(numbers.size()));
  std::vector<dns::RegionTable> tables;
  if (wanted.networks) {
    auto networks = dns::read_networks(*wanted.networks, numbers);
    if (networks.has_error()) return networks.error();
    tables.emplace_back(std::move(*networks));
  }
  for (const std::string& path : wanted.databases) {
    auto networks = dns::read_database(path, numbers);
    if (networks.has_error()) return networks.error();
    tables.emplace_back(std::move(*networks));
  }
  return std::make_shared<const dns::Regions>(std::move(tables));
}

/// Of sites that are not named, as far as can be.
std::vector<std::uint8_t> distances(const std::vector<std::string>& near, const std::vector<config::DnsSite>& sites) {
  const auto tiers = config::sites_by_nearness(near);
  std::vector<std::uint8_t> all(sites.size(), static_cast<std::uint8_t>(tiers.size()));
  for (std::size_t t = 0; t < tiers.size(); ++t) {
    for (std::size_t s = 0; s < sites.size(); ++s) {
      if (std::find(tiers[t].begin(), tiers[t].end(), sites[s].name) != tiers[t].end())
        all[s] = static_cast<std::uint8_t>(t);
    }
  }
  return all;
}

}  // namespace

Result<NameMaps> read_maps(const std::vector<config::DnsMap>& wanted) {
  NameMaps maps;
  for (const config::DnsMap& map : wanted) {
    auto regions = read_map(map);
    if (regions.has_error()) return regions.error().within("dns: map " + map.name);
    maps.emplace(map.name, std::move(*regions));
  }
  return maps;
}

std::vector<std::vector<std::uint8_t>> nearness(const config::DnsMap& map, const std::vector<config::DnsSite>& sites) {
  std::vector<std::vector<std::uint8_t>> near;
  for (const config::DnsRegion& region : map.regions) near.push_back(distances(region.near, sites));
  near.push_back(distances(map.elsewhere, sites));
  return near;
}

}  // namespace astil::app
