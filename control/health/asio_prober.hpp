// Probes by TCP, HTTP, HTTPS, DNS, UDP, ICMP, gRPC and commands on an Asio loop, with no timer of their own, and no
// thread but that which starts commands.
//
// What the backend sees of it: a TCP check that succeeds ends with a reset before the handshake's last ACK was sent, as
// HAProxy does it, so the server's accept() never returns it and no log tells of it. An HTTP check asks with
// `Connection: close` and ends with a reset once the status is read, so that neither side is left with a TIME_WAIT a
// second and a backend. Each datagram comes from a port of its own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "control/health/prober.hpp"
#include "control/health/spawner.hpp"
#include "control/health/tls_contexts.hpp"

namespace astil::health {

class Attempt;

class AsioProber final : public Prober {
 public:
  /// Uniform over all its values.
  using RandomId = std::function<std::uint16_t()>;

  /// The loop must outlive this and every probe.
  AsioProber(boost::asio::io_context& loop, RandomId random_id) : loop_(loop), random_id_(std::move(random_id)) {}

  /// For probes that begin from now on; null: none can take the forwarding path. They must outlive every probe.
  void use(PathSockets* paths) { paths_ = paths; }

  void prepare(const std::set<config::TlsTrust>& trusts) override { tls_.prepare(trusts); }
  [[nodiscard]] std::unique_ptr<RunningProbe> start(const ProbeRequest& request, Done done) override;

 private:
  [[nodiscard]] std::shared_ptr<Attempt> make_attempt(const ProbeRequest& request, Done done);

  boost::asio::io_context& loop_;
  RandomId random_id_;
  PathSockets* paths_ = nullptr;
  std::unique_ptr<Spawner> spawner_;  ///< once a command is to be run
  std::shared_ptr<std::size_t> commands_ = std::make_shared<std::size_t>(0);
  TlsContexts tls_;
};

}  // namespace astil::health
