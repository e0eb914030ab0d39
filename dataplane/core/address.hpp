// Addresses of both versions of IP.
#pragma once

#include "dataplane/core/bytes.hpp"

namespace astil::core {

/// An IPv6 address as it lies in a packet. In tables it stands for an IPv4 address too, as ::ffff:a.b.c.d (RFC 4291,
/// section 2.5.5.2), which no packet carries: so an address says by itself of which version it is.
struct Address {
  Be32 words[4];
};

inline constexpr Be32 kMappedPrefix = be32(0x0000ffff);

/// The first or second half as it lies in memory: two accesses for an address instead of four.
constexpr u64 half(const Address& address, u32 i) {
  if (std::is_constant_evaluated()) return raw(address.words[2 * i]) | (u64{raw(address.words[2 * i + 1])} << 32U);
  return load_as<u64>(&address.words[2 * i]);
}

/// Writes an address into a packet, in two accesses as well.
ASTIL_INLINE void put_address(u8* at, const Address& address) {
  store_as<u64>(at, half(address, 0));
  store_as<u64>(at + sizeof(u64), half(address, 1));
}

// Functions stand outside of the records: the kernel's type information takes no operators.
constexpr bool operator==(const Address& a, const Address& b) {
  return ((half(a, 0) ^ half(b, 0)) | (half(a, 1) ^ half(b, 1))) == 0;
}

constexpr Address mapped(Be32 ipv4) { return {{Be32{}, Be32{}, kMappedPrefix, ipv4}}; }

constexpr bool is_ipv4(const Address& address) {
  return (half(address, 0) | (raw(address.words[2]) ^ raw(kMappedPrefix))) == 0;
}

/// Of an address that is one.
constexpr Be32 ipv4_of(const Address& address) { return address.words[3]; }

}  // namespace astil::core
