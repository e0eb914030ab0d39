// Probes by TCP and HTTP on an Asio loop, with no thread and no timer of their own.
//
// What the backend sees of it: a TCP check that succeeds ends with a reset before the handshake's last ACK was sent, as
// HAProxy does it, so the server's accept() never returns it and no log tells of it. An HTTP check asks with
// `Connection: close` and ends with a reset once the status is read, so that neither side is left with a TIME_WAIT a
// second and a backend.
#pragma once

#include <boost/asio/io_context.hpp>

#include "control/health/prober.hpp"

namespace astil::health {

class AsioProber final : public Prober {
 public:
  /// The loop must outlive this and every probe.
  explicit AsioProber(boost::asio::io_context& loop) : loop_(loop) {}

  [[nodiscard]] std::unique_ptr<RunningProbe> start(const ProbeRequest& request, Done done) override;

 private:
  boost::asio::io_context& loop_;
};

/// The request of an HTTP check, to the last byte.
[[nodiscard]] std::string http_request(const ProbeRequest& request, const config::HttpCheck& check);

}  // namespace astil::health
