// Attempts over a connection: TCP alone, HTTP, and HTTP by TLS.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "control/health/attempt.hpp"
#include "control/health/tls_contexts.hpp"

namespace astil::health {

/// Of a request for a TcpCheck, an HttpCheck or an HttpsCheck; `tls` is that of the last, else null, and not kept.
[[nodiscard]] std::shared_ptr<Attempt> make_stream_attempt(boost::asio::io_context& loop, ProbeRequest request,
                                                           TlsContexts::Entry* tls, PathSockets* paths,
                                                           Prober::Done done);

/// The request of an HTTP or HTTPS check, to the last byte.
[[nodiscard]] std::string http_request(const ProbeRequest& request, const config::HttpCheck& check);

}  // namespace astil::health
