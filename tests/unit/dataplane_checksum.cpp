// The checksum by difference says what the checksum from scratch says.
#include "dataplane/core/checksum.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "tests/packets/wire.hpp"

namespace astil::core {
namespace {

/// The checksum over bytes, as the field holds it in memory.
u16 from_scratch(const test::Bytes& bytes) { return raw(be16(test::internet_checksum(bytes))); }

template <class Field>
Field field_at(const test::Bytes& bytes, std::size_t offset) {
  Field field{};
  std::memcpy(&field, &bytes[offset], sizeof(field));
  return field;
}

TEST(Checksum, by_difference_is_the_one_from_scratch) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20000; ++round) {
    // Bytes of a few values only, so that sums of 0 and 0xffff come up.
    test::Bytes bytes(40);
    for (std::byte& byte : bytes)
      byte = static_cast<std::byte>(round % 2 == 0 ? random() : (random() % 2 == 0 ? 0x00 : 0xff));
    bytes[39] = std::byte{1};  // not all zero: no packet is
    const u16 before = from_scratch(bytes);
    const auto address = field_at<Be32>(bytes, 12);
    const auto port = field_at<Be16>(bytes, 22);
    const Be32 new_address{static_cast<u32>(random() % 3 == 0 ? 0xffffffffU : random())};
    const Be16 new_port{static_cast<u16>(random() % 3 == 0 ? 0 : random())};
    std::memcpy(&bytes[12], &new_address, sizeof(new_address));
    std::memcpy(&bytes[22], &new_port, sizeof(new_port));
    ASSERT_EQ(corrected(before, replaced(address, new_address) + replaced(port, new_port)), from_scratch(bytes))
        << round;
  }
}

TEST(Checksum, of_nothing_changed_stays) {
  for (u32 sum = 0; sum < 0xffff; ++sum) {
    ASSERT_EQ(corrected(static_cast<u16>(sum), replaced(Be32{0x12345678}, Be32{0x12345678})), sum);
  }
}

TEST(Checksum, keeps_an_error_that_was_there) {
  test::Bytes bytes(20, std::byte{3});
  const auto wrong = static_cast<u16>(from_scratch(bytes) ^ 0x0100U);
  const auto port = field_at<Be16>(bytes, 2);
  const u16 after = corrected(wrong, replaced(port, be16(8080)));
  const Be16 changed = be16(8080);
  std::memcpy(&bytes[2], &changed, sizeof(changed));
  EXPECT_NE(after, from_scratch(bytes));
}

}  // namespace
}  // namespace astil::core
