// How a single probe is made, as the checks see it: started, it comes to an outcome or is given up. Time is not its
// business; who starts it decides how long it may take.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "control/config/model.hpp"
#include "control/health/path_sockets.hpp"

namespace astil::health {

struct ProbeRequest {
  config::address host;
  config::Port port{};
  config::Probe probe;
  std::optional<Path> path = std::nullopt;  ///< with it `host` and `port` are the service's
};

struct Outcome {
  enum class Kind {
    passed,
    failed,
    not_made,  ///< this machine lacked a descriptor, a port or memory: says nothing about the backend
  };
  Kind kind = Kind::passed;
  std::string error;  ///< "connect: Connection refused", "status 503, expected 200-399", "not HTTP"; empty if passed
};

/// How far a probe has come.
enum class Phase { connect, handshake, answer };

/// What it says that nothing came within the time that a probe had.
enum class Silence { fails, passes };

/// A probe under way. Destroyed, it ends without a trace, and its outcome is never told.
class RunningProbe {
 public:
  virtual ~RunningProbe() = default;
  [[nodiscard]] virtual Phase phase() const = 0;
  /// What came in so far and decided nothing, for the error of a timeout: "2 datagrams were no answer to the query".
  [[nodiscard]] virtual std::string remark() const { return {}; }
  [[nodiscard]] virtual Silence silence() const { return Silence::fails; }
};

class Prober {
 public:
  using Done = std::function<void(Outcome)>;

  virtual ~Prober() = default;
  /// The checks were configured: what probes need of files from now on is read. Else it would be by the first probe.
  virtual void prepare(const std::set<config::TlsTrust>& /*trusts*/) {}
  /// `done` is called once, later, never from within this call. It may destroy the running probe.
  [[nodiscard]] virtual std::unique_ptr<RunningProbe> start(const ProbeRequest& request, Done done) = 0;
};

}  // namespace astil::health
