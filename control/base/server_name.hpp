// Where a daemon is asked over the network, as one writes it.
#pragma once

#include <string>

#include "control/base/result.hpp"

namespace astil {

struct ServerName {
  std::string host;  ///< a name or an address, without brackets
  std::string port;  ///< a number
};

/// HOST:PORT, or [IPV6]:PORT.
[[nodiscard]] Result<ServerName> parse_server(const std::string& text);

}  // namespace astil
