// Zones of the name server, made from the configuration.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "control/dns/snapshot.hpp"

namespace astil::app {

/// Error: a file can not be read, or a zone is not whole with it. `answers` gives the counter of a name's site.
[[nodiscard]] Result<std::shared_ptr<const dns::Zones>> read_zones(
    const config::Dns& wanted, const std::vector<config::Service>& services,
    const std::function<std::shared_ptr<std::atomic<std::uint64_t>>(const std::string& name, const std::string& site)>&
        answers);

/// The addresses of a site: its own, or those of its services, each once.
[[nodiscard]] std::vector<config::address> addresses_of(const config::DnsSite& site,
                                                        const std::vector<config::Service>& services);

[[nodiscard]] dns::SiteAddress to_site_address(const config::address& host);

/// Seconds of a time to live.
[[nodiscard]] std::uint32_t seconds_of(config::Milliseconds time);

}  // namespace astil::app
