// Backends by DNS: one look-up, which waits for its answers and so runs in a thread that may.
#pragma once

#include <chrono>

#include "control/discovery/targets.hpp"

namespace astil::discovery {

struct Answer {
  Set set;
  std::chrono::seconds keep{0};  ///< the shortest time to live of its records; 0: there is none
};

/// A and AAAA: each address is a backend. SRV: each target with its addresses, its port and its weight, of the records
/// with the best priority. An answer without records, or that the name does not exist, is an empty set; a server that
/// does not answer, or that says it failed, is an error.
[[nodiscard]] Result<Answer> look_up(const config::DnsDiscovery& how);

}  // namespace astil::discovery
