// A service as a desired state has it, said in a sentence:
//
//   Service("198.51.100.1", 80).tunnel().backend("10.0.0.1").backend("10.0.0.2", {.weight = 2})
//
// Rings and wheels are those that the control plane makes for these weights.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "control/balance/ring.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/desired.hpp"
#include "tests/packets/packet.hpp"

namespace astil::test {

/// The interface that packets come in by: the first of any network namespace, the loopback.
inline constexpr std::uint32_t kIngress = 1;
/// Another one.
inline constexpr std::uint32_t kOutside = 100;

inline constexpr std::uint64_t kBalancerMac = mac(0x01);
inline constexpr std::uint64_t kOutsideMac = mac(0x02);
inline constexpr std::uint64_t kClientMac = mac(0xc1);

/// What outer headers come from.
inline constexpr std::string_view kBalancerAddress = "10.0.0.254";
inline constexpr std::string_view kBalancerAddress6 = "2001:db8:b::fe";

/// What connections under full NAT come from.
inline constexpr std::string_view kPortSource = "10.0.0.200";
inline constexpr std::string_view kPortSource6 = "2001:db8:b::200";

/// What a test may want to be otherwise in a backend.
struct BackendOptions {
  std::uint16_t port = 0;  ///< 0: the service's
  std::uint32_t weight = 1;
  std::uint64_t mac = test::mac(0xb1);  ///< 0: not resolved
  std::uint32_t interface = kIngress;
  std::uint32_t mtu = 0;         ///< of the path there; 0: not known
  std::uint16_t vlan = 0;        ///< of the tag that leaves with packets; 0: none
  std::uint16_t outer_vlan = 0;  ///< of the one in front of it
  dataplane::Rotation rotation = dataplane::Rotation::in;
};

class Service {
 public:
  /// A port of 0: any.
  Service(std::string_view host, std::uint16_t port);
  Service& udp();
  Service& nat();
  Service& tunnel();
  /// tunnel, with UDP in between.
  Service& gue();
  /// The outer source is made up in a net, by these bits of its last word. Before `backend`.
  Service& varied_source(std::string_view net, std::uint32_t host_bits);
  Service& direct();
  /// From kPortSource and kPortSource6.
  Service& full_nat();
  Service& round_robin();
  Service& least_connections();
  Service& two_choices();
  /// By so many bits of the client's address, of its version of IP.
  Service& source_hash(std::uint8_t bits);
  /// Clients with the same bits are one.
  Service& affinity(std::uint32_t seconds, std::uint8_t bits);
  /// Clients whose addresses begin with so many bits of one, of its version of IP.
  Service& allow(std::string_view network, std::uint8_t bits);
  Service& deny(std::string_view network, std::uint8_t bits);
  /// So many new flows a second, and at once, of clients with the same bits.
  Service& limit(std::uint32_t per_second, std::uint32_t burst, std::uint8_t bits);
  /// What it has no backend for is answered.
  Service& refusing();
  Service& ring_length(std::uint32_t slots);
  Service& backend(std::string_view dotted, const BackendOptions& options = {});

  [[nodiscard]] dataplane::ServiceState state() const;

 private:
  [[nodiscard]] std::uint8_t whole_bits(std::uint8_t bits) const;

  dataplane::ServiceState state_;
  std::vector<std::uint32_t> weights_;
  std::vector<dataplane::SourcePrefix> prefixes_;
  std::uint32_t ring_length_ = 256;
  bool gue_ = false;
  std::optional<core::Address> source_;
  core::Be32 source_mask_{};
};

/// Some services behind the one interface that packets come in by.
[[nodiscard]] dataplane::DesiredState desired(const std::vector<Service>& services);

}  // namespace astil::test
