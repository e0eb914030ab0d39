// The capturing build: around the packet path, the frame is kept as it comes in and as it leaves, and both go to the
// control plane with what was noted in between (bpf/notes.hpp), where the filter wants the packet and the rate lets it.
// To be included after bpf/kernel_engine.hpp.
#pragma once

#include "bpf/kernel_engine.hpp"
#include "bpf/notes.hpp"
#include "dataplane/core/headers.hpp"

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

template <class T>
ASTIL_INLINE T read(const u8* at) {
  return *reinterpret_cast<const T*>(at);
}

/// Has an address of either version, which lies in a frame, the bits that the filter wants?
ASTIL_INLINE bool is_client(const Address& address) {
  u32 differ = 0;
  for (u32 i = 0; i < 4; ++i)
    differ |=
        (raw(address.words[i]) ^ raw(::capture_filter.client.words[i])) & raw(::capture_filter.client_mask.words[i]);
  return differ == 0;
}
ASTIL_INLINE bool is_client(const Ipv4Header& ip) {
  return is_client(mapped(ip.source)) || is_client(mapped(ip.destination));
}
ASTIL_INLINE bool is_client(const Ipv6Header& ip) {
  return is_client(Address(ip.source)) || is_client(Address(ip.destination));
}

/// An error's header, and behind it the packet that it quotes.
inline constexpr u32 kIcmpBytes = 8;

template <class Header>
ASTIL_INLINE bool concerns_client(const u8* at, const u8* end, bool quotes) {
  const auto& ip = *reinterpret_cast<const Header*>(at);
  const u8* inner = at + sizeof(Header) + kIcmpBytes;
  if (at + sizeof(Header) > end) return false;
  return is_client(ip) ||
         (quotes && inner + sizeof(Header) <= end && is_client(*reinterpret_cast<const Header*>(inner)));
}

/// Is the packet from or to a client that is wanted, or an error about one that is?
ASTIL_INLINE bool concerns_client(const CapturedPacket& packet) {
  if ((raw(::capture_filter.client_mask.words[3]) | raw(::capture_filter.client_mask.words[0])) == 0) return true;
  const u8* at = packet.frames + offsetof(EthernetHeader, type);
  const u8* end = packet.frames + (packet.bytes < kMaxSnap ? packet.bytes : kMaxSnap);
  for (u32 i = 0; i < 2; ++i) {
    if (core::detail::is_vlan(read<Be16>(at))) at += kVlanTagBytes;
  }
  const Be16 type = read<Be16>(at);
  at += sizeof(type);
  constexpr u32 kProtocol4 = 9;
  constexpr u32 kProtocol6 = 6;
  if (type == kEtherTypeIpv4) return concerns_client<Ipv4Header>(at, end, at[kProtocol4] == kProtocolIcmp);
  return type == kEtherTypeIpv6 && concerns_client<Ipv6Header>(at, end, at[kProtocol6] == kProtocolIcmpv6);
}

/// Without a branch but the loop's: each would double what the verifier has to follow, in every round.
ASTIL_INLINE bool is_of_backend(u32 backend) {
  const u32 count = ::capture_filter.backends;
  u32 found = 0;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kMaxCapturedBackends; ++i)
    found |= below(i, count) & is_zero(u64{::capture_filter.numbers[i] ^ backend});
  return found != 0;
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

/// A second has so many packets, whichever CPU they are on.
ASTIL_INLINE bool is_within_rate(u64 now) {
  constexpr u64 kSecond = 1'000'000'000;
  u64& window = ::capture_counts.window;
  const u64 second = now / kSecond << 32U;
  const u64 seen = shared_load(window);
  const u64 first = second | 1U;
  if ((seen ^ second) >> 32U != 0 && __sync_val_compare_and_swap(&window, seen, first) == seen) return true;
  const u32 most = ::capture_filter.per_second;
  if (static_cast<u32>(shared_load(window)) >= most) return false;
  return static_cast<u32>(__sync_fetch_and_add(&window, 1)) < most;
}

}  // namespace capture

ASTIL_SUBPROGRAM u32 astil_is_of_backend(u32 backend) { return capture::is_of_backend(backend) ? 1 : 0; }

ASTIL_SUBPROGRAM u32 astil_concerns_client() {
  const CapturedPacket* packet = captured_packet();
  return packet != nullptr && capture::concerns_client(*packet) ? 1 : 0;
}

ASTIL_SUBPROGRAM u32 astil_capture_arrival(Context* context) {
  CapturedPacket* packet = captured_packet();
  if (packet == nullptr) return 0;
  Hook hook(context);
  packet->time = monotonic_ns();
  packet->ingress = hook.ingress();
  packet->egress = 0;
  packet->left_length = 0;
  packet->left_bytes = 0;
  packet->service = kNoService;
  packet->backend = kNobody;
  packet->slot = 0;
  packet->flow = CapturedFlow::none;
  packet->by = CapturedBy::none;
  packet->length = hook.wire_bytes();
  packet->bytes = hook.copy_frame(packet->frames, capture::unknown(::capture_filter.snap));
  return 0;
}

ASTIL_SUBPROGRAM u32 astil_capture_exit(Context* context, u32 reason, u32 interface) {
  CapturedPacket* packet = captured_packet();
  if (packet == nullptr) return 0;
  packet->reason = static_cast<u8>(reason);
  if (!capture::is_wanted(*packet)) return 0;
  if (!capture::is_within_rate(packet->time)) {
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
