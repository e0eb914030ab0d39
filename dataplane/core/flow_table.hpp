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

/// The two candidate lines of a flow. The second is looked up when it is needed.
struct FlowLines {
  FlowLine* first = nullptr;
  FlowLine* second = nullptr;
};

/// A place in the table: where a flow stands, or where a new one will.
struct FlowPlace {
  FlowLine* line = nullptr;  ///< nullptr: none
  u32 position = 0;          ///< in the line
  u64 value = 0;             ///< of the entry, as read
  u32 number = 0;            ///< of the line
};

ASTIL_INLINE u64* entry_at(const FlowPlace& place) {
  return &place.line->entries[place.position & (kEntriesPerLine - 1)];
}

/// The key beside an entry. What it says counts if the entry is not `claimed`.
ASTIL_INLINE FlowKey* key_at(const FlowPlace& place) {
  return &place.line->keys[place.position & (kEntriesPerLine - 1)];
}

/// The address of an IPv6 client beside an entry; nullptr: this table has none.
template <class Engine>
ASTIL_INLINE Address* client_at(Engine& engine, const FlowPlace& place) {
  ClientLine* line = engine.client_line(place.number);
  return line == nullptr ? nullptr : &line->clients[place.position & (kEntriesPerLine - 1)];
}

constexpr FlowKey key_of(const FlowTuple& flow) {
  return {.client = flow.client.words[3], .client_port = flow.client_port, .service_port = flow.port};
}

/// Is it this connection's place, and not that of another one with the same tag?
template <class Engine>
ASTIL_INLINE bool is_of(Engine& engine, const FlowPlace& place, const FlowTuple& flow) {
  if (!(*key_at(place) == key_of(flow))) return false;
  if (is_ipv4(flow.client)) return true;
  const Address* client = client_at(engine, place);
  return client != nullptr && *client == flow.client;
}

namespace detail {

ASTIL_INLINE FlowPlace place_at(FlowLine* line, u32 number, u32 position) {
  FlowPlace place{.line = line, .position = position, .number = number};
  place.value = shared_load(*entry_at(place));
  return place;
}

/// The position of a line that a tag is put at, if it is free. There a flow is mostly found at once; were it anywhere,
/// the processor would guess its position wrong more often than not, and begin the next packet's work only when this
/// one's line has come from memory.
constexpr u32 own_position(u32 tag) { return tag & (kEntriesPerLine - 1); }

/// Is it the tag of an entry? By the half of it that the tag stands in, above the highest bit of the age: of what
/// probably has other tags, no more need be read.
ASTIL_INLINE bool has_tag(const u64& entry, u32 tag) {
  static_assert(std::endian::native == std::endian::little);
  return shared_load(reinterpret_cast<const u32*>(&entry)[1]) - (tag << 1U) <= 1U;
}

/// Is the tag in the line?
ASTIL_INLINE bool has_tag(const FlowLine& line, u32 tag) {
#pragma GCC unroll 8
  for (const u64& entry : line.entries)
    if (has_tag(entry, tag)) return true;
  return false;
}

/// Searches one line.
ASTIL_INLINE FlowPlace search_line(FlowLine* line, u32 number, u32 tag) {
#pragma GCC unroll 8
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    if (!has_tag(line->entries[i], tag)) continue;
    const u64 value = shared_load(line->entries[i]);
    // Or it was given up in between, and is another's.
    if (value >> 33U == tag) return {.line = line, .position = i, .value = value, .number = number};
  }
  return {};
}

/// Likewise the line that the tag is mostly in: at its own position first.
ASTIL_INLINE FlowPlace search_first_line(FlowLine* line, u32 number, u32 tag) {
  const FlowPlace own = place_at(line, number, own_position(tag));
  return own.value >> 33U == tag ? own : search_line(line, number, tag);
}

/// A bit for each free entry of the line. Without branches: each would be another way for the verifier to follow.
ASTIL_INLINE u32 free_places(const FlowLine& line) {
  u32 mask = 0;
#pragma GCC unroll 8
  for (u32 i = 0; i < kEntriesPerLine; ++i) mask |= is_zero(shared_load(line.entries[i]) >> 20U) << i;
  return mask;
}

}  // namespace detail

/// Both of the flow's lines.
template <class Engine>
ASTIL_INLINE FlowLines both_lines(Engine& engine, const FlowHash& hash) {
  return {.first = engine.flow_line(hash.line), .second = engine.flow_line(hash.other_line)};
}

