// The flow table: where a flow is written, where it is found, and what a table that fills up gives up.
#include "dataplane/core/flow_table.hpp"

#include <gtest/gtest.h>

#include <iostream>

#include "dataplane/census.hpp"
#include "dataplane/native/native_dataplane.hpp"

namespace astil::core {
namespace {

constexpr u32 kBackends = 4;

Sizes sizes_for(u32 flow_lines) {
  return {.cpus = 1,
          .flow_lines = flow_lines,
          .services = 1,
          .backends = kBackends,
          .ring_lines = 2,
          .member_lines = 2,
          .index_lines = 2};
}

/// A flow table and the packet path's functions on it.
class Table {
 public:
  explicit Table(u32 lines) : native_(sizes_for(lines)), engine_(native_.tables(), frame_, around_) {}

  [[nodiscard]] FlowHash hash_of(u32 flow) const {
    const FlowTuple tuple{mapped(be32(0x0a000000U + flow)), mapped(be32(0xc6336401U)), be16(40000), be16(80), 6};
    return flow_hash(tuple, tables().settings().hash_key, tables().sizes.flow_lines - 1);
  }

  /// Writes a flow where the packet path would. Returns the class of what it displaced.
  EvictionClass insert(const FlowHash& hash, FlowState state) {
    const FlowPlace place = choose_place(engine_, both_lines(hash), hash, around_.tick);
    const EvictionClass displaced = eviction_class(place.value, around_.tick, tables().settings().timeouts);
    const FlowEntry entry{
        .tag = hash.tag, .age = around_.tick & kAgeMask, .state = state, .backend = hash.tag % kBackends};
    EXPECT_TRUE(write_flow(engine_, place, entry, {.client = mapped(be32(hash.tag))}));
    return displaced;
  }
  [[nodiscard]] FlowPlace find(const FlowHash& hash) {
    FlowLines lines = flow_lines(engine_, hash, false);
    return find_flow(engine_, hash, lines);
  }
  [[nodiscard]] FlowLines both_lines(const FlowHash& hash) { return flow_lines(engine_, hash, true); }
  [[nodiscard]] u32 held(u32 line) const {
    u32 count = 0;
    for (const u64 entry : tables().flows()[line].entries) count += entry == 0 ? 0 : 1;
    return count;
  }

  [[nodiscard]] const dataplane::Tables& tables() const { return native_.tables(); }
  native::NativeEngine<>& engine() { return engine_; }
  void set_tick(u32 tick) { around_.tick = tick; }

