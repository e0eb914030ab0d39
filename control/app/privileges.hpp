// The capabilities that the daemon needs, asked for before anything is touched, and all others given up once it runs.
#pragma once

#include "control/base/result.hpp"

namespace astil::app {

/// Error: what is missing, by name.
Result<void> check_privileges();

/// Keeps what a running daemon needs: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN. The last is what the kernel asks for
/// when a program is looked up by its id, which tells the tables in use from others (see xdp/pins.hpp).
void drop_privileges();

}  // namespace astil::app
