// IPv6 extension headers (RFC 8200, section 4), which stand between an IPv6 header and the transport's. A walk of its
// own, since few packets have any.
#pragma once

#include "dataplane/core/engine.hpp"
#include "dataplane/core/headers.hpp"

namespace astil::core {

/// A header at an offset, or nullptr where the packet does not have so many bytes there.
template <class Header, u32 kBytes = sizeof(Header), class Engine>
ASTIL_INLINE Header* header_at(Engine& engine, u32 offset) {
  auto* start = engine.begin() + offset;
  if (start + kBytes > engine.end()) return nullptr;
  return reinterpret_cast<Header*>(start);
}

/// What a packet is of its datagram.
enum class Fragment : u8 { none = 0, first = 1, later = 2 };

/// Where a walk over extension headers ended, as one number.
struct Extensions {
  u64 number = 0;

  /// From the first extension header to what follows the last, below kMaxExtensionBytes.
  [[nodiscard]] constexpr u32 bytes() const { return static_cast<u32>(number >> 16U) & (kMaxExtensionBytes - 1); }
  /// What that is. One of the extension headers' own numbers: the packet is cut short, or has too many of them.
  [[nodiscard]] constexpr u8 protocol() const { return static_cast<u8>(number); }
  [[nodiscard]] constexpr Fragment fragment() const { return static_cast<Fragment>((number >> 8U) & 3U); }
  /// Of a fragment's datagram, raw.
  [[nodiscard]] constexpr u32 identification() const { return static_cast<u32>(number >> 32U); }

  /// How far a transport header may stand behind the IPv6 header: farther nobody sends in earnest.
  static constexpr u32 kMaxExtensionBytes = 1024;
};

constexpr Extensions extensions(u32 bytes, u8 protocol, Fragment fragment, u32 identification) {
  return {(u64{identification} << 32U) | (u64{bytes} << 16U) | (u64{static_cast<u8>(fragment)} << 8U) | protocol};
}

constexpr bool is_extension(u8 protocol) {
  constexpr u64 kExtensions = (u64{1} << kHeaderHopByHop) | (u64{1} << kHeaderRouting) | (u64{1} << kHeaderFragment) |
                              (u64{1} << kHeaderAuthentication) | (u64{1} << kHeaderDestination);
  return protocol < 64 && (kExtensions >> protocol & 1U) != 0;
}

/// Extension headers in front of a transport header, at most.
inline constexpr u32 kMaxExtensions = 8;

/// Walks from the extension header of a kind at `offset`. Behind a later fragment's header stands what the walk can not
/// understand, so that it ends there. Without branches in a step: each would be another way for the verifier to follow,
/// through all the steps after it.
template <class Engine>
ASTIL_INLINE Extensions walk_extensions(Engine& engine, u32 offset, u8 protocol) {
  u32 bytes = 0;
  u32 first = 0;
  u32 later = 0;
  u32 identification = 0;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kMaxExtensions && is_extension(protocol) && later == 0; ++i) {
    auto* start = as_one_pointer(engine.begin() + offset + bytes);
    if (start + sizeof(FragmentHeader) > engine.end()) break;
    const auto* header = reinterpret_cast<const FragmentHeader*>(start);
    const u32 length = reinterpret_cast<const ExtensionHeader*>(start)->length;
    const u32 is_fragment = is_zero(protocol ^ kHeaderFragment);
    const u32 is_authentication = is_zero(protocol ^ kHeaderAuthentication);
    const u32 is_other = 1U - is_fragment - is_authentication;
    const u32 own_bytes = is_fragment * static_cast<u32>(sizeof(FragmentHeader)) +
                          is_authentication * ((length + 2) * 4) + is_other * ((length + 1) * 8);
    const u32 place = host(header->offset) * is_fragment;
    first |= place & 1U;
    later |= 1U - is_zero(place & 0xfff8U);
    identification |= raw(header->identification) * is_fragment;
    if (bytes + own_bytes >= Extensions::kMaxExtensionBytes) break;
    bytes += own_bytes;
    protocol = header->next_header;
  }
  const u32 fragment = later * static_cast<u32>(Fragment::later) + (1U - later) * first;
  return extensions(bytes, protocol, static_cast<Fragment>(fragment), identification);
}

}  // namespace astil::core
