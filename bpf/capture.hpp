// The capturing build: around the packet path, the frame is kept as it comes in and as it leaves, and both go to the
// control plane with what was noted in between (bpf/notes.hpp), where the filter wants the packet and the rate lets it.
// To be included after bpf/kernel_engine.hpp.
#pragma once

#include "bpf/kernel_engine.hpp"
#include "bpf/notes.hpp"
#include "dataplane/core/capture_match.hpp"

// Variables, as `settings` is one: the loader finds their maps by the sections.
SEC(".data.filter") astil::core::CaptureFilter capture_filter;
SEC(".data.counts") astil::core::CaptureCounts capture_counts;

struct captured_map {
  MAP_UINT(type, BPF_MAP_TYPE_RINGBUF);
  MAP_UINT(max_entries, 4194304);
};
SEC(".maps") captured_map captured;

namespace astil::bpf {

/// Keeps the frame as it comes in, and forgets the packet before it.
ASTIL_SUBPROGRAM u32 astil_capture_arrival(Context* context);
/// Gives the packet to the control plane, with the frame as it leaves. `reason` is a Reason; `interface` is where it
/// leaves, or 0.
ASTIL_SUBPROGRAM u32 astil_capture_exit(Context* context, u32 reason, u32 interface);

/// Parts of the question whether a packet is wanted, apart so that the verifier looks at each once. The second is about
/// the packet of this CPU.
ASTIL_SUBPROGRAM u32 astil_is_of_backend(u32 backend);
ASTIL_SUBPROGRAM u32 astil_concerns_client();

namespace capture {

/// A number that the compiler knows nothing of, so that what it is compared with next stands in the program.
ASTIL_INLINE u32 unknown(u32 number) {
  asm volatile("" : "+r"(number));
  return number;
}

/// What passes and is no service's is none of ours: whoever wants to see it has the kernel's own means.
ASTIL_INLINE bool is_wanted(const CapturedPacket& packet) {
  const CaptureFilter& filter = ::capture_filter;
  const auto reason = static_cast<Reason>(packet.reason);
  if (action_of(reason) == Action::pass && packet.service == kNoService) return false;
  if (filter.service != kNoService && filter.service != packet.service) return false;
  if (filter.by_backend != 0 && astil_is_of_backend(packet.backend) == 0) return false;
  return astil_concerns_client() != 0;
}

}  // namespace capture

ASTIL_SUBPROGRAM u32 astil_is_of_backend(u32 backend) {
  return core::capture::is_of_backend(::capture_filter, backend) ? 1 : 0;
}

ASTIL_SUBPROGRAM u32 astil_concerns_client() {
  const CapturedPacket* packet = captured_packet();
  return packet != nullptr && core::capture::concerns_client(::capture_filter, *packet) ? 1 : 0;
}

ASTIL_SUBPROGRAM u32 astil_capture_arrival(Context* context) {
  CapturedPacket* packet = captured_packet();
  if (packet == nullptr) return 0;
  Hook hook(context);
  core::begin_notes(*packet, monotonic_ns(), hook.ingress());
  packet->length = hook.wire_bytes();
  packet->bytes = hook.copy_frame(packet->frames, capture::unknown(::capture_filter.snap));
  return 0;
}

ASTIL_SUBPROGRAM u32 astil_capture_exit(Context* context, u32 reason, u32 interface) {
  CapturedPacket* packet = captured_packet();
  if (packet == nullptr) return 0;
  packet->reason = static_cast<u8>(reason);
  if (!capture::is_wanted(*packet)) return 0;
  if (!core::capture::is_within_rate(::capture_filter, ::capture_counts, packet->time)) {
    __sync_fetch_and_add(&::capture_counts.over_rate, 1);
    return 0;
  }
  const u32 bytes = capture::unknown(packet->bytes);
  if (bytes > kMaxSnap) return 0;
  u32 left = 0;
  if (interface != 0) {
    Hook hook(context);
    packet->egress = interface;
    packet->left_length = hook.wire_bytes();
    left = hook.copy_frame(packet->frames + bytes, capture::unknown(::capture_filter.snap));
    packet->left_bytes = left;
  }
  left = capture::unknown(left);
  if (left > kMaxSnap) return 0;
  u64& count = ringbuf_output(&::captured, packet, u64{kCapturedHeader} + bytes + left, 0) == 0
                   ? ::capture_counts.captured
                   : ::capture_counts.no_room;
  __sync_fetch_and_add(&count, 1);
  return 0;
}

}  // namespace astil::bpf
