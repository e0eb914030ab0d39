// Random frames that know what a frame looks like: a valid one for the services of a test, then bits flipped, fields
// replaced by values at their limits, and the end cut off. From one seed always the same frames.
#pragma once

#include <array>
#include <random>
#include <string_view>

#include "tests/packets/packet.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {

/// Who takes part in what the frames are of, in one version of IP.
struct Hosts {
  std::string_view service;           ///< has services on kServicePorts ports from kFirstServicePort on
  std::string_view any_port_service;  ///< has services on any port
  std::string_view balancer;          ///< tunnels begin there
  std::string_view router;            ///< somewhere on the way
  std::array<std::string_view, 3> clients;
  std::array<std::string_view, 6> backends;  ///< with kBackendPort
};
inline constexpr Hosts kHosts4{.service = "198.51.100.1",
                               .any_port_service = "198.51.100.2",
                               .balancer = kBalancerAddress,
                               .router = "198.18.0.7",
                               .clients = {kClient, kSilentClient, kUnreachableClient},
                               .backends = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.9"}};
inline constexpr Hosts kHosts6{
    .service = "2001:db8::1",
    .any_port_service = "2001:db8::2",
    .balancer = kBalancerAddress6,
    .router = "2001:db8:7::7",
    .clients = {kClient6, kSilentClient6, kUnreachableClient6},
    .backends = {"2001:db8:b::1", "2001:db8:b::2", "2001:db8:b::3", "2001:db8:b::4", "2001:db8:b::5", "2001:db8:b::9"}};

inline constexpr std::uint16_t kFirstServicePort = 80;
inline constexpr std::uint16_t kServicePorts = 8;
inline constexpr std::uint16_t kBackendPort = 8080;

/// One packet's ends.
struct Ends {
  bool is_backends = false;  ///< the sender is a backend
  bool is_ipv6 = false;
  std::string_view from;
  std::string_view to;
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
};

/// Draws by lot.
class Lots {
 public:
  explicit Lots(std::uint64_t seed) : random_(seed) {}

  /// In [0, limit).
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  std::uint16_t below16(std::uint32_t limit) { return static_cast<std::uint16_t>(below(limit)); }
  bool one_in(std::uint32_t times) { return below(times) == 0; }
  template <class Values>
  const auto& one_of(const Values& values) {
    return values[below(static_cast<std::uint32_t>(std::size(values)))];
  }

 private:
  std::mt19937_64 random_;
};

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed);

  /// Another frame. About every second one is as its sender would have it.
  Bytes next();
  /// Is the last one as it was built? Others may have faults of any kind.
  [[nodiscard]] bool is_valid() const { return is_valid_; }
  /// What left for a backend from a source address of full NAT: some of the next frames are answers to it.
  void saw_sent(const Bytes& frame);
  /// One that is: of TCP, UDP, ICMP or fragments, from a client, a backend or a router in between.
  Packet valid();

 private:
  static constexpr std::uint32_t kRecent = 32;

  /// Mostly of connections that had packets a moment ago.
  Ends draw_ends();
  void flip_bits(Bytes& frame);
  void replace_field(Bytes& frame);
  void cut(Bytes& frame);

  bool is_valid_ = true;
  Lots lots_;
  std::array<Ends, kRecent> recent_;   ///< of clients
  std::array<Ends, kRecent> answers_;  ///< to ports of full NAT; those without a port are none
};

}  // namespace astil::test
