// Which clients a service lets in: lists of prefixes, the longest of which decides, and a limit of each source's new
// flows. Asked for packets of flows that the flow table does not know; a connection that is known stays.
//
// The limit is the generic cell rate algorithm (ITU-T I.371, virtual scheduling): of each source one time is kept, at
// which its next new flow would be neither early nor late. A bucket has two places, by a keyed hash; where both are
// others', the one whose time is longer past gives way, so a source that is forgotten is let in.
#pragma once

#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/schedule.hpp"

namespace astil::core {

/// The source clock: units of 2^-20 s, and wide enough for a bucket's time.
inline constexpr u32 kSourceClockShift = 8;
inline constexpr u32 kSourceUnitsPerSecond = (1U << (32U - kSourceClockShift)) / kTickSeconds;
inline constexpr u32 kSourceTimeBits = 36;
inline constexpr u64 kSourceTimeMask = (1ULL << kSourceTimeBits) - 1;
/// What a burst may be ahead of its rate.
inline constexpr u32 kLongestBurstSeconds = 3600;
static_assert(u64{kLongestBurstSeconds} * kSourceUnitsPerSecond < 1ULL << 32U);

/// So many rounds find one of 2^kSearchRounds ranges.
inline constexpr u32 kSearchRounds = 20;

namespace detail {

/// An address as two numbers that are in its order.
struct Place {
  u64 high;
  u64 low;
};

ASTIL_INLINE Place place_of(const Address& address) {
  const auto& words = address.words;
  return {.high = (u64{host(words[0])} << 32U) | host(words[1]), .low = (u64{host(words[2])} << 32U) | host(words[3])};
}

/// The bit that a subtraction borrows, without a branch.
constexpr u64 borrow(u64 a, u64 b, u64 difference) { return ((~a & b) | ((~a | b) & difference)) >> 63U; }

/// 1 if a < b, else 0; without a branch, each of which would double the ways through the search.
ASTIL_INLINE u64 is_before(const Place& a, const Place& b) {
  const u64 low = borrow(a.low, b.low, a.low - b.low);
  return borrow(a.high, b.high, a.high - b.high - low);
}

/// The rule of the range that the client is in: the last one that does not begin behind it. 0: there is none.
template <class Engine>
ASTIL_INLINE u32 find_source_rule(Engine& engine, u32 first, u32 ranges, const Address& client) {
  const Place place = place_of(client);
  u32 rule = 0;
  ASTIL_KEEP_LOOP
  for (u32 round = 0; round <= kSearchRounds && ranges != 0; ++round) {
    const u32 half = ranges >> 1U;
    const SourceRange* range = engine.source_range(first + half);
    if (range == nullptr) return rule;
    const u32 behind = static_cast<u32>(is_before(place, {range->first[0], range->first[1]}));
    const u32 keep = behind - 1;  // all ones: the client is in this range, or behind it
    rule ^= (rule ^ range->rule) & keep;
    first += (half + 1) & keep;
    ranges = half - ((1 - (ranges & 1U)) & keep);
  }
  return rule;
}

/// A time of the source clock less another, which it may have passed.
constexpr i64 ahead(u64 time, u64 now) {
  return static_cast<i64>((time - now) << (64U - kSourceTimeBits)) >> (64U - kSourceTimeBits);
}

/// Where a source's bucket may stand, and how it is known there.
struct BucketPlaces {
  u64 tag;  ///< not 0
  u32 first;
  u32 second;
};

ASTIL_INLINE BucketPlaces bucket_places(u64 digest, u32 mask) {
  const u32 first = static_cast<u32>(digest);
  const u64 tag = (digest >> kSourceTimeBits) | 1U;
  return {.tag = tag << kSourceTimeBits,
          .first = first & mask,
          .second = (first ^ (static_cast<u32>(tag) * 0x9e3779b1U)) & mask};
}

/// One more new flow of a source. False: it comes too early.
template <class Engine>
ASTIL_INLINE bool takes_source(Engine& engine, const SourceRules& rules, u64 digest) {
  const BucketPlaces places = bucket_places(digest, engine.settings()->header.sizes.source_buckets - 1);
  SourceBucket* const first = engine.source_bucket(places.first);
  SourceBucket* const second = engine.source_bucket(places.second);
  if (first == nullptr || second == nullptr) return true;
  const u64 now = engine.source_clock() & kSourceTimeMask;
  const u64 in_first = shared_load(first->value);
  const u64 in_second = shared_load(second->value);
  const bool is_first = (in_first & ~kSourceTimeMask) == places.tag;
  const bool is_second = (in_second & ~kSourceTimeMask) == places.tag;
  const bool first_is_older = in_first == 0 || (in_second != 0 && ahead(in_first & kSourceTimeMask, now) <
                                                                      ahead(in_second & kSourceTimeMask, now));
  SourceBucket* const bucket = is_first || (!is_second && first_is_older) ? first : second;
  const u64 before = bucket == first ? in_first : in_second;
  i64 early = is_first || is_second ? ahead(before & kSourceTimeMask, now) : 0;
  // No source can be further ahead: the limit was another one, or the clock has gone round since.
  if (early < 0 || early > i64{rules.tolerance} + rules.interval) early = 0;
  if (early > rules.tolerance) return false;
  const u64 next = (now + static_cast<u64>(early) + rules.interval) & kSourceTimeMask;
  // Where another CPU was quicker, this flow is not counted.
  (void)engine.swap(&bucket->value, before, places.tag | next);
  return true;
}

}  // namespace detail

/// May the client have a new flow, or a packet of one that is not known? Reason::count: it may. `place`: of the
/// service's rules. `opens`: the packet opens a connection.
template <class Engine>
ASTIL_INLINE Reason check_source(Engine& engine, const Opening& opening, u32 place, u32 opens) {
  const Settings* settings = engine.settings();
  const SourceRules* rules = engine.source_rules(place);
  if (rules == nullptr) return Reason::internal;
  const FlowTuple& flow = opening.flow;
  if (rules->ranges != 0) {
    const Sizes& sizes = settings->header.sizes;
    const u32 first = rules->first_range + (place < sizes.services ? 0 : sizes.source_ranges);
    const u32 rule = detail::find_source_rule(engine, first, rules->ranges, flow.client);
    engine.saw_source_rule(flow.client, rule);
    if ((rule & kDenied) != 0) return Reason::source_denied;
  }
  if (opens == 0 || rules->interval == 0) return Reason::count;
  const u32 services = settings->header.sizes.services;
  CpuRow* const row = engine.cpu_row();
  if (row == nullptr) return Reason::internal;
  static_assert(sizeof(FlowTuple) <= sizeof(row->client));
  FlowTuple& source = reinterpret_cast<FlowTuple&>(row->client);
  source.client = first_bits(flow.client, rules->bits);
  source.address = flow.address;
  source.client_port = kAnyPort;
  source.port = Be16{static_cast<u16>(place < services ? place : place - services)};  // stands for the service
  source.protocol = 0;
  const bool takes = detail::takes_source(engine, *rules, flow_digest(source, settings->hash_key));
  engine.saw_source_limit(*rules, source.client, takes);
  return takes ? Reason::count : Reason::source_limited;
}

}  // namespace astil::core
