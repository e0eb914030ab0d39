// The source addresses of full NAT: each has its place, and with it its ports, until its last connection has ended; and
// pools say which of them a client's new connections have. Where an address comes or goes, only those clients change
// theirs that have to.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/census.hpp"
#include "dataplane/dataplane.hpp"

namespace astil::dataplane {

/// By place in core::Settings::port_sources; all zeros: the place is free.
struct PortSources {
  using Addresses = std::array<core::Address, core::kPortSources>;

  Addresses all{};     ///< in the tables
  Addresses wanted{};  ///< those of them that get new connections
  Addresses pooled{};  ///< those that `write_pools` was last called with; none: it was not
};

[[nodiscard]] bool is_free(const core::Address& source);

/// Where those that are wanted stand, beside those that the tables hold. Error: there is no place.
Result<PortSources> place_port_sources(const Tables& tables, const std::vector<core::Address>& wanted);

/// Which of them each client has, by its place in a pool of core::Settings: [0] of IPv4, [1] of IPv6. Rendezvous
/// hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998): each place goes to the
/// address that has drawn the highest number for it.
using PortPools = std::array<std::array<std::uint8_t, core::kPoolPlaces>, 2>;
[[nodiscard]] PortPools pools_over(const PortSources::Addresses& addresses);

/// Is there a source address that new connections get?
[[nodiscard]] bool has_pools(const Tables& tables);

/// Lets new connections have them. Clients whose source address changes may have connections from the one before: from
/// now on they are looked for there too.
void write_pools(Dataplane& engine, PortSources& sources);

/// By what a census says that began after `write_pools`: gives back those that are not wanted and have no connection,
/// and looks for none any more where there is none. Returns how many were given back.
std::size_t settle_port_sources(const Tables& tables, PortSources& sources, const PortCount& ports);

}  // namespace astil::dataplane
