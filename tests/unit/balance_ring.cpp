// Rings and wheels: shares that follow the weights, and changes that move no slot without need.
#include "control/balance/ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

namespace astil::balance {
namespace {

std::vector<RingMember> members_of(const std::vector<std::uint32_t>& weights) {
  std::vector<RingMember> members;
  for (const std::uint32_t weight : weights) members.push_back({.identity = 1000 + members.size(), .weight = weight});
  return members;
}

std::vector<std::uint32_t> counts_of(const std::vector<std::uint16_t>& ring, std::size_t members) {
  std::vector<std::uint32_t> counts(members, 0);
  for (const std::uint16_t slot : ring) ++counts.at(slot);
  return counts;
}

/// Every share is what the weights say, rounded up or down.
void expect_shares(const std::vector<std::uint16_t>& ring, const std::vector<RingMember>& members) {
  const auto counts = counts_of(ring, members.size());
  double sum = 0;
  for (const RingMember& member : members) sum += member.weight;
  for (std::size_t i = 0; i < members.size(); ++i) {
    EXPECT_LT(std::abs(counts[i] - static_cast<double>(ring.size()) * members[i].weight / sum), 1.0) << i;
  }
}

/// The fewest slots that any ring with right shares must have otherwise: what nobody owns, and what owners have above
/// their share, where those that have more than their share rounded down may be the ones to round up.
std::uint32_t fewest_moves(const std::vector<std::uint16_t>& before, const std::vector<RingMember>& members) {
  std::vector<std::uint64_t> hold(members.size(), 0);
  std::uint64_t orphans = 0;
  for (const std::uint16_t slot : before) {
    if (slot < members.size()) {
      ++hold[slot];
    } else {
      ++orphans;
    }
  }
  std::uint64_t sum = 0;
  for (const RingMember& member : members) sum += member.weight;
  std::uint64_t above = 0;
  std::uint64_t rounded_down = 0;
  std::uint64_t could_round_up = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::uint64_t share = before.size() * std::uint64_t{members[i].weight};
    rounded_down += share / sum;
    if (hold[i] > share / sum) {
      above += hold[i] - share / sum;
      could_round_up += share % sum != 0 ? 1 : 0;
    }
  }
  return static_cast<std::uint32_t>(orphans + above -
                                    std::min<std::uint64_t>(could_round_up, before.size() - rounded_down));
}

TEST(Ring, shares_are_within_one_slot_of_what_is_due) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::uint32_t> weights(1 + random() % 20);
    for (std::uint32_t& weight : weights) weight = static_cast<std::uint32_t>(random() % 50);
    weights[0] = 1;
    const auto members = members_of(weights);
    expect_shares(make_ring(members, 4096), members);
  }
}

TEST(Ring, gives_a_weight_of_zero_no_slot) {
  const auto counts = counts_of(make_ring(members_of({1, 0, 1}), 64), 3);
  EXPECT_EQ(counts[1], 0U);
  EXPECT_TRUE(make_ring(members_of({0, 0}), 64).empty());
  EXPECT_TRUE(make_ring({}, 64).empty());
}

TEST(Ring, does_not_depend_on_the_order_of_members) {
  const auto members = members_of({3, 1, 4, 1, 5, 9, 2, 6});
  const auto ring = make_ring(members, 4096);
  auto reversed = members;
  std::reverse(reversed.begin(), reversed.end());
  const auto other = make_ring(reversed, 4096);
  std::size_t differences = 0;
  for (std::size_t slot = 0; slot < ring.size(); ++slot) {
    differences += members[ring[slot]].identity != reversed[other[slot]].identity ? 1 : 0;
  }
  EXPECT_EQ(differences, 0U);
}

TEST(Ring, spreads_a_member_over_the_whole_length) {
  const auto ring = make_ring(members_of({1, 1, 1, 1}), 4096);
  for (std::size_t part = 0; part < 16; ++part) {
    const auto begin = ring.begin() + static_cast<std::ptrdiff_t>(part * 256);
    for (std::uint16_t member = 0; member < 4; ++member) {
      EXPECT_NEAR(static_cast<double>(std::count(begin, begin + 256, member)), 64, 45) << part;
    }
  }
}

TEST(RingLength, is_the_power_of_two_with_room_for_the_smallest_weight) {
  EXPECT_EQ(ring_length(members_of({1, 1}), 100), 256U);
  EXPECT_EQ(ring_length(members_of({10, 10}), 100), 256U);
  EXPECT_EQ(ring_length(members_of({1, 3}), 100), 512U);
  EXPECT_EQ(ring_length(members_of({1, 3, 0}), 100), 512U);
  EXPECT_EQ(ring_length(members_of({0}), 100), 0U);
}

TEST(CanonicalRing, is_the_same_whatever_was_before_and_tells_what_moved) {
  std::mt19937 random(11);
  std::vector<RingMember> members = members_of({1, 1, 1, 1, 1});
  std::vector<std::uint16_t> ring = make_ring(members, 1024);
  std::uint64_t moved = 0;
  std::uint64_t least = 0;
  for (int change = 0; change < 300; ++change) {
    members[random() % members.size()].weight = static_cast<std::uint32_t>(random() % 5);
    members[0].weight = std::max(members[0].weight, 1U);
    const PatchedRing made = canonical_ring(ring, members, 1024);
    EXPECT_EQ(made.slots, make_ring(members, 1024)) << change;
    EXPECT_EQ(made.least, fewest_moves(ring, members)) << change;
    std::uint32_t otherwise = 0;
    for (std::size_t slot = 0; slot < ring.size(); ++slot) otherwise += ring[slot] != made.slots[slot] ? 1 : 0;
    EXPECT_EQ(made.moved, otherwise) << change;
    moved += made.moved;
    least += made.least;
    ring = made.slots;
  }
  RecordProperty("moved", static_cast<int>(moved));
  RecordProperty("least", static_cast<int>(least));
  EXPECT_LT(moved, 2 * least);  // Maglev's consistency is good, not perfect
}

