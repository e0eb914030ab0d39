// When an address that was put on an interface has become the host's own. An IPv4 one is at once. An IPv6 one gets its
// route from a thread of the kernel's (addrconf_dad_work), also where no duplicates are looked for; a packet that comes
// before is refused, and its sender told that there is no route.
#pragma once

#include <boost/asio/ip/address.hpp>

#include "dataplane/base/result.hpp"

namespace astil::agent {

/// Waits until the kernel takes packets for the address as its own: some milliseconds, at most 12 s.
[[nodiscard]] Result<void> wait_until_local(const boost::asio::ip::address& host);

}  // namespace astil::agent
