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

// Functions stand outside of the records: the kernel's type information takes no operators.
constexpr bool operator==(const Address& a, const Address& b) {
  return ((raw(a.words[0]) ^ raw(b.words[0])) | (raw(a.words[1]) ^ raw(b.words[1])) |
          (raw(a.words[2]) ^ raw(b.words[2])) | (raw(a.words[3]) ^ raw(b.words[3]))) == 0;
}

constexpr Address mapped(Be32 ipv4) { return {{Be32{}, Be32{}, kMappedPrefix, ipv4}}; }

constexpr bool is_ipv4(const Address& address) {
  return (raw(address.words[0]) | raw(address.words[1])) == 0 && address.words[2] == kMappedPrefix;
}

/// Of an address that is one.
constexpr Be32 ipv4_of(const Address& address) { return address.words[3]; }

}  // namespace astil::core
