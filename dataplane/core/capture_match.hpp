// Which packets a capture wants: what of the question is the same for every engine. Each asks it in its own order,
// since the kernel's verifier has to follow the answer (bpf/capture.hpp).
#pragma once

#include "dataplane/core/capture.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/vlan.hpp"

namespace astil::core::capture {

template <class T>
ASTIL_INLINE T read(const u8* at) {
  return *reinterpret_cast<const T*>(at);
}

/// Has an address of either version, which lies in a frame, the bits that the filter wants?
ASTIL_INLINE bool is_client(const CaptureFilter& filter, const Address& address) {
  u32 differ = 0;
  for (u32 i = 0; i < 4; ++i)
    differ |= (raw(address.words[i]) ^ raw(filter.client.words[i])) & raw(filter.client_mask.words[i]);
  return differ == 0;
}
ASTIL_INLINE bool is_client(const CaptureFilter& filter, const Ipv4Header& ip) {
  return is_client(filter, mapped(ip.source)) || is_client(filter, mapped(ip.destination));
}
ASTIL_INLINE bool is_client(const CaptureFilter& filter, const Ipv6Header& ip) {
  return is_client(filter, Address(ip.source)) || is_client(filter, Address(ip.destination));
}

/// An error's header, and behind it the packet that it quotes.
inline constexpr u32 kIcmpBytes = 8;

template <class Header>
ASTIL_INLINE bool concerns_client(const CaptureFilter& filter, const u8* at, const u8* end, bool quotes) {
  const auto& ip = *reinterpret_cast<const Header*>(at);
  const u8* inner = at + sizeof(Header) + kIcmpBytes;
  if (at + sizeof(Header) > end) return false;
  return is_client(filter, ip) ||
         (quotes && inner + sizeof(Header) <= end && is_client(filter, *reinterpret_cast<const Header*>(inner)));
}

/// Is the packet from or to a client that is wanted, or an error about one that is?
ASTIL_INLINE bool concerns_client(const CaptureFilter& filter, const CapturedPacket& packet) {
  if ((raw(filter.client_mask.words[3]) | raw(filter.client_mask.words[0])) == 0) return true;
  const u8* at = packet.frames + offsetof(EthernetHeader, type);
  const u8* end = packet.frames + (packet.bytes < kMaxSnap ? packet.bytes : kMaxSnap);
  for (u32 i = 0; i < 2; ++i) {
    if (detail::is_vlan(read<Be16>(at))) at += kVlanTagBytes;
  }
  const Be16 type = read<Be16>(at);
  at += sizeof(type);
  constexpr u32 kProtocol4 = 9;
  constexpr u32 kProtocol6 = 6;
  if (type == kEtherTypeIpv4) return concerns_client<Ipv4Header>(filter, at, end, at[kProtocol4] == kProtocolIcmp);
  return type == kEtherTypeIpv6 && concerns_client<Ipv6Header>(filter, at, end, at[kProtocol6] == kProtocolIcmpv6);
}

/// Without a branch but the loop's: each would double what the verifier has to follow, in every round.
ASTIL_INLINE bool is_of_backend(const CaptureFilter& filter, u32 backend) {
  const u32 count = filter.backends;
  u32 found = 0;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kMaxCapturedBackends; ++i) found |= below(i, count) & is_zero(u64{filter.numbers[i] ^ backend});
  return found != 0;
}

/// A second has so many packets, whichever CPU they are on.
ASTIL_INLINE bool is_within_rate(const CaptureFilter& filter, CaptureCounts& counts, u64 now) {
  constexpr u64 kSecond = 1'000'000'000;
  u64& window = counts.window;
  const u64 second = now / kSecond << 32U;
  const u64 seen = shared_load(window);
  const u64 first = second | 1U;
  if ((seen ^ second) >> 32U != 0 && __sync_val_compare_and_swap(&window, seen, first) == seen) return true;
  const u32 most = filter.per_second;
  if (static_cast<u32>(shared_load(window)) >= most) return false;
  return static_cast<u32>(__sync_fetch_and_add(&window, 1)) < most;
}

}  // namespace astil::core::capture
