// Fragments: the first one of a datagram has the ports and goes the way of any packet; where it went is noted, and the
// later ones follow. One that comes before the first is for the control plane to hold, since the hooks can not.
#pragma once

#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/service.hpp"

namespace astil::core {

/// Under full NAT, the port of a datagram's connection is noted in the place of its state and backend, and marked so.
inline constexpr u32 kPortMark = 1U << 31U;
/// The mark in an entry; no datagram's hash has it.
inline constexpr u32 kPortTag = kAffinityTag;
constexpr u32 port_in_fragment(u64 entry) {
  return backend_of(entry) | (static_cast<u32>(state_of_flow(entry)) << kBackendBits);
}

/// Where a datagram's fragments go.
struct FragmentPlace {
  u64 entry = 0;  ///< 0: not known
};

namespace detail {

/// A datagram by what all its fragments have (RFC 791, section 3.2; RFC 8200, section 4.5), in the place of a flow: the
/// identification stands where ports would. What follows IPv6's fragment header is not the same in all of them.
template <class Ip>
ASTIL_INLINE FlowTuple datagram_of(const Packet<Ip>& packet, const Transport& transport) {
  return {.client = source_of(packet),
          .address = destination_of(packet),
          .client_port = Be16{static_cast<u16>(transport.identification >> 16U)},
          .port = Be16{static_cast<u16>(transport.identification)},
          .protocol = Ip::kIsWide ? kHeaderFragment : transport.protocol};
}

/// Entries age in half seconds. The fragments of a datagram come together; its identification, of 16 bits with IPv4,
/// comes again within seconds where much is fragmented (RFC 4963), and then is of another datagram.
inline constexpr u32 kUnitsPerAge = kUnitsPerSecond / 2;
inline constexpr u32 kFragmentAge = 4;

template <class Engine>
ASTIL_INLINE u32 fragment_clock(Engine& engine) {
  return engine.fine_tick() / kUnitsPerAge;
}

ASTIL_INLINE bool is_fresh(u64 entry, u32 now) { return entry != 0 && idle_ticks(entry, now) <= kFragmentAge; }

}  // namespace detail

/// The fresh entry of a line with a hash's tag; 0: there is none. `now`: of the fragments' clock.
ASTIL_SUBPROGRAM u64 astil_search_fragments(const FragmentLine* line, u32 tag, u32 now) {
  if (line == nullptr) return 0;
  u64 found = 0;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    const u64 entry = shared_load(line->entries[i]);
    if ((tag_of(entry) & ~kPortTag) == tag && detail::is_fresh(entry, now)) found = entry;
  }
  return found;
}

/// The position for an entry with a tag: that of what had the same one, else of something old, else `otherwise`.
ASTIL_SUBPROGRAM u32 astil_choose_fragment(const FragmentLine* line, u32 tag, u32 now, u32 otherwise) {
  if (line == nullptr) return 0;
  u32 same = kEntriesPerLine;
  u32 old = kEntriesPerLine;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    const u64 entry = shared_load(line->entries[i]);
    if ((tag_of(entry) & ~kPortTag) == tag) same = i;
    if (!detail::is_fresh(entry, now)) old = i;
  }
  if (same < kEntriesPerLine) return same;
  return (old < kEntriesPerLine ? old : otherwise) & (kEntriesPerLine - 1);
}

/// Where the datagram with this hash goes. The hash is flow_hash over `datagram_of` with kFragmentLines - 1.
template <class Engine>
ASTIL_INLINE FragmentPlace find_fragment(Engine& engine, const FlowHash& hash) {
  return {.entry = astil_search_fragments(engine.fragment_line(hash.line), hash.tag, detail::fragment_clock(engine))};
}

/// Notes where a datagram goes. `to`: a backend's number, kNobody, or the place of a port and kPortMark.
template <class Engine>
ASTIL_INLINE void note_fragment(Engine& engine, const FlowHash& hash, u32 to) {
  FragmentLine* line = engine.fragment_line(hash.line);
  if (line == nullptr) return;
  const u32 now = detail::fragment_clock(engine);
  const u32 position = astil_choose_fragment(line, hash.tag, now, hash.ring) & (kEntriesPerLine - 1);
  const FlowEntry entry{.tag = hash.tag | ((to & kPortMark) != 0 ? kPortTag : 0U),
                        .age = now & kAgeMask,
                        .state = static_cast<FlowState>((to >> kBackendBits) & 7U),
                        .backend = to & ((1U << kBackendBits) - 1)};
  engine.publish(&line->entries[position], pack(entry));
}

namespace detail {

/// Is the datagram to a service, or from a backend under nat or full NAT?
template <class Ip, class Engine>
ASTIL_INLINE bool is_of_service(Engine& engine, const Packet<Ip>& packet) {
  const GenerationNumber generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return false;
  return find_service_address(engine, destination_of(packet), generation) != nullptr ||
         is_replier_address(engine, source_of(packet), generation) ||
         port_source_at(engine, destination_of(packet), generation) != kNoSource;
}

}  // namespace detail

/// Notes where the datagram goes whose first fragment this is, as `note_fragment`.
template <class Ip, class Engine>
ASTIL_INLINE void note_first_fragment(Engine& engine, u32 to) {
  Packet<Ip> packet{};
  detail::Transport transport{};
  if (!detail::parse_network(engine, packet, transport)) return;
  if (to == kNobody && !detail::is_of_service(engine, packet)) return;  // strangers' are not looked for
  FlowTuple local;
  FlowTuple* place_for = &local;
  if constexpr (Ip::kIsWide) place_for = scratch_for<FlowTuple>(engine);
  if (place_for == nullptr) return;
  FlowTuple& datagram = *place_for;
  datagram = detail::datagram_of(packet, transport);
  if constexpr (Ip::kIsWide) keep_in_memory(datagram);
  note_fragment(engine, flow_hash(datagram, engine.settings()->hash_key, kFragmentLines - 1), to);
}

}  // namespace astil::core
