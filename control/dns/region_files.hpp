// Files that say where clients are: lists of networks that an operator keeps, and databases in MaxMind's form
// (GeoLite2, GeoIP2, DB-IP; MaxMind DB File Format Specification 2.0). Off the hot path.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/base/result.hpp"
#include "control/dns/regions.hpp"

namespace astil::dns {

/// Numbers of regions by name.
using RegionNumbers = std::map<std::string, Region, std::less<>>;

/// Networks of a table at most.
inline constexpr std::size_t kMostNetworks = 20'000'000;

/// A line has a network and the name of a region, `203.0.113.0/24 europe`; what follows a # is passed over. Error, with
/// the line: it is none such, names a region that has no number, or the network stands twice.
[[nodiscard]] Result<std::vector<Network>> read_networks(const std::string& path, const RegionNumbers& regions);

/// Each network that the database has goes by the first of these names that has a number: `AS64500` of its autonomous
/// system, `US-CA` of country and subdivision (ISO 3166-2), `US` of the country (ISO 3166-1), `north-america` of the
/// continent; where none has, it is left out. Error: a file that can not be read, is none such, or is damaged.
[[nodiscard]] Result<std::vector<Network>> read_database(const std::string& path, const RegionNumbers& regions);

}  // namespace astil::dns
