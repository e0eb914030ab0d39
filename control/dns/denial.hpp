// Data of NSEC records (RFC 4034 section 4) for denial that is made as it is asked for (RFC 9824): of the name itself,
// and of nothing behind it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/dns/protocol.hpp"
#include "control/dns/zone.hpp"

namespace astil::dns {

/// The name right behind `name` in the order of RFC 4034 section 6.1, below `apex`, which is its own behind the last
/// one; RFC 4471 section 3.1.2. Both folded.
[[nodiscard]] std::string next_name(std::string_view name, std::string_view apex);

/// `types` in any order, each any number of times.
[[nodiscard]] std::string nsec_data(std::string_view next, std::vector<Type> types);

}  // namespace astil::dns
