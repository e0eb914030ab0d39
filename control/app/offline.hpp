// What can be done without a running daemon.
#pragma once

#include <string>

#include "control/base/result.hpp"

namespace astil::app {

/// Removes what an instance without a daemon has left: the service addresses that it put on interfaces, then its
/// programs and pins. No error where there is nothing.
Result<void> detach_offline(const std::string& instance);

/// A whole file.
Result<std::string> read_file(const std::string& path);

}  // namespace astil::app
