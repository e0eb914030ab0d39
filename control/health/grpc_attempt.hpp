// Attempts by gRPC: a TCP connection on which the standard health service is asked once (grpc_talk.hpp).
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "control/health/attempt.hpp"

namespace astil::health {

/// Of a request for a GrpcCheck.
[[nodiscard]] std::shared_ptr<Attempt> make_grpc_attempt(boost::asio::io_context& loop, ProbeRequest request,
                                                         PathSockets* paths, Prober::Done done);

}  // namespace astil::health