/// The flow's lines. `opens`: it is probably a new one, which will need three cache lines; their loading is begun at
/// once.
template <class Engine>
ASTIL_INLINE FlowLines flow_lines(Engine& engine, const FlowHash& hash, bool opens) {
  FlowLines lines{.first = engine.flow_line(hash.line)};
  if (!opens) return lines;
  lines.second = engine.flow_line(hash.other_line);
  if (lines.first == nullptr || lines.second == nullptr) return lines;
  engine.prefetch(lines.first->entries[0]);
  engine.prefetch(lines.second->entries[0]);
  engine.prefetch(lines.first->keys[0].client);
  return lines;
}

/// Finds the flow, or the affinity entry, by its tag in its two lines: at its own position in the first, then in the
/// first, then in the second. Where two entries have the tag, that order says which is the flow's, to everyone.
template <class Engine>
ASTIL_INLINE FlowPlace find_flow(Engine& engine, const FlowHash& hash, FlowLines& lines) {
  if (lines.first == nullptr) return {};
  const FlowPlace place = detail::search_first_line(lines.first, hash.line, hash.tag);
  if (place.line != nullptr) return place;
  // It is FlowHash::other_line, worked out here, and not before the first line has been searched in vain.
  const u32 second = lines.second != nullptr
                         ? hash.other_line
                         : other_line(hash.line, made_here(hash.tag), engine.settings()->header.sizes.flow_lines - 1);
  if (lines.second == nullptr) lines.second = engine.flow_line(second);
  return lines.second == nullptr ? FlowPlace{} : detail::search_line(lines.second, second, hash.tag);
}

/// Where a tag stands in two lines: bit 3: in the second; below it the position. kNowhere: it does not.
inline constexpr u32 kNowhere = 2 * kEntriesPerLine;

ASTIL_SUBPROGRAM u32 astil_search_lines(const FlowLine* first, const FlowLine* second, u32 tag) {
  if (first == nullptr || second == nullptr) return kNowhere;
  const u32 own = detail::own_position(tag);
  if (shared_load(first->entries[own]) >> 33U == tag) return own;
  u32 in_second = kNowhere;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    if (shared_load(first->entries[i]) >> 33U == tag) return i;
    if (in_second == kNowhere && shared_load(second->entries[i]) >> 33U == tag) in_second = kEntriesPerLine | i;
  }
  return in_second;
}

/// As `find_flow`, for where it is not the quick way to a known flow that counts, but the verifier's work: it follows
/// one way on from here, instead of one for each place. `lines`: both.
ASTIL_INLINE FlowPlace find_calmly(const FlowHash& hash, const FlowLines& lines) {
  const u32 found = astil_search_lines(lines.first, lines.second, hash.tag);
  if (found >= kNowhere || lines.first == nullptr || lines.second == nullptr) return {};
  const bool second = (found & kEntriesPerLine) != 0;
  return detail::place_at(second ? lines.second : lines.first, second ? hash.other_line : hash.line, found & 7U);
}

/// Which entries may be given up: in one number, for the kernel's sake.
struct Choice {
  u8 positions = 0xff;  ///< a bit for each position in a line that is to be looked at
  u8 own = 0;           ///< the position that is taken before others that are free or expired
  u8 ports = 0;         ///< not 0: they are ports of full NAT, which time out by Settings::port_timeouts
  u8 reserved = 0;
};

/// The entry of two lines to give up for a new flow: a free or expired one in the line that has more of them; where
/// both are full, what has the highest eviction rank in either. Of live ones that are worth the same always the one at
/// the highest position, so that a flood pushes itself out there, and not those that came before it. Bit 3: in the
/// second line; below it the position. `choice`: a Choice as one number.
ASTIL_SUBPROGRAM u32 astil_choose_victim(const FlowLine* first, const FlowLine* second, const Settings* settings,
                                         u32 tick, u32 choice) {
  constexpr u32 kGone = static_cast<u32>(EvictionClass::expired) << kAgeBits;
  if (first == nullptr || second == nullptr || settings == nullptr) return 0;
  const auto [positions, own, ports, reserved] = std::bit_cast<Choice>(choice);
  const auto& timeouts = ports != 0 ? settings->port_timeouts : settings->timeouts;
  const u32 turned = ~u32{own} & (kEntriesPerLine - 1);  // makes the own position the highest
  u32 best[2] = {0, 0};
  u32 room[2] = {0, 0};
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    const u64 values[2] = {shared_load(first->entries[i]), shared_load(second->entries[i])};
    const u32 mask = 0U - ((u32{positions} >> i) & 1U);
    for (u32 side = 0; side < 2; ++side) {
      const u32 rank = eviction_rank(values[side], tick, timeouts) & mask;
      const u32 lives = below_by_data(rank, kGone);
      best[side] = greater_by_data(best[side], (rank << 3U) | (i ^ (turned & (lives - 1U))));
      room[side] += 1U - lives;
    }
  }
  const bool both_have_room = room[0] != 0 && room[1] != 0;
  const bool second_better = both_have_room ? room[1] > room[0] : (best[1] >> 3U) > (best[0] >> 3U);
  const u32 chosen = second_better ? best[1] : best[0];
  const u32 position = (chosen ^ (turned & (below_by_data(chosen >> 3U, kGone) - 1U))) & (kEntriesPerLine - 1);
  return second_better ? kEntriesPerLine | position : position;
}

