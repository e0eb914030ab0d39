// What `astil capture` asks of the packet path, and what that gives back: frames as they came in and as they left, with
// the decision between them. Only a program that is built for it (bpf/capture.hpp) knows any of this; it is attached
// while a capture runs.
#pragma once

#include "dataplane/core/layout.hpp"

namespace astil::core {

/// Of each frame, bytes: a jumbo frame whole.
inline constexpr u32 kMaxSnap = 9216;
/// Headers, at the least.
inline constexpr u32 kMinSnap = 64;
inline constexpr u32 kMaxCapturedBackends = 64;

/// The smaller of two numbers, in a form that the kernel's verifier follows: it stands in the program as a comparison.
ASTIL_INLINE u32 at_most(u32 number, u32 limit) {
  number = number < limit ? number : limit;
#ifdef __bpf__
  asm volatile("" : "+r"(number));
#endif
  return number;
}

/// Which packets are wanted. The control plane writes it, also while packets are captured.
struct CaptureFilter {
  Address client;  ///< packets from or to it, and errors that quote one; only the bits of `client_mask` count
  Address client_mask;
  u32 service;     ///< id; kNoService: any
  u32 by_backend;  ///< not 0: only those of the backends below
  u32 backends;    ///< how many there are
  u32 snap;        ///< bytes of a frame that are kept, kMinSnap to kMaxSnap
  u32 per_second;  ///< packets, of all CPUs together
  u32 reserved[3];
  u32 numbers[kMaxCapturedBackends];  ///< of backends
};
static_assert(sizeof(CaptureFilter) == 64 + 4 * kMaxCapturedBackends);

/// What became of the packets that were wanted. Written by all CPUs, by atomic operations.
struct CaptureCounts {
  u64 captured;
  u64 over_rate;  ///< left out, since a second had its packets
  u64 no_room;    ///< left out, since the control plane did not take what was there
  u64 window;     ///< a second of the monotonic clock in the high half, its packets so far in the low one
};
static_assert(sizeof(CaptureCounts) == 32);

/// What is known of the packet's flow.
enum class CapturedFlow : u8 { none, known, fresh };
/// What placed a new flow.
enum class CapturedBy : u8 { none, ring, round_robin, source_hash, load, affinity };

/// A packet. What is kept of the frame as it came in stands first in `frames`, and behind it what is kept of the frame
/// as it left, where it did.
struct CapturedPacket {
  u64 time;         ///< when it came in, nanoseconds of the monotonic clock
  u32 ingress;      ///< ifindex
  u32 egress;       ///< ifindex; 0: it did not leave by the packet path
  u32 length;       ///< of the frame as it came in, bytes
  u32 bytes;        ///< that are kept of it
  u32 left_length;  ///< of the frame as it left
  u32 left_bytes;   ///< that are kept of it
  u32 service;      ///< id, or kNoService
  u32 backend;      ///< number, or kNobody
  u32 slot;         ///< of the ring or the wheel, for CapturedBy::ring, round_robin, source_hash
  u8 reason;        ///< Reason
  CapturedFlow flow;
  CapturedBy by;
  u8 reserved[17];
  u8 frames[2 * kMaxSnap];
};
inline constexpr u32 kCapturedHeader = 64;
static_assert(offsetof(CapturedPacket, frames) == kCapturedHeader &&
              sizeof(CapturedPacket) == kCapturedHeader + 2 * kMaxSnap);

}  // namespace astil::core