 private:
  native::NativeDataplane native_;
  native::Frame frame_{{}};
  native::Surroundings around_{.tick = 100};
  native::NativeEngine<> engine_;
};

FlowHash hash_with(u32 tag, u32 line, u32 other_line) {
  return {.tag = tag, .line = line, .other_line = other_line, .ring = 0};
}

TEST(FlowTable, uses_the_second_line_only_when_the_first_holds_six) {
  Table table(4);
  for (u32 i = 1; i <= 6; ++i) table.insert(hash_with(i, 0, 1), FlowState::established);
  EXPECT_EQ(table.held(0), 6U);
  EXPECT_EQ(table.held(1), 0U);
  table.insert(hash_with(7, 0, 1), FlowState::established);
  EXPECT_EQ(table.held(0), 6U);
  EXPECT_EQ(table.held(1), 1U);
}

TEST(FlowTable, of_two_crowded_lines_takes_the_one_with_more_room) {
  Table table(4);
  for (u32 i = 1; i <= 6; ++i) table.insert(hash_with(i, 0, 1), FlowState::established);
  for (u32 i = 11; i <= 15; ++i) table.insert(hash_with(i, 1, 2), FlowState::established);
  table.insert(hash_with(16, 1, 2), FlowState::established);
  table.insert(hash_with(17, 1, 0), FlowState::established);
  EXPECT_EQ(table.held(0) + table.held(1), 13U);
  for (u32 i = 18; i <= 20; ++i) table.insert(hash_with(i, 1, 0), FlowState::established);
  EXPECT_EQ(table.held(0), 8U);
  EXPECT_EQ(table.held(1), 8U);
}

TEST(FlowTable, finds_flows_in_either_line) {
  constexpr u32 kLines = 2;  // so that all flows have the same two
  Table table(kLines);
  for (u32 i = 1; i <= 16; ++i) table.insert(hash_with(i, 0, other_line(0, i, kLines - 1)), FlowState::established);
  for (u32 i = 1; i <= 16; ++i) {
    const FlowPlace place = table.find(hash_with(i, 0, other_line(0, i, kLines - 1)));
    ASSERT_NE(place.line, nullptr) << i;
    EXPECT_EQ(tag_of(place.value), i);
    EXPECT_EQ(key_at(place)->client, be32(i));
  }
  EXPECT_EQ(table.find(hash_with(17, 0, 1)).line, nullptr);
}

TEST(FlowTable, of_two_entries_with_a_tag_names_the_same_one_by_every_search) {
  constexpr u32 kTag = 5;
  const FlowHash hash = hash_with(kTag, 0, 1);
  const auto found_at = [&](const std::vector<std::pair<u32, u32>>& places) {
    Table table(2);
    for (const auto& [line, position] : places)
      table.tables().flows()[line].entries[position] = pack({.tag = kTag, .state = FlowState::established});
    const FlowPlace quickly = table.find(hash);
    const FlowPlace calmly = find_calmly(hash, table.both_lines(hash));
    EXPECT_EQ(std::pair(quickly.number, quickly.position), std::pair(calmly.number, calmly.position));
    return std::pair(quickly.number, quickly.position);
  };
  EXPECT_EQ(found_at({{0, 2}, {0, 5}}), std::pair(0U, 5U)) << "its own position first";
  EXPECT_EQ(found_at({{0, 7}, {0, 2}}), std::pair(0U, 2U));
  EXPECT_EQ(found_at({{0, 7}, {1, 0}}), std::pair(0U, 7U)) << "the first line before the second";
  EXPECT_EQ(found_at({{1, 5}, {1, 3}}), std::pair(1U, 3U));
}

TEST(FlowTable, of_full_lines_gives_up_what_is_worth_least) {
  Table table(2);
  for (u32 i = 1; i <= 13; ++i) table.insert(hash_with(i, 0, 1), FlowState::established);
  table.set_tick(101);
  table.insert(hash_with(14, 0, 1), FlowState::closing);
  table.insert(hash_with(15, 0, 1), FlowState::half_open);
  table.insert(hash_with(16, 0, 1), FlowState::closing);
  EXPECT_EQ(table.insert(hash_with(21, 0, 1), FlowState::established), EvictionClass::half_open);
  EXPECT_EQ(table.insert(hash_with(22, 0, 1), FlowState::established), EvictionClass::closing);
  EXPECT_EQ(table.insert(hash_with(23, 0, 1), FlowState::established), EvictionClass::closing);
  EXPECT_EQ(table.insert(hash_with(24, 0, 1), FlowState::established), EvictionClass::established);
  EXPECT_EQ(table.find(hash_with(15, 0, 1)).line, nullptr);
  for (u32 i = 21; i <= 24; ++i) EXPECT_NE(table.find(hash_with(i, 0, 1)).line, nullptr) << "the younger ones stay";
}

TEST(FlowTable, takes_an_expired_place_before_any_live_one) {
  Table table(2);
  table.insert(hash_with(1, 0, 1), FlowState::half_open);
  table.set_tick(110);
  for (u32 i = 2; i <= 17; ++i) {
    EXPECT_GE(table.insert(hash_with(i, 0, 1), FlowState::half_open), EvictionClass::expired) << i;
  }
  EXPECT_EQ(table.find(hash_with(1, 0, 1)).line, nullptr);
  for (u32 i = 2; i <= 17; ++i) EXPECT_NE(table.find(hash_with(i, 0, 1)).line, nullptr) << i;
}

TEST(FlowTable, written_by_another_in_between_is_left_to_that_one) {
  Table table(2);
  const FlowHash hash = hash_with(1, 0, 1);
  const FlowPlace place = choose_place(table.engine(), table.both_lines(hash), hash, 100);
  const FlowHash other = hash_with(1 + kEntriesPerLine, 0, 1);  // whose own position is the same
  table.insert(other, FlowState::established);
  EXPECT_FALSE(
      write_flow(table.engine(), place, {.tag = 1, .age = 0, .state = FlowState::half_open, .backend = 0}, {}));
  EXPECT_NE(table.find(other).line, nullptr);
}

TEST(FlowTable, has_a_flow_at_its_tags_own_position_if_that_is_free_and_elsewhere_if_not) {
  Table table(2);
  for (u32 tag = 3; tag < 3 + 4 * kEntriesPerLine; tag += kEntriesPerLine) {
    table.insert(hash_with(tag, 0, 1), FlowState::established);
    EXPECT_EQ(table.find(hash_with(tag, 0, 1)).position == 3, tag == 3) << tag;
  }
  table.insert(hash_with(6, 0, 1), FlowState::established);
  EXPECT_EQ(table.find(hash_with(6, 0, 1)).position, 6U);
  for (u32 tag = 3; tag < 3 + 4 * kEntriesPerLine; tag += kEntriesPerLine)
    EXPECT_EQ(tag_of(table.find(hash_with(tag, 0, 1)).value), tag);
}

TEST(FlowTable, has_a_flow_at_its_tags_own_position_in_a_crowded_line_too) {
  Table table(2);
  for (u32 tag = 8; tag < 8 + 6; ++tag) table.insert(hash_with(tag, 0, 1), FlowState::established);
  table.insert(hash_with(7, 0, 1), FlowState::established);
  const FlowPlace place = table.find(hash_with(7, 0, 1));
  EXPECT_EQ(place.number, 1U);
  EXPECT_EQ(place.position, 7U);
}

TEST(FlowTable, is_searched_by_the_tag_alone_whatever_the_age) {
  Table table(2);
  for (const u32 tick : {0U, 511U, 512U, 1023U}) {
    const u32 tag = 0x3fffffffU - 10 * tick;
    table.set_tick(tick);
    table.insert(hash_with(tag, 0, 1), FlowState::established);
    EXPECT_EQ(tag_of(table.find(hash_with(tag, 0, 1)).value), tag);
    EXPECT_TRUE(detail::has_tag(table.tables().flows()[0], tag));
    EXPECT_FALSE(detail::has_tag(table.tables().flows()[0], tag - 1));
    EXPECT_FALSE(detail::has_tag(table.tables().flows()[0], tag + 1));
  }
}

/// Looks at the entry that is claimed, at the moment when its key is written.
class ClaimWatcher : public native::NativeEngine<> {
 public:
  using NativeEngine::NativeEngine;
  void store_key(FlowKey& place, const FlowKey& key) {
    place = key;
    seen = entry_of_first_line();
  }
  u64 seen = 0;

