// Maglev lookup tables ("rings"): which backend has which part of the flows. Two ways to one: `make_ring` is a pure
// function of the members (Eisenbud et al., "Maglev", NSDI'16, section 3.4, with weights); `patch_ring` changes a ring
// that is in use, and moves no slot that does not have to move. A pair's nodes have the former, so that theirs are the
// same whatever each has seen.
//
// A ring's length is a power of two, so that a ring that must grow doubles: every slot becomes two with the same
// backend, and nothing moves (docs/decisions/0003-rings.md).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace astil::balance {

/// A backend as a ring knows it.
struct RingMember {
  std::uint64_t identity = 0;  ///< the same on every node and after every restart: of address and port
  std::uint32_t weight = 0;    ///< 0: gets no slot

  bool operator==(const RingMember&) const = default;
};

/// A slot without an owner, in a previous ring.
inline constexpr std::uint16_t kNobody = 0xffff;
/// More could not be told apart by a slot.
inline constexpr std::size_t kMostMembers = kNobody;

/// The smallest power of two with at least `slots_per_weight` slots for the smallest weight that is not 0; 0: there is
/// none.
[[nodiscard]] std::uint32_t ring_length(std::span<const RingMember> members, std::uint32_t slots_per_weight);

/// Slots that each member is due: proportional to the weights, rounded so that the sum is `length`. What is left over
/// by rounding goes to those of them who `hold` more than their share already, so that it moves nothing.
[[nodiscard]] std::vector<std::uint32_t> slots_due(std::span<const RingMember> members, std::uint32_t length,
                                                   std::span<const std::uint32_t> hold);

/// Indices into `members` by slot. Empty where no member has a weight.
[[nodiscard]] std::vector<std::uint16_t> make_ring(std::span<const RingMember> members, std::uint32_t length);

struct PatchedRing {
  std::vector<std::uint16_t> slots;
  std::uint32_t moved = 0;  ///< slots whose owner changed
  std::uint32_t least = 0;  ///< slots that had to, for the weights to be met
};

/// `previous`: a ring whose slots index `members`, or are kNobody; its length divides `length`.
[[nodiscard]] PatchedRing patch_ring(std::span<const std::uint16_t> previous, std::span<const RingMember> members,
                                     std::uint32_t length);

/// The ring of these members alone, with what has moved since `previous`, as patch_ring has it but of any length.
[[nodiscard]] PatchedRing canonical_ring(std::span<const std::uint16_t> previous, std::span<const RingMember> members,
                                         std::uint32_t length);

/// The order of turns of weighted round-robin, interleaved so that no backend gets its turns in a row. Indices into
/// `members`; at most kMaxWheel turns, to which great weights are scaled down, and one for each member that the scale
/// leaves with less than one.
[[nodiscard]] std::vector<std::uint16_t> make_wheel(std::span<const RingMember> members);
inline constexpr std::uint32_t kMaxWheel = 4096;

/// Slots that rings take in their pool, where each begins a line. So the check of a configuration and the publisher
/// mean the same. Of the ring that is made for these members; one that has been patched is never shorter than it was.
[[nodiscard]] std::uint64_t ring_room(std::span<const RingMember> members, std::uint32_t slots_per_weight);
/// A weight can be had in so many parts (slow_start.hpp).
inline constexpr std::uint32_t kTenths = 10;
/// Of the longest wheel that any of these members can have, whoever is in rotation, with whole weights (`parts` 1) or
/// any number of their tenths (kTenths).
[[nodiscard]] std::uint64_t wheel_room(std::span<const RingMember> members, std::uint32_t parts = 1);
/// What changes is written beside what is read, so each has room twice.
inline constexpr std::uint64_t kRingGenerations = 2;

}  // namespace astil::balance
