// The agent's program on an interface: attached by a link that goes with the agent, since a backend without its agent's
// address setup has no use for the decapsulation.
#pragma once

#include <bpf/libbpf.h>

#include <boost/asio/ip/address_v4.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"

namespace astil::agent {

class Decapsulator {
 public:
  /// Loads `object`, and takes packets for these service addresses out of their tunnel at the interface.
  static Result<std::unique_ptr<Decapsulator>> attach(std::span<const std::byte> object, std::uint32_t ifindex,
                                                      std::span<const boost::asio::ip::address_v4> addresses);
  [[nodiscard]] const std::string& hook() const { return hook_; }

 private:
  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  Decapsulator() = default;

  std::unique_ptr<bpf_object, Close> object_;
  base::Descriptor link_;
  std::string hook_;
};

}  // namespace astil::agent
