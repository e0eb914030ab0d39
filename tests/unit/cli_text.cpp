// Tables, numbers and times as people read them.
#include <gmock/gmock.h>

#include "control/cli/table.hpp"

namespace astil::cli {
namespace {

using std::chrono::seconds;

TEST(CliTable, lines_its_columns_up) {
  Table table({{"NAME"}, {"FLOWS", Align::right}, {"STATE"}});
  table.add({{"b1"}, {"7"}, {"up"}});
  table.add({{"backend-2"}, {"123456"}, {"down"}});
  EXPECT_EQ(table.text(Colour::never),
            "  NAME        FLOWS  STATE\n"
            "  b1              7  up\n"
            "  backend-2  123456  down\n");
}

TEST(CliTable, leaves_out_a_column_without_text) {
  Table table({{"NAME"}, {"ERROR"}, {"STATE"}});
  table.add({{"b1"}, {}, {"up"}});
  EXPECT_EQ(table.text(Colour::never, ""), "NAME  STATE\nb1    up\n");
}

TEST(CliTable, colour_changes_no_width) {
  Table table({{"A"}, {"B"}});
  table.add({{"x", Tone::good}, {"y"}});
  EXPECT_EQ(table.text(Colour::always, ""), "\033[2mA\033[0m  \033[2mB\033[0m\n\033[32mx\033[0m  y\n");
}

TEST(CliTable, counts_characters_and_not_bytes) {
  Table table({{"N"}, {"B"}});
  table.add({{"ä"}, {"y"}});
  EXPECT_EQ(table.text(Colour::never, ""), "N  B\nä  y\n");
}

TEST(CliText, counts_keep_three_digits) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(99'999), "99999");
  EXPECT_EQ(count_text(100'000), "100 k");
  EXPECT_EQ(count_text(1'234'567), "1.23 M");
  EXPECT_EQ(count_text(999'999), "1.00 M");
  EXPECT_EQ(count_text(UINT64_MAX), "18.4 E");
}

TEST(CliText, bytes_are_powers_of_1000) {
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.00 kB");
  EXPECT_EQ(bytes_text(12'345'678), "12.3 MB");
}

TEST(CliText, durations_have_two_units_at_most) {
  EXPECT_EQ(duration_text(seconds(-5)), "0 s");
  EXPECT_EQ(duration_text(seconds(59)), "59 s");
  EXPECT_EQ(duration_text(seconds(3599)), "59 min");
  EXPECT_EQ(duration_text(seconds(3600)), "1 h");
  EXPECT_EQ(duration_text(seconds(11'520)), "3 h 12 min");
  EXPECT_EQ(duration_text(seconds(97'300)), "1 d 3 h");
}

TEST(CliText, an_ipv6_address_with_a_port_is_in_brackets) {
  EXPECT_EQ(endpoint_text(boost::asio::ip::make_address("192.0.2.1"), 80), "192.0.2.1:80");
  EXPECT_EQ(endpoint_text(boost::asio::ip::make_address("2001:db8::1"), 80), "[2001:db8::1]:80");
  EXPECT_EQ(endpoint_text(boost::asio::ip::make_address("2001:db8::1"), 0), "[2001:db8::1]:any");
}

TEST(CliText, nothing_reaches_a_terminal_as_a_control_character) {
  EXPECT_EQ(printable("a\033[2Jb\nc\x7F"), "a [2Jb c ");
}

}  // namespace
}  // namespace astil::cli
