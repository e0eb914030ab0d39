// Makes the tables follow a desired state without a packet seeing half of it: records and rings of the generation that
// is not in use, then its index, then one aligned store that switches, then a wait for the packets under way. Only then
// is the old place used again.
//
// Numbers: a service keeps its id, and a service's use of a backend its number, as long as any flow holds it; both are
// found again in the tables after a restart, and when a service or a backend comes back. A use that is no longer wanted
// retires: its flows go on, new ones avoid it, and the number is given back by `release` when a whole census has found
// no flow of it.
//
// One publisher per set of tables, used by one thread. No system call per entry.
#pragma once

#include <unordered_map>
#include <vector>

#include "dataplane/dataplane.hpp"
#include "dataplane/desired.hpp"
#include "dataplane/port_sources.hpp"

namespace astil::dataplane {

/// Where a service stands in the tables.
struct PlacedService {
  std::uint32_t id = 0;
  std::vector<std::uint32_t> backends;  ///< numbers, in the order of ServiceState::backends
};

/// What `publish` did.
struct Published {
  std::vector<PlacedService> services;  ///< in the order of DesiredState::services
  bool switched = false;                ///< false: nothing but records changed in place
};

/// A retired use of a backend that still has flows, or has not been counted yet.
struct Retired {
  std::uint32_t number = 0;
  std::uint32_t service = 0;  ///< id
};

class Publisher {
 public:
  /// Reads what the tables hold. `engine` must outlive the publisher.
  explicit Publisher(Dataplane& engine);

  /// All or nothing: an error (a table is full) leaves everything as it was.
  Result<Published> publish(const DesiredState& desired);

  /// Whether `publish` would succeed; nothing is changed.
  [[nodiscard]] Result<void> check(const DesiredState& desired) const;

  /// Gives back the numbers that `in_use(number)` denies. Call it with a census that began after the last `publish`.
  /// What they counted goes to their service's own counter. Returns how many.
  std::size_t release(const std::function<bool(std::uint32_t number)>& in_use);

  /// What a census that began after the last `publish` says of source addresses: those that are not wanted and have no
  /// connection are given back, and none is looked at any more for connections that it has not. Returns how many were
  /// given back.
  std::size_t settle_sources(const PortCount& ports) { return settle_port_sources(tables_, port_sources_, ports); }

  [[nodiscard]] std::vector<Retired> retired() const;

 private:
  struct UseKey {
    std::uint32_t service;
    core::Address address;
    std::uint16_t port;
    /// A service that changes it uses its backends anew: open connections keep the old one.
    core::Forwarding forwarding;
    bool operator==(const UseKey&) const = default;
  };
  struct UseHash {
    std::size_t operator()(const UseKey& key) const;
  };
  struct Use {
    std::uint32_t number;
    bool wanted;
  };
  struct Plan;

  Result<Plan> plan(const DesiredState& desired) const;
  Result<void> place_services(const DesiredState& desired, Plan& plan) const;
  std::vector<bool> place_known_services(const DesiredState& desired, Plan& plan, std::vector<bool>& taken) const;
  Result<void> place_backends(const DesiredState& desired, Plan& plan) const;
  Result<void> place_rings(const DesiredState& desired, Plan& plan) const;
  Result<void> place_sources(const DesiredState& desired, Plan& plan) const;
  [[nodiscard]] bool has_sources(const Plan& plan, std::uint32_t generation) const;
  Result<void> build_index(const DesiredState& desired, Plan& plan) const;
  void write_backends(const DesiredState& desired, const Plan& plan);
  void retire(const Plan& plan);
  void write_members(const Plan& plan);
  void write_rings(const DesiredState& desired, const Plan& plan);
  Result<void> write_interfaces(const std::vector<InterfaceState>& interfaces);
  void give_up_drops(std::uint32_t id);
  void switch_to(const Plan& plan);
  static std::uint16_t longest_affinity(const DesiredState& desired);

  Dataplane& engine_;
  Tables tables_;
  std::unordered_map<UseKey, Use, UseHash> uses_;
  std::vector<std::uint32_t> free_numbers_;  ///< the last is taken first
  PortSources port_sources_;
};

/// The state that tables hold, retired uses included (out of rotation): for a publisher of other tables.
DesiredState read_state(const Tables& tables);

/// All that this machine has of it: addresses of services, and source addresses of full NAT.
std::vector<core::Address> own_addresses(const DesiredState& state);

/// Counts the slots in use of each table with a capacity.
struct PoolUse {
  std::size_t services = 0;
  std::size_t backends = 0;
  std::size_t ring_slots = 0;     ///< of the active generation, in whole lines
  std::size_t source_ranges = 0;  ///< likewise
};
PoolUse pool_use(const Tables& tables);

}  // namespace astil::dataplane
