// The flow table: which backend has a connection. Lines of one cache line with 8 entries of 8 bytes; a flow has two
// candidate lines, and the second is used only when the first holds 6 or more. No locks: an entry changes only by an
// 8-byte compare-and-swap, whoever changes it, but for a claimed one, which its claimer alone writes. See
// docs/decisions/0002-flow-table.md.
#pragma once

#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/hash.hpp"

namespace astil::core {

/// A line that holds as many sends new flows to their second candidate.
inline constexpr u32 kCrowded = 6;

/// A place in the table: where a flow stands, or where a new one will.
struct FlowPlace {
  u64* entry = nullptr;  ///< nullptr: none
  u64 value = 0;         ///< as read
  u32 line = 0;
  u32 position = 0;  ///< in the line
};

namespace detail {

/// Searches one line; the first entry with the tag is the flow's. Comparing the whole word, shifted into place once,
/// costs an exclusive or and a comparison an entry.
ASTIL_INLINE bool search_line(FlowLine* line, u32 number, u32 tag, FlowPlace& place) {
  const u64 wanted = u64{tag} << 33U;
#pragma GCC unroll 8
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    const u64 value = shared_load(line->entries[i]);
    if ((value ^ wanted) >> 33U == 0) {
      place = {.entry = &line->entries[i], .value = value, .line = number, .position = i};
      return true;
    }
  }
  return false;
}

/// A bit for each free entry of the line. Without branches: each would be another way for the verifier to follow.
ASTIL_INLINE u32 free_places(const FlowLine& line) {
  u32 mask = 0;
#pragma GCC unroll 8
  for (u32 i = 0; i < kEntriesPerLine; ++i) mask |= is_zero(shared_load(line.entries[i]) >> 20U) << i;
  return mask;
}

ASTIL_INLINE FlowPlace place_at(FlowLine* line, u32 number, u32 position) {
  u64* entry = &line->entries[position & (kEntriesPerLine - 1)];
  return {.entry = entry, .value = shared_load(*entry), .line = number, .position = position};
}

}  // namespace detail

/// Finds the flow by its tag in its two lines.
template <class Engine>
ASTIL_INLINE FlowPlace find_flow(Engine& engine, const FlowHash& hash) {
  FlowPlace place;
  FlowLine* first = engine.flow_line(hash.line);
  if (first == nullptr || detail::search_line(first, hash.line, hash.tag, place)) return place;
  FlowLine* second = engine.flow_line(hash.other_line);
  if (second != nullptr) detail::search_line(second, hash.other_line, hash.tag, place);
  return place;
}

/// What a new flow will need is three cache misses, unless they are begun together.
template <class Engine>
ASTIL_INLINE void expect_new_flow(Engine& engine, const FlowHash& hash) {
  FlowLine* first = engine.flow_line(hash.line);
  FlowLine* second = engine.flow_line(hash.other_line);
  if (first == nullptr || second == nullptr) return;
  engine.prefetch(first->entries[0]);
  engine.prefetch(second->entries[0]);
  engine.prefetch(first->keys[0].client);
}

/// The key beside an entry; nullptr where there is no such line. What it says counts if the entry is not `claimed`.
template <class Engine>
ASTIL_INLINE FlowKey* key_at(Engine& engine, const FlowPlace& place) {
  FlowLine* line = engine.flow_line(place.line);
  return line == nullptr ? nullptr : &line->keys[place.position & (kEntriesPerLine - 1)];
}

/// The entry of two lines to give up for a new flow: a free or expired one in the line that has more of them; where
/// both are full, what has the highest eviction rank in either. Bit 3: in the second line; below it the position.
ASTIL_SUBPROGRAM u32 astil_choose_victim(const FlowLine* first, const FlowLine* second, const Settings* settings,
                                         u32 tick) {
  if (first == nullptr || second == nullptr || settings == nullptr) return 0;
  u32 best[2] = {0, 0};
  u32 room[2] = {0, 0};
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    const u64 values[2] = {shared_load(first->entries[i]), shared_load(second->entries[i])};
    for (u32 side = 0; side < 2; ++side) {
      const u32 rank = eviction_rank(values[side], tick, settings->timeouts);
      best[side] = greater(best[side], (rank << 3U) | i);
      room[side] += 1U - below(rank, static_cast<u32>(EvictionClass::expired) << kAgeBits);
    }
  }
  const bool both_have_room = room[0] != 0 && room[1] != 0;
  const bool second_better = both_have_room ? room[1] > room[0] : (best[1] >> 3U) > (best[0] >> 3U);
  return second_better ? kEntriesPerLine | (best[1] & 7U) : best[0] & 7U;
}

/// Has one of a flow's two lines a free place? Then no other flow has pushed it out.
template <class Engine>
ASTIL_INLINE bool has_room(Engine& engine, const FlowHash& hash) {
  const FlowLine* first = engine.flow_line(hash.line);
  const FlowLine* second = engine.flow_line(hash.other_line);
  return first == nullptr || second == nullptr || (detail::free_places(*first) | detail::free_places(*second)) != 0;
}

/// Chooses the place for a new flow: in the first line while it is not crowded, else in either (astil_choose_victim).
template <class Engine>
ASTIL_INLINE FlowPlace choose_place(Engine& engine, const FlowHash& hash, u32 tick) {
  FlowLine* first = engine.flow_line(hash.line);
  if (first == nullptr) return {};
  const u32 free = detail::free_places(*first);
  // Three free ones or more: taking away the lowest two leaves some.
  const u32 one_less = free & (free - 1);
  if ((one_less & (one_less - 1)) != 0) return detail::place_at(first, hash.line, bit_position(lowest_bit(free)));
  FlowLine* second = engine.flow_line(hash.other_line);
  if (second == nullptr) return {};
  const u32 victim = astil_choose_victim(first, second, engine.settings(), tick);
  const bool in_second = (victim & kEntriesPerLine) != 0;
  return detail::place_at(in_second ? second : first, in_second ? hash.other_line : hash.line, victim & 7U);
}

/// Writes a flow to a place: claims it, writes the key, publishes. False where another changed the entry in between. A
/// claimed entry is its claimer's alone, so that publishing it takes no compare-and-swap.
template <class Engine>
ASTIL_INLINE bool write_flow(Engine& engine, const FlowPlace& place, const FlowEntry& entry, const FlowKey& key) {
  FlowKey* place_of_key = key_at(engine, place);
  if (place_of_key == nullptr || place.entry == nullptr) return false;
  FlowEntry claim = entry;
  claim.state = FlowState::claimed;
  if (!engine.swap(place.entry, place.value, pack(claim))) return false;
  engine.store_key(*place_of_key, key);
  engine.publish(place.entry, pack(entry));
  return true;
}

}  // namespace astil::core
