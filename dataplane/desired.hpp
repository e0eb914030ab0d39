// What the packet path shall do, as the control plane wants it: complete, in order, without numbers of any table. The
// publisher makes the tables follow it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/layout.hpp"
#include "dataplane/source_list.hpp"

namespace astil::dataplane {

using core::Rotation;

/// A service's use of a backend. MACs as core::Backend has them; destination_mac 0: not resolved.
struct BackendUse {
  core::Address address{};
  std::uint16_t port = 0;                   ///< 0: as the client's packet has it
  core::Address source{};                   ///< of the outer header of a tunnel
  core::Be32 source_mask{};                 ///< as in core::Backend
  core::Wrap wrap = core::Wrap::ipip4;      ///< likewise
  std::uint32_t mtu = 0;                    ///< of the path there, bytes of an IP packet; 0: not known
  std::uint16_t gue_port = core::kGuePort;  ///< likewise
  std::uint64_t destination_mac = 0;
  std::uint64_t source_mac = 0;
  std::uint32_t interface = 0;
  Rotation rotation = Rotation::in;
  /// As long as flows are open since then, what the service's forwarding was before; none: what it is.
  std::optional<core::Forwarding> forwarding = std::nullopt;
  /// Among the service's backends, for least-connections and two-choices: 0 to core::kMaxWeight. The ring and the wheel
  /// have their weights in them.
  std::uint32_t weight = 1;
};

/// Affinity: for how long a client's new flows keep to a backend, in seconds (1 to kLongestTimeout; counted in ticks as
/// FlowTimeouts are), and which clients are one: those with the same first bits of their address, as in core::Service.
struct Affinity {
  std::uint32_t seconds = 300;
  std::uint8_t bits = 128;

  bool operator==(const Affinity&) const = default;
};

struct ServiceKey {
  core::Address address{};
  std::uint16_t port = 0;  ///< 0: any that no other service has
  std::uint8_t protocol = 0;

  bool operator==(const ServiceKey&) const = default;
};

inline ServiceKey key_of(const core::Service& service) {
  return {.address = service.address, .port = host(service.port), .protocol = service.protocol};
}

/// For hash maps of this process alone.
struct ServiceKeyHash {
  std::size_t operator()(const ServiceKey& key) const {
    std::uint64_t hash = core::mixed((std::uint64_t{key.protocol} << 16U) | key.port);
    for (const core::Be32 word : key.address.words) hash = core::mixed(hash ^ raw(word));
    return hash;
  }
};

/// What becomes of a packet that no backend is in rotation for.
enum class WhenNone : std::uint8_t { drop, refuse };

struct ServiceState {
  ServiceKey key;
  core::Forwarding forwarding = core::Forwarding::nat;
  core::Scheduler scheduler = core::Scheduler::maglev;
  std::uint8_t source_bits = 128;  ///< as in core::Service
  std::optional<Affinity> affinity;
  SourceControl sources;
  WhenNone when_none = WhenNone::drop;
  std::vector<BackendUse> backends;
  std::vector<std::uint16_t> ring;   ///< indices into `backends`; empty: none in rotation
  std::vector<std::uint16_t> wheel;  ///< likewise, the order of round-robin's turns
};

/// An interface that packets come in by, or a VLAN device on one.
struct InterfaceState {
  std::uint32_t ifindex = 0;
  std::uint64_t mac = 0;     ///< with the tag of a VLAN device above it: core::tagged
  std::uint32_t parent = 0;  ///< of a VLAN device: the ifindex of what carries its frames

  bool operator==(const InterfaceState&) const = default;
};

/// How long a flow is remembered without a packet, at least, by its state, in seconds: 1 to kLongestTimeout. Ages are
/// counted in ticks of core::kTickSeconds, the first of which may be over in a moment, so it can be two ticks more.
/// Established: what RFC 9293 hosts keep alive within (2 hours, RFC 1122, section 4.2.3.6); the rest as LVS has them.
struct FlowTimeouts {
  std::uint32_t half_open = 60;  ///< of `answered` too
  std::uint32_t established = 7200;
  std::uint32_t closing = 120;
  std::uint32_t closed = 10;
  std::uint32_t udp_stream = 300;

  bool operator==(const FlowTimeouts&) const = default;
};
inline constexpr std::uint32_t kLongestTimeout = (core::kMaxTimeout - 2) * core::kTickSeconds;

struct DesiredState {
  bool answers_echo = false;  ///< to service addresses, in the packet path
  FlowTimeouts timeouts;
  std::uint32_t new_flows_per_second = 0;  ///< of each CPU; 0: no limit
  std::vector<InterfaceState> interfaces;
  /// Of full NAT, whose clients they share. They must be this machine's, and no service's.
  std::vector<core::Address> port_sources;
  /// To these, what is for no service is dropped, and not the host's. The tables can not be asked which they are.
  std::vector<core::Address> closed_addresses;
  std::vector<ServiceState> services;
};

}  // namespace astil::dataplane
