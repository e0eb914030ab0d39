#include "control/health/asio_prober.hpp"

#include <utility>

#include "control/health/datagram_attempt.hpp"
#include "control/health/echo_attempt.hpp"
#include "control/health/exec_attempt.hpp"
#include "control/health/grpc_attempt.hpp"
#include "control/health/stream_attempt.hpp"

namespace astil::health {
namespace {

class RunningAttempt final : public RunningProbe {
 public:
  explicit RunningAttempt(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
  ~RunningAttempt() override { attempt_->give_up(); }
  RunningAttempt(const RunningAttempt&) = delete;
  RunningAttempt& operator=(const RunningAttempt&) = delete;

  [[nodiscard]] Phase phase() const override { return attempt_->phase(); }
  [[nodiscard]] std::string remark() const override { return attempt_->remark(); }
  [[nodiscard]] Silence silence() const override { return attempt_->silence(); }

 private:
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace

std::shared_ptr<Attempt> AsioProber::make_attempt(const ProbeRequest& request, Done done) {
  const config::Probe& probe = request.probe;
  if (std::holds_alternative<config::IcmpCheck>(probe))
    return make_echo_attempt(loop_, request, random_id_(), random_id_(), std::move(done));
  if (std::holds_alternative<config::DnsCheck>(probe) || std::holds_alternative<config::UdpCheck>(probe))
    return make_datagram_attempt(loop_, request, random_id_(), paths_, std::move(done));
  if (std::holds_alternative<config::GrpcCheck>(probe))
    return make_grpc_attempt(loop_, request, paths_, std::move(done));
  if (std::holds_alternative<config::ExecCheck>(probe)) {
    if (!spawner_) spawner_ = std::make_unique<Spawner>(loop_);
    return make_exec_attempt(loop_, request, *spawner_, commands_, std::move(done));
  }
  const auto* https = std::get_if<config::HttpsCheck>(&probe);
  return make_stream_attempt(loop_, request, https == nullptr ? nullptr : &tls_.of(https->trust), paths_,
                             std::move(done));
}

std::unique_ptr<RunningProbe> AsioProber::start(const ProbeRequest& request, Done done) {
  auto attempt = make_attempt(request, std::move(done));
  attempt->start();
  return std::make_unique<RunningAttempt>(std::move(attempt));
}

}  // namespace astil::health
