// What can be done without a running daemon.
#pragma once

#include <optional>
#include <string>

#include "control/base/result.hpp"

namespace astil::app {

/// Removes what an instance without a daemon has left: the service addresses that it put on interfaces, then its
/// programs and pins. No error where there is nothing; one where the instance has a daemon.
Result<void> detach_offline(const std::string& instance);

/// Where the daemon of an instance answers the API; none: there is no daemon.
std::optional<std::string> socket_of_daemon(const std::string& instance);

}  // namespace astil::app
