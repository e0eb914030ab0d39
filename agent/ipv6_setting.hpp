// Whether a backend's interface takes what comes out of a tunnel as IPv6. The tunnel itself may be one over IPv4, on an
// interface where IPv6 is turned off: then the kernel drops the inner packets, and tells nobody.
#pragma once

#include <string>

#include "dataplane/base/result.hpp"

namespace astil::agent {

/// An error where IPv6 is turned off on the interface.
[[nodiscard]] Result<void> check_ipv6(const std::string& interface);

}  // namespace astil::agent
