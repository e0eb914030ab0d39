// What the packet path shall do, as the control plane wants it: complete, in order, without numbers of any table. The
// publisher makes the tables follow it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/core/hash.hpp"
#include "dataplane/core/layout.hpp"

namespace astil::dataplane {

enum class Rotation : std::uint8_t { out, in };

/// A service's use of a backend. MACs as core::Backend has them; destination_mac 0: not resolved.
struct BackendUse {
  core::Address address{};
  std::uint16_t port = 0;
  core::Address source{};
  std::uint64_t destination_mac = 0;
  std::uint64_t source_mac = 0;
  std::uint32_t interface = 0;
  Rotation rotation = Rotation::in;
};

struct ServiceKey {
  core::Address address{};
  std::uint16_t port = 0;
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

struct ServiceState {
  ServiceKey key;
  core::Forwarding forwarding = core::Forwarding::nat;
  core::Scheduler scheduler = core::Scheduler::maglev;
  std::vector<BackendUse> backends;
  std::vector<std::uint16_t> ring;   ///< indices into `backends`; empty: none in rotation
  std::vector<std::uint16_t> wheel;  ///< likewise, the order of round-robin's turns
};

/// An interface that packets come in by.
struct InterfaceState {
  std::uint32_t ifindex = 0;
  std::uint64_t mac = 0;

  bool operator==(const InterfaceState&) const = default;
};

struct DesiredState {
  std::vector<InterfaceState> interfaces;
  std::vector<ServiceState> services;
};

}  // namespace astil::dataplane
