#include "control/app/name_maps.hpp"

#include <algorithm>
#include <filesystem>

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

/// By what one tells that a file was changed.
std::vector<std::pair<std::filesystem::file_time_type, std::uintmax_t>> marks_of(const config::DnsMap& map) {
  std::vector<std::pair<std::filesystem::file_time_type, std::uintmax_t>> marks;
  std::vector<std::string> files = map.databases;
  if (map.networks) files.push_back(*map.networks);
  for (const std::string& file : files) {
    std::error_code unknown;
    const auto changed = std::filesystem::last_write_time(file, unknown);
    marks.emplace_back(changed, std::filesystem::file_size(file, unknown));
  }
  return marks;
}

/// A map as it was read.
struct Kept {
  config::DnsMap map;
  decltype(marks_of({})) marks;
  std::shared_ptr<const dns::Regions> regions;
};

}  // namespace

/// Large files take seconds: those that are as they were are not read again, for a check and what follows, or another
/// change. What was read last is kept.
Result<NameMaps> read_maps(const std::vector<config::DnsMap>& wanted) {
  static std::map<std::string, Kept> kept;  // of the loop's thread alone
  NameMaps maps;
  std::map<std::string, Kept> next;
  for (const config::DnsMap& map : wanted) {
    auto marks = marks_of(map);
    const auto before = kept.find(map.name);
    if (before != kept.end() && before->second.map == map && before->second.marks == marks) {
      maps.emplace(map.name, before->second.regions);
      next.insert(*before);
      continue;
    }
    auto regions = read_map(map);
    if (regions.has_error()) return regions.error().within("dns: map " + map.name);
    next.insert_or_assign(map.name, Kept{.map = map, .marks = std::move(marks), .regions = *regions});
    maps.emplace(map.name, std::move(*regions));
  }
  kept = std::move(next);
  return maps;
}

std::vector<std::vector<std::uint8_t>> nearness(const config::DnsMap& map, const std::vector<config::DnsSite>& sites) {
  std::vector<std::vector<std::uint8_t>> near;
  for (const config::DnsRegion& region : map.regions) near.push_back(distances(region.near, sites));
  near.push_back(distances(map.elsewhere, sites));
  return near;
}

}  // namespace astil::app
