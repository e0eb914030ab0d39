// What the packet path tells the control plane besides counters: records in a ring buffer.
#pragma once

#include "dataplane/core/address.hpp"

namespace astil::core {

/// A reply could not be sent for want of the client's next hop's MAC address: please resolve.
struct NeighbourWanted {
  Address address;  ///< the gateway's, or the client's where it is on the link
  u32 interface;    ///< ifindex the routing table names
};
static_assert(sizeof(NeighbourWanted) == 20);

}  // namespace astil::core
