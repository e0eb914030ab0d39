// The UDP socket of one path between the nodes.
#pragma once

#include <cstdint>
#include <functional>

#include "control/base/result.hpp"
#include "control/ha/vrrp/wire.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::ha {

class HeartbeatSocket {
 public:
  /// Bound to `local`, which may come later than the socket, and connected to `peer`: nobody else is heard.
  [[nodiscard]] static Result<HeartbeatSocket> open(const address& local, const address& peer, std::uint16_t port);

  /// errno's value; 0: sent.
  [[nodiscard]] int send(Bytes message);
  /// What waits, kPacketsAtOnce at most; valid during the call only.
  void receive(const std::function<void(Bytes)>& take);
  [[nodiscard]] int descriptor() const { return socket_.get(); }

 private:
  explicit HeartbeatSocket(base::Descriptor socket) : socket_(std::move(socket)) {}
  base::Descriptor socket_;
};

}  // namespace astil::ha
