// A thread that answers, with what it has of its own.
#pragma once

#include <functional>
#include <thread>

#include "control/dns/responder.hpp"

namespace astil::dns {

/// It takes no signals.
[[nodiscard]] std::thread start_worker(std::function<void()> run);

/// Queries of a turn have one time: cookies and limits are no finer than the kernel's ticks.
void tell_time(WorkerContext& worker);

/// Draws differ from worker to worker.
[[nodiscard]] WorkerContext worker_context(std::uint64_t seed);

}  // namespace astil::dns
