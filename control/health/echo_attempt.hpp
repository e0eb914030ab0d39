// Attempts by ICMP: one echo request over a raw socket that lets nothing through but replies of the backend's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>

#include "control/health/attempt.hpp"

namespace astil::health {

/// Of a request for an IcmpCheck; id and sequence are the echo request's, and together of this attempt alone.
[[nodiscard]] std::shared_ptr<Attempt> make_echo_attempt(boost::asio::io_context& loop, ProbeRequest request,
                                                         std::uint16_t id, std::uint16_t sequence, Prober::Done done);

}  // namespace astil::health
