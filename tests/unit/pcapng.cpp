// Captures as files: written byte for byte as the format says, and read again as they come in pieces.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "control/pcapng/reader.hpp"
#include "control/pcapng/writer.hpp"

namespace astil::pcapng {
namespace {

/// Bytes from their hexadecimal form; blanks count for nothing.
std::string hex(std::string_view text) {
  std::string bytes;
  std::string digits;
  for (const char letter : text) {
    if (letter == ' ') continue;
    digits += letter;
    if (digits.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return bytes;
}

constexpr std::array<std::byte, 5> kFrame{std::byte{0xf0}, std::byte{0xf1}, std::byte{0xf2}, std::byte{0xf3},
                                          std::byte{0xf4}};

std::string packet() {
  return enhanced_packet({.interface = 1,
                          .time = 0x1122334455667788,
                          .bytes = kFrame,
                          .length = 1500,
                          .direction = Direction::outbound,
                          .packet_id = 7,
                          .comment = "why"});
}

Statistics statistics() {
  return {.time = 1, .delivered = 10, .over_rate = 3, .lost = 2, .comment = "the time is over"};
}

TEST(PcapngWriter, writes_a_section_header) {
  EXPECT_EQ(section_header("astil", "web"), hex("0a0d0d0a 34000000 4d3c2b1a 0100 0000 ffffffffffffffff"
                                                "0400 0500 617374696c 000000 0100 0300 776562 00 00000000 34000000"));
}

TEST(PcapngWriter, describes_an_interface_whose_clock_has_nanoseconds) {
  EXPECT_EQ(interface_description({.name = "eth0", .snap = 192}),
            hex("01000000 28000000 0100 0000 c0000000 0200 0400 65746830 0900 0100 09 000000 00000000 28000000"));
}

TEST(PcapngWriter, writes_a_frame_with_comment_direction_and_packet) {
  EXPECT_EQ(packet(), hex("06000000 48000000 01000000 44332211 88776655 05000000 dc050000 f0f1f2f3f4 000000"
                          "0100 0300 776879 00 0200 0400 02000000 0500 0800 0700000000000000 00000000 48000000"));
}

TEST(PcapngWriter, cuts_a_comment_that_no_option_holds) {
  const std::string block = enhanced_packet({.bytes = {}, .comment = std::string(100'000, 'x')});
  EXPECT_LT(block.size(), 66'000U);
  EXPECT_EQ(block.size() % 4, 0U);
}

TEST(PcapngReader, gives_whole_blocks_however_they_come) {
  const std::string file = section_header("astil", "") + interface_description({.name = "eth0", .snap = 192}) +
                           packet() + packet() + interface_statistics(statistics());
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{100}, file.size()}) {
    Reader reader;
    std::string given;
    for (std::size_t at = 0; at < file.size(); at += step) {
      const auto blocks = reader.take(std::string_view(file).substr(at, step));
      ASSERT_TRUE(blocks.has_value());
      given += *blocks;
      EXPECT_EQ(reader.statistics().has_value(), given.size() == file.size());
    }
    EXPECT_EQ(given, file);
    EXPECT_EQ(reader.frames(), 2U);
    EXPECT_EQ(reader.statistics()->delivered, 10U);
    EXPECT_EQ(reader.statistics()->over_rate, 3U);
    EXPECT_EQ(reader.statistics()->lost, 2U);
    EXPECT_EQ(reader.statistics()->comment, "the time is over");
  }
}

TEST(PcapngReader, keeps_a_block_that_is_cut_short) {
  Reader reader;
  EXPECT_EQ(reader.take(section_header("astil", "") + packet().substr(0, 30)), section_header("astil", ""));
  EXPECT_EQ(reader.take(packet().substr(30)), packet());
}

TEST(PcapngReader, refuses_what_is_no_capture) {
  EXPECT_EQ(Reader().take("{\"error\": \"x\"}"), std::nullopt);
  EXPECT_EQ(Reader().take(packet()), std::nullopt) << "no section has begun";
  EXPECT_EQ(Reader().take(hex("0a0d0d0a 04000000")), std::nullopt);
  EXPECT_EQ(Reader().take(hex("0a0d0d0a fcffffff")), std::nullopt);
  EXPECT_EQ(Reader().take(hex("0a0d0d0a 1d000000")), std::nullopt);
}

TEST(PcapngReader, survives_statistics_of_any_length) {
  const std::string block = interface_statistics(statistics());
  for (std::uint32_t length = 12; length <= block.size(); length += 4) {
    std::string cut = block.substr(0, length - 4) + std::string(4, '\0');
    std::memcpy(cut.data() + 4, &length, sizeof(length));
    Reader reader;
    EXPECT_TRUE(reader.take(section_header("astil", "") + cut).has_value());
  }
}

}  // namespace
}  // namespace astil::pcapng
