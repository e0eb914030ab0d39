// The two nodes of a pair hash connections by the same secret, or a port of full NAT would not be found where the other
// node put it, and what is not in a table would have another backend there. Where they meet with two, the table with
// fewer flows takes the other's, and its own flows move to where that one puts them.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/tables.hpp"

namespace astil::ha::sync {

struct Rekeyed {
  std::uint64_t flows = 0;  ///< that moved
  std::uint64_t lost = 0;   ///< flows without room, and ports of full NAT, which are where they are
};

/// While packets flow, one of a connection that has not moved yet is steered as if it were not known.
Rekeyed rekey(const dataplane::Tables& tables, std::span<const std::uint64_t, core::kHashKeys> key, std::uint32_t tick);

/// Entries that are in use, of flows.
[[nodiscard]] std::uint64_t count_flows(const dataplane::Tables& tables);

}  // namespace astil::ha::sync
