// Bytes written one after the other, in network byte order, for the packets that tests build.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace astil::test {

using Bytes = std::vector<std::byte>;

// Each writes the low bits of its number, as many as its name says, behind what is there.
inline void put8(Bytes& bytes, unsigned value) { bytes.push_back(static_cast<std::byte>(value & 0xffU)); }
inline void put16(Bytes& bytes, unsigned value) {
  put8(bytes, value >> 8U);
  put8(bytes, value);
}
inline void put32(Bytes& bytes, std::uint32_t value) {
  put16(bytes, value >> 16U);
  put16(bytes, value);
}

/// Neighbours differ, so that a byte in a wrong place shows.
inline void put_pattern(Bytes& bytes, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) put8(bytes, static_cast<unsigned>(i * 7 + 1));
}

inline void append(Bytes& bytes, std::span<const std::byte> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

/// Over the two bytes that are there.
inline void set16(Bytes& bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<std::byte>((value >> 8U) & 0xffU);
  bytes[at + 1] = static_cast<std::byte>(value & 0xffU);
}

/// RFC 1071's sum over bytes, complemented, as a number; two zero bytes stand for no checksum field yet. `start`: what
/// the sum begins with, such as a pseudo header's.
[[nodiscard]] inline std::uint16_t internet_checksum(std::span<const std::byte> bytes, std::uint32_t start = 0) {
  std::uint64_t sum = start;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (i % 2 == 0 ? 8U : 0U);
  }
  while ((sum >> 16U) != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace astil::test