 private:
  u64 entry_of_first_line() { return shared_load(flow_line(0)->entries[0]); }
};

TEST(FlowTable, claimed_for_a_flow_of_long_ago_is_not_given_up_as_expired) {
  Table table(2);
  native::Frame frame({});
  native::Surroundings around;
  around.tick = 500;
  ClaimWatcher engine(table.tables(), frame, around);
  const FlowEntry old{.tag = 1, .age = 100, .state = FlowState::established, .backend = 0};
  ASSERT_TRUE(write_flow(engine, {.line = &table.tables().flows()[0], .position = 0, .value = 0}, old, {}));
  ASSERT_EQ(state_of(engine.seen), FlowState::claimed);
  EXPECT_EQ(is_expired(engine.seen, 500, table.tables().settings().timeouts), 0U);
  EXPECT_EQ(age_of(table.tables().flows()[0].entries[0]), 100U) << "the flow keeps its own age";
}

TEST(FlowTable, claimed_by_another_is_given_up_only_where_the_claimer_never_came_back) {
  Table table(2);
  native::Frame frame({});
  native::Surroundings around;
  around.tick = 500;
  native::NativeEngine<> engine(table.tables(), frame, around);
  u64& entry = table.tables().flows()[0].entries[0];
  entry = pack({.tag = 2, .age = 500, .state = FlowState::claimed, .backend = 1});
  const FlowPlace place{.line = &table.tables().flows()[0], .position = 0, .value = entry};
  const FlowEntry flow{.tag = 1, .age = 500, .state = FlowState::half_open, .backend = 0};
  EXPECT_FALSE(write_flow(engine, place, flow, {}));
  EXPECT_EQ(entry, place.value);
  around.tick = 503;
  native::NativeEngine<> later(table.tables(), frame, around);
  EXPECT_TRUE(write_flow(later, place, flow, {}));
  EXPECT_EQ(entry, pack(flow));
}

/// Flows until `share` of the slots are established ones.
u32 fill(Table& table, double share) {
  const auto flows = static_cast<u32>(share * table.tables().sizes.flow_lines * kEntriesPerLine);
  for (u32 flow = 0; flow < flows; ++flow) table.insert(table.hash_of(flow), FlowState::established);
  return flows;
}

u32 still_there(Table& table, u32 flows) {
  u32 found = 0;
  for (u32 flow = 0; flow < flows; ++flow) found += table.find(table.hash_of(flow)).line != nullptr ? 1 : 0;
  return found;
}

TEST(FlowTable, half_full_of_established_flows_has_displaced_none) {
  Table table(1U << 17U);  // a million slots
  const u32 flows = fill(table, 0.5);
  EXPECT_EQ(still_there(table, flows), flows);
  EXPECT_EQ(dataplane::take_census(table.tables(), 100).used, flows);
}

TEST(FlowTable, half_full_has_most_flows_at_their_own_positions) {
  Table table(1U << 13U);
  const u32 flows = fill(table, 0.5);
  u32 own = 0;
  for (u32 flow = 0; flow < flows; ++flow) {
    const FlowHash hash = table.hash_of(flow);
    own += table.find(hash).position == detail::own_position(hash.tag) ? 1 : 0;
  }
  std::cout << "at their own positions: " << own << " of " << flows << ", " << 100.0 * own / flows << " %\n";
  EXPECT_GT(own, flows / 4 * 3);
}

TEST(FlowTable, three_quarters_full_has_displaced_less_than_two_in_a_thousand) {
  Table table(1U << 13U);
  const u32 flows = fill(table, 0.75);
  const u32 displaced = flows - still_there(table, flows);
  std::cout << "displaced: " << displaced << " of " << flows << ", " << 100.0 * displaced / flows << " %\n";
  EXPECT_LT(displaced, flows / 500);
}

TEST(FlowTable, a_syn_flood_leaves_most_half_open_flows_that_came_before_it) {
  constexpr u32 kEarly = 200;
  Table table(128);
  for (u32 flow = 0; flow < kEarly; ++flow) table.insert(table.hash_of(flow), FlowState::half_open);
  for (u32 flow = kEarly; flow < 10'000; ++flow) table.insert(table.hash_of(flow), FlowState::half_open);
  EXPECT_GT(still_there(table, kEarly), kEarly * 3 / 4);
}

TEST(FlowTable, a_syn_flood_leaves_established_flows_in_place) {
  Table table(1U << 12U);
  const u32 slots = table.tables().sizes.flow_lines * kEntriesPerLine;
  const u32 flows = fill(table, 0.5);
  for (u32 syn = 0; syn < 10 * slots; ++syn) {
    ASSERT_NE(table.insert(table.hash_of(flows + syn), FlowState::half_open), EvictionClass::established);
  }
  EXPECT_EQ(still_there(table, flows), flows);
}

TEST(FlowTable, a_flood_of_answered_syns_leaves_established_flows_in_place) {
  Table table(1U << 10U);
  const u32 flows = fill(table, 0.5);
  for (u32 syn = 0; syn < 100'000; ++syn) table.insert(table.hash_of(flows + syn), FlowState::answered);
  EXPECT_EQ(still_there(table, flows), flows);
}

}  // namespace
}  // namespace astil::core
