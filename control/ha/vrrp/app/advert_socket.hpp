// The raw socket for the adverts of one IP version on one interface (RFC 9568 sections 5.1.1 and 5.1.2). The kernel
// makes the IP header: TTL or Hop Limit 255, and the source address that is told.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/base/result.hpp"
#include "control/ha/vrrp/wire.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::ha {

class AdvertSocket {
 public:
  /// Takes what comes in by that interface, from the multicast group too.
  [[nodiscard]] static Result<AdvertSocket> open(const std::string& interface, std::uint32_t ifindex, bool is_v4);

  /// errno's value; 0: sent.
  [[nodiscard]] int send(Bytes message, const address& source, const address& destination);

  /// What waits, kPacketsAtOnce at most, without waiting. The payload is valid during the call only.
  void receive(const std::function<void(const Received&)>& take);

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  [[nodiscard]] std::uint32_t ifindex() const { return ifindex_; }

 private:
  AdvertSocket(base::Descriptor socket, std::uint32_t ifindex, bool is_v4)
      : socket_(std::move(socket)), ifindex_(ifindex), is_v4_(is_v4) {}

  base::Descriptor socket_;
  std::uint32_t ifindex_;
  bool is_v4_;
};

}  // namespace astil::ha
