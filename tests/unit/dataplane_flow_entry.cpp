// One entry of the flow table: its fields, its age, its states, and what a full line gives up first.
#include "dataplane/core/flow_entry.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "dataplane/core/hash.hpp"

namespace astil::core {
namespace {

using enum FlowState;

constexpr u8 kSyn = kTcpSyn;
constexpr u8 kSynAck = kTcpSyn | kTcpAck;
constexpr u8 kAck = kTcpAck;
constexpr u8 kFin = kTcpFin | kTcpAck;
constexpr u8 kRst = kTcpRst;
constexpr std::array<FlowState, 7> kStates{free, claimed, half_open, answered, established, closing, closed};

// By state: nothing, two ticks, four, ...; as the settings have them.
constexpr u16 kTimeouts[kFlowStates] = {0, 2, 4, 4, 450, 8, 2, 0, 20, 2};

u64 entry(FlowState state, u32 age) { return pack({.tag = 77, .age = age, .state = state, .backend = 5}); }

TEST(FlowEntry, holds_each_field_at_its_limits) {
  for (const u32 tag : {1U, kAffinityTag - 1}) {
    for (const u32 age : {0U, kAgeMask}) {
      for (const FlowState state : kStates) {
        for (const u32 backend : {0U, (1U << kBackendBits) - 1}) {
          const FlowEntry back = unpack(pack({.tag = tag, .age = age, .state = state, .backend = backend}));
          EXPECT_EQ(back.tag, tag);
          EXPECT_EQ(back.age, age);
          EXPECT_EQ(back.state, state);
          EXPECT_EQ(back.backend, backend);
        }
      }
    }
  }
}

TEST(FlowEntry, of_affinity_is_known_by_its_tag) {
  for (const FlowState state : {FlowState::affinity, affinity_claimed}) {
    const u64 value = pack({.tag = kAffinityTag | 77, .age = 5, .state = state, .backend = 9});
    EXPECT_EQ(state_of(value), state);
    EXPECT_EQ(tag_of(value), kAffinityTag | 77);
    EXPECT_EQ(backend_of(value), 9U);
    EXPECT_TRUE(is_of_affinity(state_of(value)));
  }
  EXPECT_FALSE(is_of_affinity(FlowState::udp_stream));
}

TEST(FlowEntry, is_an_active_flow_while_it_is_open) {
  for (const FlowState state : {half_open, answered, established, FlowState::udp_stream})
    EXPECT_EQ(is_active(entry(state, 1)), 1U);
  for (const FlowState state : {claimed, closing, closed}) EXPECT_EQ(is_active(entry(state, 1)), 0U);
  EXPECT_EQ(is_active(0), 0U);
  EXPECT_EQ(is_active(pack({.tag = kAffinityTag | 1, .age = 1, .state = FlowState::affinity, .backend = 5})), 0U);
}

struct Transition {
  u8 flags;
  Direction direction;
  bool later_tick;
  std::array<FlowState, 7> after;  ///< by the state before, in the order of kStates
};

constexpr auto kClient = Direction::from_client;
constexpr auto kBackend = Direction::from_backend;

// A row: free, claimed, half_open, answered, established, closing, closed.
constexpr Transition kTransitions[] = {
    {kSyn, kClient, false, {free, claimed, half_open, answered, established, closing, closed}},
    {kSyn, kClient, true, {free, claimed, half_open, answered, established, closing, closed}},
    {kAck, kClient, false, {free, claimed, half_open, established, established, closing, closed}},
    {kAck, kClient, true, {free, claimed, established, established, established, closing, closed}},
    {kFin, kClient, false, {closing, closing, closing, closing, closing, closing, closed}},
    {kFin, kClient, true, {closing, closing, closing, closing, closing, closing, closed}},
    {kRst, kClient, false, {closed, closed, closed, closed, closed, closed, closed}},
    {kRst, kClient, true, {closed, closed, closed, closed, closed, closed, closed}},
    {kSynAck, kClient, true, {free, claimed, half_open, answered, established, closing, closed}},
    {kSynAck, kBackend, false, {free, claimed, answered, answered, established, closing, closed}},
    {kSynAck, kBackend, true, {free, claimed, answered, answered, established, closing, closed}},
    {kSyn, kBackend, false, {free, claimed, half_open, answered, established, closing, closed}},
    {kAck, kBackend, false, {free, claimed, half_open, answered, established, closing, closed}},
    {kAck, kBackend, true, {free, claimed, half_open, answered, established, closing, closed}},
    {kFin, kBackend, false, {closing, closing, closing, closing, closing, closing, closed}},
    {kRst, kBackend, true, {closed, closed, closed, closed, closed, closed, closed}},
};

TEST(FlowEntry, changes_its_state_as_the_table_of_transitions_says) {
  for (const Transition& row : kTransitions) {
    for (std::size_t i = 0; i < kStates.size(); ++i) {
      EXPECT_EQ(next_state(kStates[i], {kProtocolTcp, row.flags, 0, row.direction}, row.later_tick), row.after[i])
          << "state " << i << " flags " << int{row.flags} << " direction " << static_cast<int>(row.direction)
          << " later " << row.later_tick;
    }
  }
}

TEST(FlowEntry, is_not_established_by_what_one_side_alone_can_send_at_once) {
  FlowState state = half_open;
  for (const u8 flags : {kSyn, kAck, kAck, kSynAck, kAck})
    state = next_state(state, {kProtocolTcp, flags, 0, kClient}, false);
  EXPECT_EQ(state, half_open);
}

TEST(FlowEntry, lives_on_when_data_follows_a_fin_or_rst) {
  for (const FlowState ended : {closing, closed}) {
    EXPECT_EQ(next_state(ended, {kProtocolTcp, kAck, 1, kBackend}, false), established);
    EXPECT_EQ(next_state(ended, {kProtocolTcp, kAck, 1, kClient}, false), half_open) << "to be earned again";
    for (const Direction direction : {kClient, kBackend}) {
      EXPECT_EQ(next_state(ended, {kProtocolTcp, kAck, 0, direction}, false), ended) << "an ACK ends a connection";
    }
    EXPECT_EQ(next_state(ended, {kProtocolTcp, kSyn, 1, kClient}, false), ended) << "a SYN may carry data";
  }
}

TEST(FlowEntry, of_udp_is_a_stream_after_an_answer_or_in_a_second_tick) {
  const auto after = [](FlowState state, Direction direction, bool later_tick) {
    return next_state(state, {kProtocolUdp, 0, 0, direction}, later_tick);
  };
  EXPECT_EQ(after(half_open, kClient, false), half_open);
  EXPECT_EQ(after(half_open, kClient, true), FlowState::udp_stream);
  EXPECT_EQ(after(half_open, kBackend, false), answered);
  EXPECT_EQ(after(answered, kBackend, true), answered) << "the backend alone proves nothing of the client";
  EXPECT_EQ(after(answered, kClient, false), FlowState::udp_stream);
  EXPECT_EQ(after(FlowState::udp_stream, kClient, true), FlowState::udp_stream);
}

TEST(FlowEntry, idles_by_the_difference_of_clocks_that_wrap) {
  EXPECT_EQ(idle_ticks(entry(established, 0), 0), 0U);
  EXPECT_EQ(idle_ticks(entry(established, 10), 17), 7U);
  EXPECT_EQ(idle_ticks(entry(established, 1020), 1024 + 4), 8U);
  EXPECT_EQ(idle_ticks(entry(established, 1), 0xfffffc00U), 1023U - 1023U) << "a tick ahead";
}

TEST(FlowEntry, of_a_clock_slightly_ahead_is_fresh) {
  for (u32 ahead = 1; ahead <= 4; ++ahead) EXPECT_EQ(idle_ticks(entry(half_open, 100 + ahead), 100), 0U) << ahead;
  EXPECT_GT(idle_ticks(entry(half_open, 105), 100), 1000U) << "further ahead is long ago";
}

TEST(FlowEntry, expires_at_its_states_timeout) {
  EXPECT_EQ(is_expired(entry(half_open, 100), 103, kTimeouts), 0U);
  EXPECT_EQ(is_expired(entry(half_open, 100), 104, kTimeouts), 1U);
  EXPECT_EQ(is_expired(entry(established, 100), 549, kTimeouts), 0U);
  EXPECT_EQ(is_expired(entry(established, 100), 550, kTimeouts), 1U);
  EXPECT_EQ(is_expired(entry(established, 1000), 1000 + 449 + 1024, kTimeouts), 0U) << "after a wrap";
}

TEST(FlowEntry, is_given_up_in_the_order_free_expired_affinity_half_open_closing_established) {
  const auto rank = [](u64 value) { return eviction_rank(value, 500, kTimeouts); };
  const u64 expired = entry(established, 40);
  EXPECT_GT(rank(0), rank(expired));
  const u64 client = pack({.tag = kAffinityTag | 77, .age = 500, .state = FlowState::affinity, .backend = 5});
  EXPECT_GT(rank(expired), rank(client));
  EXPECT_GT(rank(client), rank(entry(half_open, 498)));
  EXPECT_GT(rank(entry(half_open, 500)), rank(entry(closing, 495)));
  EXPECT_GT(rank(entry(closing, 500)), rank(entry(established, 100)));
  EXPECT_GT(rank(entry(established, 100)), rank(entry(established, 101)));
  EXPECT_EQ(eviction_class(entry(answered, 500), 500, kTimeouts), EvictionClass::half_open);
  EXPECT_EQ(eviction_class(entry(claimed, 500), 500, kTimeouts), EvictionClass::established);
  EXPECT_EQ(eviction_class(entry(closed, 500), 500, kTimeouts), EvictionClass::closing);
  EXPECT_EQ(class_of_rank(rank(entry(closing, 500))), EvictionClass::closing);
}

TEST(Arithmetic, without_branches_is_the_same_as_with_them) {
  for (u32 bit = 0; bit < 8; ++bit) EXPECT_EQ(bit_position(1U << bit), bit);
  std::mt19937 random(1);
  for (int i = 0; i < 10000; ++i) {
    const u32 a = static_cast<u32>(random()) & (i % 2 == 0 ? 0x7fffffffU : 3U);
    const u32 b = static_cast<u32>(random()) & (i % 2 == 0 ? 0x7fffffffU : 3U);
    EXPECT_EQ(below(a, b), a < b ? 1U : 0U);
    EXPECT_EQ(greater(a, b), std::max(a, b));
    EXPECT_EQ(is_zero(a), a == 0 ? 1U : 0U);
  }
}

}  // namespace
}  // namespace astil::core
