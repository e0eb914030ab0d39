// One entry of the flow table: 8 bytes that change only as a whole, by compare-and-swap. What it says, how it ages and
// which transitions its state makes. Pure functions, the same in the packet path, the census and the tools.
#pragma once

#include "dataplane/core/headers.hpp"
#include "dataplane/core/layout.hpp"

namespace astil::core {

enum class FlowState : u8 {
  free = 0,
  claimed,      ///< a packet path has taken the place and is writing the key
  half_open,    ///< packets of the client seen, so far in one age tick only
  answered,     ///< half-open, and the backend's SYN-ACK was seen, of UDP any reply (nat)
  established,  ///< earned: client packets in two age ticks, or an answer and one more of the client's
  closing,      ///< a FIN was seen
  closed,       ///< a RST was seen
  udp_stream,   ///< what `established` is of TCP, earned likewise
  // Of affinity entries, which are no flows: their tag's highest bit is the highest of the state.
  affinity,          ///< where new flows of a client go
  affinity_claimed,  ///< `claimed` of one
};

/// Not a flow, but what is known of a client.
constexpr bool is_of_affinity(FlowState state) { return state >= FlowState::affinity; }
constexpr bool is_claimed(FlowState state) {
  return state == FlowState::claimed || state == FlowState::affinity_claimed;
}

inline constexpr u32 kAgeBits = 10;
inline constexpr u32 kAgeMask = (1U << kAgeBits) - 1;
inline constexpr u32 kTickSeconds = 16;
/// Jiffies times Settings::tick_multiplier, shifted down by 32, are ticks; by this, they are units of kUnitsPerSecond.
inline constexpr u32 kFineShift = 22;
static_assert(1U << (32U - kFineShift) == kTickSeconds * kUnitsPerSecond);
/// Half of what an age can tell apart: a longer timeout could not be told from a fresh flow.
inline constexpr u32 kMaxTimeout = 1U << (kAgeBits - 1);

/// The entry, taken apart.
struct FlowEntry {
  u32 tag = 0;  ///< 31 bits, not 0: of the flow's hash 30, and kAffinityTag
  u32 age = 0;  ///< the tick of the last packet, modulo 2^10
  FlowState state = FlowState::free;
  u32 backend = 0;  ///< 20 bits
};

constexpr u64 pack(const FlowEntry& entry) {
  return (u64{entry.tag} << 33U) | (u64{entry.age & kAgeMask} << 23U) |
         (u64{static_cast<u8>(entry.state) & 7U} << 20U) | u64{entry.backend};
}

constexpr u32 tag_of(u64 entry) { return static_cast<u32>(entry >> 33U); }
constexpr u32 age_of(u64 entry) { return static_cast<u32>(entry >> 23U) & kAgeMask; }
constexpr u32 state_number(u64 entry) {
  return (static_cast<u32>(entry >> 20U) & 7U) | (static_cast<u32>(entry >> 63U) << 3U);
}
constexpr FlowState state_of(u64 entry) { return static_cast<FlowState>(state_number(entry)); }
/// Of an entry that was found by the tag of a flow.
constexpr FlowState state_of_flow(u64 entry) { return static_cast<FlowState>((entry >> 20U) & 7U); }
constexpr u32 backend_of(u64 entry) { return static_cast<u32>(entry) & ((1U << kBackendBits) - 1); }

constexpr FlowEntry unpack(u64 entry) {
  return {.tag = tag_of(entry), .age = age_of(entry), .state = state_of(entry), .backend = backend_of(entry)};
}

/// Ticks since the entry's last packet. The clocks of the packet path and of the control plane may differ by a tick, so
/// an age slightly in the future counts as now.
constexpr u32 idle_ticks(u64 entry, u32 tick) {
  const u32 idle = (tick - age_of(entry)) & kAgeMask;
  return idle * below_by_data(idle, kAgeMask - 3);
}

constexpr u32 is_expired(u64 entry, u32 tick, const u16 (&timeouts)[kFlowStates]) {
  return 1U - below_by_data(idle_ticks(entry, tick), timeouts[state_number(entry)]);
}

/// Does the entry count as an active flow of its backend (see `Load`)? One that is closing is none any more.
constexpr u32 is_active(u64 entry) {
  constexpr u32 kActive =
      (1U << static_cast<u32>(FlowState::half_open)) | (1U << static_cast<u32>(FlowState::answered)) |
      (1U << static_cast<u32>(FlowState::established)) | (1U << static_cast<u32>(FlowState::udp_stream));
  return (kActive >> state_number(entry)) & 1U;
}

enum class Direction : u8 { from_client, from_backend };

/// What a packet says of its flow's state.
struct Sign {
  u8 protocol;
  u8 tcp_flags;
  u8 has_data;  ///< not 0: TCP with a payload
  Direction direction;
};

/// The states that a packet without FIN, SYN or RST leaves as they are, within one age tick: a bit for each.
constexpr u32 quiet_states(Direction direction) {
  constexpr u32 kSettled =
      (1U << static_cast<u32>(FlowState::established)) | (1U << static_cast<u32>(FlowState::udp_stream));
  return direction == Direction::from_client ? kSettled | (1U << static_cast<u32>(FlowState::half_open)) : kSettled;
}

/// The state after a packet. `later_tick`: the packet is of a later age tick than the one before. A FIN or RST is only
/// somebody's word: data that comes after it shows that the connection lives. The client's data alone prove no more
/// than a SYN does, or a flood of SYN, FIN and data would make established flows.
constexpr FlowState next_state(FlowState state, const Sign& sign, bool later_tick) {
  if ((sign.tcp_flags & kTcpRst) != 0) return FlowState::closed;
  if ((sign.tcp_flags & kTcpFin) != 0) return state == FlowState::closed ? state : FlowState::closing;
  const bool udp = sign.protocol == kProtocolUdp;
  const bool syn = (sign.tcp_flags & kTcpSyn) != 0;
  if (sign.direction == Direction::from_backend && state == FlowState::half_open) {
    return udp || (syn && (sign.tcp_flags & kTcpAck) != 0) ? FlowState::answered : state;
  }
  if (syn) return state;
  if (state == FlowState::closing || state == FlowState::closed) {
    if (sign.has_data == 0) return state;
    return sign.direction == Direction::from_backend ? FlowState::established : FlowState::half_open;
  }
  if (sign.direction == Direction::from_backend) return state;
  const bool earned = state == FlowState::answered || (state == FlowState::half_open && later_tick);
  if (!earned) return state;
  return udp ? FlowState::udp_stream : FlowState::established;
}

/// Does a backend refuse a connection? A SYN is answered by a RST with an ACK; a segment of no connection, which
/// anybody can send, by one without (RFC 9293, 3.10.7.1).
constexpr bool is_refusal(FlowState state, const Sign& sign) {
  constexpr u32 kRefused = kTcpRst | kTcpAck;
  return sign.direction == Direction::from_backend && state == FlowState::half_open &&
         (sign.tcp_flags & kRefused) == kRefused;
}

/// What a full line gives up first: the highest class. Affinity before any flow: a connection that is lost breaks, a
/// client that changes its backend with its next connection may not even notice.
enum class EvictionClass : u8 { established = 0, closing = 1, half_open = 2, affinity = 3, expired = 4, free = 5 };

/// The class by state, 4 bits each. A claimed entry counts as established: its claimer is about to write it.
inline constexpr u64 kClassByState = 0x0301102205U;

/// Without a branch, since the victim is looked for among 16 entries.
constexpr EvictionClass eviction_class(u64 entry, u32 tick, const u16 (&timeouts)[kFlowStates]) {
  const u32 by_state = static_cast<u32>(kClassByState >> (state_number(entry) * 4U)) & 7U;
  const u32 in_use = 1U - (by_state >> 2U);
  const u32 mask = 0U - (is_expired(entry, tick, timeouts) & in_use);
  return static_cast<EvictionClass>((by_state & ~mask) | (static_cast<u32>(EvictionClass::expired) & mask));
}

/// Class above age: the longest idle first in a class.
constexpr u32 eviction_rank(u64 entry, u32 tick, const u16 (&timeouts)[kFlowStates]) {
  return (static_cast<u32>(eviction_class(entry, tick, timeouts)) << kAgeBits) | idle_ticks(entry, tick);
}

constexpr EvictionClass class_of_rank(u32 rank) { return static_cast<EvictionClass>(rank >> kAgeBits); }

}  // namespace astil::core