TEST(CanonicalRing, of_another_length_is_compared_by_what_a_slot_becomes) {
  const auto members = members_of({1, 1});
  const auto ring = make_ring(members, 256);
  const PatchedRing made = canonical_ring(ring, members, 1024);
  std::uint32_t otherwise = 0;
  for (std::size_t slot = 0; slot < 1024; ++slot) otherwise += ring[slot / 4] != made.slots[slot] ? 1 : 0;
  EXPECT_EQ(made.moved, otherwise);
  EXPECT_EQ(made.least, 0U);
}

TEST(PatchedRing, moves_the_fewest_slots_possible) {
  std::mt19937 random(9);
  std::vector<RingMember> members = members_of({1, 1, 1});
  std::vector<std::uint16_t> ring = make_ring(members, 1024);
  for (int change = 0; change < 300; ++change) {
    if (random() % 4 == 0) members.push_back({.identity = 5000U + static_cast<std::uint64_t>(change), .weight = 0});
    members[random() % members.size()].weight = static_cast<std::uint32_t>(random() % 5);
    members[0].weight = std::max(members[0].weight, 1U);
    const std::uint32_t fewest = fewest_moves(ring, members);
    const PatchedRing patched = patch_ring(ring, members, 1024);
    EXPECT_EQ(patched.moved, fewest) << change;
    EXPECT_EQ(patched.least, fewest) << change;
    expect_shares(patched.slots, members);
    ring = patched.slots;
  }
}

TEST(PatchedRing, with_the_same_weights_moves_nothing) {
  const auto members = members_of({3, 7, 2});
  const auto ring = make_ring(members, 1024);
  const PatchedRing patched = patch_ring(ring, members, 1024);
  EXPECT_EQ(patched.moved, 0U);
  EXPECT_EQ(patched.slots, ring);
}

TEST(PatchedRing, fills_the_slots_of_a_member_that_is_gone) {
  const auto members = members_of({1, 1, 2});
  auto ring = make_ring(members, 1024);
  std::replace(ring.begin(), ring.end(), std::uint16_t{2}, kNobody);
  const PatchedRing patched = patch_ring(ring, members_of({1, 1}), 1024);
  EXPECT_EQ(patched.moved, 512U);
  expect_shares(patched.slots, members_of({1, 1}));
}

TEST(PatchedRing, of_a_multiple_of_the_length_moves_nothing) {
  const auto members = members_of({1, 1, 2});
  const auto ring = make_ring(members, 1024);
  const PatchedRing patched = patch_ring(ring, members, 4096);
  ASSERT_EQ(patched.slots.size(), 4096U);
  EXPECT_EQ(patched.moved, 0U);
  for (std::size_t slot = 0; slot < 4096; ++slot) ASSERT_EQ(patched.slots[slot], ring[slot / 4]);
}

TEST(PatchedRing, of_twice_the_length_moves_only_what_the_shorter_one_had_rounded) {
  const auto members = members_of({1, 1, 1});
  const PatchedRing patched = patch_ring(make_ring(members, 1024), members, 2048);
  EXPECT_LE(patched.moved, 2U);
  EXPECT_EQ(patched.moved, patched.least);
  expect_shares(patched.slots, members);
}

TEST(Wheel, gives_everyone_its_turns_spread_evenly) {
  EXPECT_EQ(make_wheel(members_of({2, 1, 1})), (std::vector<std::uint16_t>{0, 1, 2, 0}));
  const std::vector<std::uint32_t> weights{5, 3, 2};
  const auto wheel = make_wheel(members_of(weights));
  EXPECT_EQ(counts_of(wheel, 3), weights);
  std::vector<double> taken(3, 0);
  for (std::size_t turn = 0; turn < wheel.size(); ++turn) {
    ++taken[wheel[turn]];
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_LT(std::abs(taken[i] - static_cast<double>(turn + 1) * weights[i] / 10), 1) << turn;
    }
  }
}

TEST(Wheel, is_as_short_as_the_weights_allow) {
  EXPECT_EQ(make_wheel(members_of({100, 100})).size(), 2U);
  EXPECT_EQ(make_wheel(members_of({0, 7})).size(), 1U);
  EXPECT_TRUE(make_wheel(members_of({0, 0})).empty());
}

TEST(Room, of_rings_and_wheels_is_that_of_the_longest_in_whole_lines) {
  std::mt19937 random(4);
  for (int times = 0; times < 300; ++times) {
    std::vector<std::uint32_t> weights(1 + random() % 40);
    for (std::uint32_t& weight : weights) weight = static_cast<std::uint32_t>(random() % (times % 2 == 0 ? 1001 : 8));
    const std::uint64_t room = wheel_room(members_of(weights));
    EXPECT_EQ(ring_room(members_of(weights), 10), (ring_length(members_of(weights), 10) + 31) / 32 * 32);
    for (std::uint32_t& weight : weights) {
      EXPECT_LE(make_wheel(members_of(weights)).size(), room);
      weight = 0;  // out of rotation
    }
  }
  EXPECT_EQ(wheel_room(members_of({700, 699})), 1408U);
}

TEST(Wheel, of_great_weights_is_scaled_down) {
  std::vector<std::uint32_t> weights(100, 999);
  weights[3] = 1;
  const auto wheel = make_wheel(members_of(weights));
  EXPECT_LE(wheel.size(), kMaxWheel + 100);
  EXPECT_GE(counts_of(wheel, 100)[3], 1U) << "and everyone who has a weight has a turn";
}

}  // namespace
}  // namespace astil::balance
