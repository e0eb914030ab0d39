// DPDK's environment, as a plan wants it. It can be started once in a process.
#pragma once

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/share.hpp"

struct rte_mempool;

namespace astil::dpdk {

/// Looks for what the machine lacks first: what is wrong is said with the command that mends it.
Result<void> start_eal(const std::string& instance, const Plan& plan);

/// No error where it was not started. Behind all that uses it.
void end_eal();

/// Of frames, for all queues and rings of the plan.
Result<rte_mempool*> make_buffers(const Plan& plan);

/// Of each receive queue and each send queue, frames.
inline constexpr std::uint16_t kQueueLength = 1024;
/// Of each ring between a worker and the main thread.
inline constexpr unsigned kRingLength = 1024;

}  // namespace astil::dpdk
