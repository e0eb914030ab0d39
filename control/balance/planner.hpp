// From what is wanted and what is known (weights, health, next hops) to what the packet path shall do. The planner
// remembers the rings it made, since a ring changes by patch; a new planner is given the rings that the tables hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/balance/ring.hpp"
#include "dataplane/desired.hpp"

namespace astil::balance {

enum class Availability {
  unknown,  ///< not checked yet: as it was before, and out of rotation if it is new
  up,
  down,
};

/// Whether a backend may have new flows at all, whatever its weight and its health.
enum class Intake { open, closed };

/// What a service does with new flows while it has too few backends in rotation.
enum class WhenDown { drop, reject, fail_open, fallback, withdraw };

/// `fallback`: gets new flows only while there are too few others, and WhenDown::fallback.
enum class Role { usual, fallback };

/// How packets reach a backend. destination_mac 0: not known (any more), and the last one known is kept.
struct Hop {
  std::uint64_t destination_mac = 0;
  std::uint64_t source_mac = 0;
  std::uint32_t interface = 0;
  core::Address source{};
  std::uint32_t mtu = 0;  ///< bytes of an IP packet; 0: not known
};

/// What a tunnel puts in front of packets to a backend; fields as dataplane::BackendUse has them.
struct Outer {
  core::Wrap wrap = core::Wrap::ipip4;
  std::uint16_t gue_port = core::kGuePort;
  core::Be32 source_mask{};
  std::optional<core::Address> source;  ///< none: the hop's
};

struct BackendInput {
  core::Address address{};
  std::uint16_t port = 0;
  std::uint32_t weight = 1;  ///< at most core::kMaxWeight
  Availability availability = Availability::unknown;
  Intake intake = Intake::open;
  Role role = Role::usual;
  Outer outer{};
  Hop hop{};
};

struct ServiceInput {
  std::string name;  ///< for the report
  dataplane::ServiceKey key;
  core::Forwarding forwarding = core::Forwarding::nat;
  core::Scheduler scheduler = core::Scheduler::maglev;
  std::uint8_t source_bits = 128;  ///< these two as dataplane::ServiceState has them
  std::optional<dataplane::Affinity> affinity;
  dataplane::SourceControl sources;
  std::uint32_t slots_per_weight = 100;
  bool canonical = false;  ///< the ring follows from the backends alone, not from the one before
  core::Rotation rotation_of_down = core::Rotation::down;  ///< what becomes of the flows of a backend that is down
  std::chrono::milliseconds slow_start{0};  ///< how long one that comes up takes to its whole share; 0: at once
  WhenDown when_down = WhenDown::drop;
  std::uint32_t minimum_up = 1;  ///< usual backends in rotation, fewer than which are too few
  std::vector<BackendInput> backends;
};

/// What became of one service's ring.
struct RingReport {
  std::string service;
  std::uint32_t slots = 0;
  std::uint32_t moved = 0;
  std::uint32_t least = 0;
};

using Clock = std::chrono::steady_clock;

/// When backends came up that have not their whole share yet, by identity.
using Starts = std::unordered_map<std::uint64_t, Clock::time_point>;

struct Plan {
  dataplane::DesiredState state;
  std::vector<RingReport> rings;                   ///< of services whose ring changed
  std::vector<std::vector<RingMember>> members;    ///< what each service's ring and wheel were made of
  std::vector<bool> canonical;                     ///< and by which rule
  std::vector<bool> too_few;                       ///< likewise: has it fewer backends in rotation than it must have?
  std::vector<std::vector<std::uint32_t>> tenths;  ///< of its weight that each backend has
  std::vector<Starts> starts;                      ///< likewise by service
  std::optional<Clock::time_point> next_step;      ///< when a backend that starts slowly is due more than it has here
};

class Planner {
 public:
  /// `inherited`: what the packet path does now.
  explicit Planner(dataplane::DesiredState inherited);

  /// The state for these inputs at this time. `commit` makes it the one that the next plan starts from.
  [[nodiscard]] Plan plan(const std::vector<dataplane::InterfaceState>& interfaces,
                          const std::vector<ServiceInput>& services, Clock::time_point now) const;
  void commit(const Plan& plan);

 private:
  struct Service {
    dataplane::ServiceState state;
    std::optional<std::vector<RingMember>> members;  ///< none: not known what its ring was made of
    bool canonical = false;                          ///< likewise, and how
    Starts starts;
  };

  void plan_service(const ServiceInput& input, Clock::time_point now, Plan& plan) const;

  std::unordered_map<dataplane::ServiceKey, Service, dataplane::ServiceKeyHash> last_;
};

/// Equal digests: the same backends at the same slots.
[[nodiscard]] std::uint64_t ring_digest(const dataplane::ServiceState& service);

/// A backend's identity in rings.
[[nodiscard]] std::uint64_t identity_of(const core::Address& address, std::uint16_t port);

}  // namespace astil::balance
