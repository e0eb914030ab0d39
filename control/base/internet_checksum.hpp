// The checksum of IP and most of what it carries (RFC 1071): the sum of 16-bit words, big-endian, folded and inverted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace astil::base {

/// Parts of a message may be summed apart, all but the last of an even length. An odd byte at the end counts as if a 0
/// followed.
[[nodiscard]] inline std::uint64_t sum_of_words(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += std::to_integer<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
  return sum;
}

/// Of a message that has its checksum in it, and is right: 0.
[[nodiscard]] inline std::uint16_t internet_checksum(std::uint64_t sum) {
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace astil::base
