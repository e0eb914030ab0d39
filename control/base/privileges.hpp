// The capabilities that the daemon needs, asked for before anything is touched, and all others given up.
#pragma once

#include <string>

#include "control/base/result.hpp"

namespace astil::base {

/// Capabilities that the daemon needs and this process has not, by name; empty: none.
std::string missing_privileges();

/// Error: what is missing.
Result<void> check_privileges();

/// Gives up all, for the calling thread and those it starts; no program that these run can get any.
Result<void> drop_all_privileges();

/// Gives up, for the calling thread and those it starts, all but CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN,
/// and CAP_NET_BIND_SERVICE for ports of names and metrics below 1024. CAP_SYS_ADMIN is what the kernel asks for when a
/// program is looked up by its id, which tells the tables in use from others (dataplane/xdp/pins.hpp), and for mounting
/// the BPF file system.
void drop_privileges();

}  // namespace astil::base
