// The Internet checksum, computed by difference (RFC 1624): a rewritten header costs a few additions, however long the
// packet. Sums are kept in raw (memory) order; the one's complement sum does not care (RFC 1071, section 2).
#pragma once

#include "dataplane/core/address.hpp"

namespace astil::core {

/// A one's complement difference, not folded yet: room for many 16-bit additions, and one checksum's more.
using ChecksumDifference = u32;

constexpr u16 fold(u32 sum) {
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<u16>(sum);
}

constexpr ChecksumDifference replaced(u16 before, u16 after) { return static_cast<u16>(~before) + u32{after}; }

constexpr ChecksumDifference replaced(Be16 before, Be16 after) { return replaced(raw(before), raw(after)); }

constexpr ChecksumDifference replaced(Be32 before, Be32 after) {
  return replaced(static_cast<u16>(raw(before)), static_cast<u16>(raw(after))) +
         replaced(static_cast<u16>(raw(before) >> 16U), static_cast<u16>(raw(after) >> 16U));
}

/// Of one version both. A mapped IPv4 address differs from another one in the last word alone.
constexpr ChecksumDifference replaced(const Address& before, const Address& after) {
  const ChecksumDifference last = replaced(before.words[3], after.words[3]);
  if (is_ipv4(before)) return last;
  return last + replaced(before.words[0], after.words[0]) + replaced(before.words[1], after.words[1]) +
         replaced(before.words[2], after.words[2]);
}

/// One's complement sums may be taken over larger words and folded later (RFC 1071, section 2).
constexpr u16 fold64(u64 sum) {
  constexpr u64 kWord = 0xffff;
  return fold(static_cast<u32>((sum & kWord) + ((sum >> 16U) & kWord) + ((sum >> 32U) & kWord) + (sum >> 48U)));
}

/// RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
constexpr u16 corrected(u16 checksum, ChecksumDifference difference) {
  return static_cast<u16>(~fold(static_cast<u16>(~checksum) + difference));
}

}  // namespace astil::core
