// Sockets of probes that take the forwarding path: what such a probe sends goes to the service's address, and from
// there to one backend alone, wrapped or with another MAC address as clients' packets are.
#pragma once

#include <compare>
#include <memory>

#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::health {

/// How the packets of a service reach a backend of its.
struct Path {
  config::address backend;
  config::Forwarding forwarding = config::Forwarding::direct;  ///< tunnel or direct
  config::Encapsulation encapsulation = config::Encapsulation::ipip;
  config::Port gue_port{};
  config::address outer_source;  ///< of a tunnel's header; unspecified: the balancer's own
  std::strong_ordering operator<=>(const Path&) const = default;
};

class PathSockets {
 public:
  enum class Kind { stream, datagram };

  struct Opened {
    base::Descriptor socket;      ///< bound and non-blocking, not connected
    std::shared_ptr<void> place;  ///< what the socket was given; to be let go once it is closed
  };

  virtual ~PathSockets() = default;
  /// For a connection to `service`. The error says what is missing, of this machine or on the way.
  [[nodiscard]] virtual Result<Opened> open(Kind kind, const Path& path, const config::address& service,
                                            config::Port port) = 0;
};

}  // namespace astil::health
