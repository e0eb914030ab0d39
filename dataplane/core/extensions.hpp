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
enum class Fragment : u8 { none, first, later };

/// Where a walk over extension headers ended, as one number.
struct Extensions {
  u64 number = 0;

  /// From the first extension header to what follows the last, below kMaxExtensionBytes.
  [[nodiscard]] constexpr u32 bytes() const { return static_cast<u32>(number >> 16U) & (kMaxExtensionBytes - 1); }
  /// What that is. One of the extension headers' own numbers: the packet is cut short, or has too many of them.
  [[nodiscard]] constexpr u8 protocol() const { return static_cast<u8>(number); }
  [[nodiscard]] constexpr Fragment fragment() const { return static_cast<Fragment>((number >> 8U) & 3U); }

  /// How far a transport header may stand behind the IPv6 header: farther nobody sends in earnest.
  static constexpr u32 kMaxExtensionBytes = 1024;
};

constexpr Extensions extensions(u32 bytes, u8 protocol, Fragment fragment) {
  return {(u64{bytes} << 16U) | (u64{static_cast<u8>(fragment)} << 8U) | protocol};
}

constexpr bool is_extension(u8 protocol) {
  return protocol == kHeaderHopByHop || protocol == kHeaderRouting || protocol == kHeaderFragment ||
         protocol == kHeaderAuthentication || protocol == kHeaderDestination;
}

/// Extension headers in front of a transport header, at most.
inline constexpr u32 kMaxExtensions = 8;

/// Walks from the extension header of a kind at `offset`. Behind a later fragment's header stands what the walk can not
/// understand, so that it ends there.
template <class Engine>
ASTIL_INLINE Extensions walk_extensions(Engine& engine, u32 offset, u8 protocol) {
  u32 bytes = 0;
  Fragment fragment = Fragment::none;
  ASTIL_KEEP_LOOP
  for (u32 i = 0; i < kMaxExtensions && is_extension(protocol); ++i) {
    const auto* header = header_at<FragmentHeader>(engine, offset + bytes);
    if (header == nullptr) break;
    const u32 length = reinterpret_cast<const ExtensionHeader*>(header)->length;
    u32 own_bytes = (length + 1) * 8;
    if (protocol == kHeaderAuthentication) own_bytes = (length + 2) * 4;
    if (protocol == kHeaderFragment) {
      own_bytes = sizeof(FragmentHeader);
      const u16 place = host(header->offset);
      if ((place & 1U) != 0) fragment = Fragment::first;
      if ((place & 0xfff8U) != 0) fragment = Fragment::later;
    }
    if (bytes + own_bytes >= Extensions::kMaxExtensionBytes) break;
    bytes += own_bytes;
    protocol = header->next_header;
    if (fragment == Fragment::later) break;
  }
  return extensions(bytes, protocol, fragment);
}

}  // namespace astil::core
