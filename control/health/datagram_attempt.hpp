// Attempts by datagrams, over a UDP socket that is connected, so that what others send and say does not reach it: DNS,
// and UDP with whatever the operator wants to have sent.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>

#include "control/health/attempt.hpp"

namespace astil::health {

/// Of a request for a DnsCheck or a UdpCheck; `id` is the query's of DNS, not to be guessed by strangers.
[[nodiscard]] std::shared_ptr<Attempt> make_datagram_attempt(boost::asio::io_context& loop, ProbeRequest request,
                                                             std::uint16_t id, PathSockets* paths, Prober::Done done);

}  // namespace astil::health
