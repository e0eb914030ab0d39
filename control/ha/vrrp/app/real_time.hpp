// What makes the process keep its times: real-time scheduling and locked memory; and what it gives up.
#pragma once

#include "control/base/result.hpp"

namespace astil::ha {

/// SCHED_FIFO at a low real-time priority: above everything that is not real-time, below the kernel's own threads; and
/// all memory, also what comes, is locked. The error says which is missing; the other is there nevertheless.
[[nodiscard]] Result<void> become_real_time();

/// All capabilities but CAP_NET_ADMIN and CAP_NET_RAW.
void keep_network_privileges();

}  // namespace astil::ha
