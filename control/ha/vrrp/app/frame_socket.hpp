// Frames on one interface: announcements go out, and what other stations say of addresses comes in (ARP, and neighbour
// advertisements).
#pragma once

#include <cstdint>
#include <functional>

#include "control/base/result.hpp"
#include "control/ha/vrrp/announcement.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::ha {

class FrameSocket {
 public:
  [[nodiscard]] static Result<FrameSocket> open(std::uint32_t ifindex);

  /// errno's value; 0: sent.
  [[nodiscard]] int send(const Frame& frame);
  /// What other stations claim, of kPacketsAtOnce frames at most that wait.
  void receive(const std::function<void(const Claim&)>& take);
  [[nodiscard]] int descriptor() const { return socket_.get(); }

 private:
  explicit FrameSocket(base::Descriptor socket) : socket_(std::move(socket)) {}
  base::Descriptor socket_;
};

}  // namespace astil::ha
