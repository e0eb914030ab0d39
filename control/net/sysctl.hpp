// Reads the kernel's settings of an interface, for the checks before a start. Sets nothing: what a machine forwards is
// its operator's choice.
#pragma once

#include <string>

#include "control/base/result.hpp"

namespace astil::net {

/// net.ipv4.conf.<interface>.<key>, such as ("eth0", "rp_filter"). `interface` may be "all" or "default". Fails where
/// the interface or the key does not exist, or the value is no number.
[[nodiscard]] Result<int> sysctl_ipv4(const std::string& interface, const std::string& key);

/// net.ipv6.conf.<interface>.<key>, such as ("eth0", "forwarding"), likewise.
[[nodiscard]] Result<int> sysctl_ipv6(const std::string& interface, const std::string& key);

}  // namespace astil::net
