// Tells the service manager how the daemon is doing (sd_notify(3)).
#pragma once

#include <string_view>

namespace astil::base {

/// Sends one message to the socket that NOTIFY_SOCKET names; nothing where there is none.
void notify(std::string_view message);

}  // namespace astil::base
