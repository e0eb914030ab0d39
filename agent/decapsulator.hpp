// The agent's program on an interface: attached by a link that goes with the agent, since a backend without its agent's
// address setup has no use for the decapsulation.
#pragma once

#include <bpf/libbpf.h>

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "bpf/agent_outcomes.hpp"
#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"

namespace astil::agent {

/// Packets of each Outcome.
using Counts = std::array<std::uint64_t, kOutcomes>;

class Decapsulator {
 public:
  /// Of both versions of IP. No IPv6 address stands for an IPv4 one (RFC 4291, section 2.5.5.2).
  using Addresses = std::set<boost::asio::ip::address>;

  /// Loads `object`. It unwraps nothing until it is told for whom. `gue_port`: the UDP port, in host byte order, where
  /// generic UDP encapsulation comes in; none: the usual one, 6080.
  [[nodiscard]] static Result<std::unique_ptr<Decapsulator>> load(std::span<const std::byte> object,
                                                                  std::optional<std::uint16_t> gue_port = {});

  /// Unwraps packets for these addresses, which come by a tunnel that ends at one of the others; instead of those
  /// before.
  [[nodiscard]] Result<void> set_service_addresses(const Addresses& wanted);
  [[nodiscard]] Result<void> set_tunnel_ends(const Addresses& wanted);

  /// In the driver where it can, else in the kernel's generic place.
  [[nodiscard]] Result<void> attach(std::uint32_t ifindex);
  /// Where it is attached.
  [[nodiscard]] const std::string& hook() const { return hook_; }

  [[nodiscard]] Result<Counts> counts() const;
  /// The program's descriptor.
  [[nodiscard]] int program() const;

 private:
  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  explicit Decapsulator(bpf_object* object) : object_(object) {}
  [[nodiscard]] int map(const char* name) const { return bpf_object__find_map_fd_by_name(object_.get(), name); }
  [[nodiscard]] Result<void> set_gue_port(std::uint16_t port);

  std::unique_ptr<bpf_object, Close> object_;
  base::Descriptor link_;
  std::string hook_;
  Addresses service_addresses_;
  Addresses tunnel_ends_;
};

}  // namespace astil::agent
