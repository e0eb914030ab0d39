// Attempts over a connection: TCP alone, and HTTP.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "control/health/attempt.hpp"

namespace astil::health {

/// Of a request for a TcpCheck or an HttpCheck.
[[nodiscard]] std::shared_ptr<Attempt> make_stream_attempt(boost::asio::io_context& loop, ProbeRequest request,
                                                           Prober::Done done);

/// The request of an HTTP check, to the last byte.
[[nodiscard]] std::string http_request(const ProbeRequest& request, const config::HttpCheck& check);

}  // namespace astil::health