/// Has one of a flow's two lines a free place? Then no other flow has pushed it out. After `find_flow`.
ASTIL_INLINE bool has_room(const FlowLines& lines) {
  if (lines.first == nullptr || lines.second == nullptr) return true;
  return (detail::free_places(*lines.first) | detail::free_places(*lines.second)) != 0;
}

/// Chooses the place for a new flow: in the first line while it is not crowded, at the tag's own position if that is
/// free; else in either (astil_choose_victim).
/// After `find_flow`, which has looked in both.
template <class Engine>
ASTIL_INLINE FlowPlace choose_place(Engine& engine, const FlowLines& lines, const FlowHash& hash, u32 tick) {
  if (lines.first == nullptr) return {};
  const u32 free = detail::free_places(*lines.first);
  const u32 own = detail::own_position(hash.tag);
  // Three free ones or more: taking away the lowest two leaves some.
  const u32 one_less = free & (free - 1);
  if ((one_less & (one_less - 1)) != 0) {
    const u32 own_is_free = 0U - ((free >> own) & 1U);
    const u32 other = bit_position(lowest_bit(free));
    return detail::place_at(lines.first, hash.line, other ^ ((other ^ own) & own_is_free));
  }
  if (lines.second == nullptr) return {};
  const Choice choice{.own = static_cast<u8>(own)};
  const u32 victim =
      astil_choose_victim(lines.first, lines.second, engine.settings(), tick, std::bit_cast<u32>(choice));
  if ((victim & kEntriesPerLine) != 0) return detail::place_at(lines.second, hash.other_line, victim & 7U);
  return detail::place_at(lines.first, hash.line, victim & 7U);
}

/// Counts what a change of an entry makes of its backends' active flows.
template <class Engine>
ASTIL_INLINE void count_change(Engine& engine, u64 before, u64 after) {
  const u32 was = is_active(before);
  const u32 is = is_active(after);
  if (was == is && backend_of(before) == backend_of(after)) return;
  if (was != 0) engine.count_closed(backend_of(before));
  if (is != 0) engine.count_opened(backend_of(after));
}

/// Changes an entry that still has the value that was read. False: it had another one.
template <class Engine>
ASTIL_INLINE bool change_entry(Engine& engine, u64* entry, u64 before, u64 after) {
  if (!engine.swap(entry, before, after)) return false;
  count_change(engine, before, after);
  return true;
}

/// Writes a flow to a place: claims it, writes who it is, publishes. False where another changed the entry in between,
/// or has it claimed (but for a claimer that never came back), or the table has no room for IPv6 clients. A claimed
/// entry is its claimer's alone, so that publishing it takes no compare-and-swap; it is of now, whatever the flow's
/// age, or it might be given up as expired.
template <class Engine>
ASTIL_INLINE bool write_flow(Engine& engine, const FlowPlace& place, const FlowEntry& entry, const FlowTuple& flow) {
  if (place.line == nullptr) return false;
  if (is_claimed(state_of(place.value)) && is_expired(place.value, engine.tick(), engine.settings()->timeouts) == 0)
    return false;
  Address* client = nullptr;
  if (!is_ipv4(flow.client)) {
    client = client_at(engine, place);
    if (client == nullptr) return false;
  }
  FlowEntry claim = entry;
  claim.state = FlowState::claimed;
  claim.age = engine.tick();
  u64* target = entry_at(place);
  if (!change_entry(engine, target, place.value, pack(claim))) return false;
  engine.store_key(*key_at(place), key_of(flow));
  if (client != nullptr) engine.store_client(*client, flow.client);
  engine.publish(target, pack(entry));
  count_change(engine, pack(claim), pack(entry));
  return true;
}

}  // namespace astil::core
