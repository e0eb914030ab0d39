// Maps of the name server, made from the configuration: where clients are, and which sites are near to that.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "control/dns/regions.hpp"

namespace astil::app {

/// What the files of each map say, by its name.
using NameMaps = std::map<std::string, std::shared_ptr<const dns::Regions>>;

/// The numbers of regions are their places in DnsMap::regions. Error: a file can not be read.
[[nodiscard]] Result<NameMaps> read_maps(const std::vector<config::DnsMap>& wanted);

/// As dns::DynamicName::near.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> nearness(const config::DnsMap& map,
                                                              const std::vector<config::DnsSite>& sites);

}  // namespace astil::app
