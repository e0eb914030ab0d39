// What bytes mean to the fuzzer of the packet path: steps, one after the other, each of a kind. Some steps decide what
// stands in the tables (services and their backends, flows, ages), others are frames. Any bytes are a scenario.
//
// A step: its kind (1 byte), its length (2 bytes, the lower first), so many bytes. What is there of the last one
// counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/desired.hpp"
#include "tests/packets/world.hpp"

namespace astil::fuzz {

using test::Bytes;

enum class StepKind : std::uint8_t {
  frame,           ///< as it is
  repaired_frame,  ///< with lengths and checksums made right
  services,        ///< published from now on: `state_of`
  flows,           ///< put into the flow table: `plant_flows`
  time,            ///< ticks go by, one for each unit of the first byte
  census,          ///< what has expired is forgotten, and numbers are given back
};
inline constexpr std::uint8_t kStepKinds = 6;

struct Step {
  StepKind kind;
  Bytes bytes;
};

/// A frame that no test run of the kernel would cut in two.
inline constexpr std::size_t kLongestStep = 2048;
/// Later ones are left out.
inline constexpr std::size_t kMostSteps = 128;

[[nodiscard]] std::vector<Step> steps_of(std::span<const std::byte> input);
[[nodiscard]] Bytes bytes_of(const std::vector<Step>& steps);

/// Services at the addresses of tests/packets/mutator.hpp. The configuration would take them, but that two of them may
/// be in each other's way, which the publisher refuses.
///
/// The first byte: bit 0, replies leave by a VLAN device; bit 1, flows are being carried to other tables; bit 2, echo
/// is answered. Then for each service 3 bytes, and 2 for each of its backends:
///   0: port 0 to 7 (bits 0 to 2), any port (3), IPv6 (4), UDP (5), at the second address (6), round robin (7)
///   1: nat, direct, IP in IP, GUE (bits 0, 1), the outer source varies (2), slots of the ring (3, 4)
///   2: how many backends (bits 0, 1), MTU of the path to them (2, 3)
///   of a backend, 0: which one (bits 0 to 2), weight (3, 4), rotation (5, 6), of the other version, in a tunnel (7)
///   1: next hop known (bits 0, 1), behind the other interface (2), VLAN (3, 4), outer VLAN (5), port (6, 7)
struct Wanted {
  dataplane::DesiredState state;
  bool ring_only = false;
};
[[nodiscard]] Wanted state_of(std::span<const std::byte> bytes);

/// Puts flows where the packet path would look for them, 5 bytes each:
///   0: client 0 to 2 (bits 0, 1), IPv6 (2), UDP (3), to the second address (4), port 0 to 7 (5 to 7)
///   1: client's port, from 1024 on
///   2: state (bits 0 to 2); which of its lines is full of others (3, 4)
///   3: ticks since its last packet (bits 0 to 5, times 16)
///   4: number of its backend
void plant_flows(const dataplane::Tables& tables, std::span<const std::byte> bytes);

/// The frame with the lengths and checksums that its IP header and its transport should have; what is cut short, or of
/// no IP version, stays as it is.
void repair(Bytes& frame);

}  // namespace astil::fuzz
