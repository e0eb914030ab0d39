// A probe by a command of the operator's: exit status 0 is a success. No shell reads it. It is given up with its whole
// process group.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "control/health/attempt.hpp"
#include "control/health/spawner.hpp"

namespace astil::health {

/// Commands that run at once, at most; a probe above that is not made.
inline constexpr std::size_t kMostCommands = 256;

/// The words that are run, with {address} and {port} filled in, and the environment (docs/configuration.md). Of a
/// request without an address neither has one.
[[nodiscard]] Command command_of(const ProbeRequest& request);

/// `spawner` must outlive the attempt; `running` is shared by all and counts them.
[[nodiscard]] std::shared_ptr<Attempt> make_exec_attempt(boost::asio::io_context& loop, ProbeRequest request,
                                                         Spawner& spawner, std::shared_ptr<std::size_t> running,
                                                         Prober::Done done);

}  // namespace astil::health
