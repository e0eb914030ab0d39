// How a mistake is shown: position, line, caret, hint.
#include <gtest/gtest.h>

#include <array>

#include "control/config/diagnostic.hpp"
#include "control/config/suggest.hpp"
#include "control/config/utf8.hpp"
#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

TEST(config_diagnostics, a_caret_and_the_hint_stand_under_the_column) {
  const Diagnostic diagnostic{"a.yaml", 3, 5, "unknown key \"prot\"", "did you mean \"port\"?", "    prot: 80", 5};
  EXPECT_EQ(render(diagnostic),
            "a.yaml:3:5: error: unknown key \"prot\"\n"
            "    prot: 80\n"
            "    ^ did you mean \"port\"?\n");
}

TEST(config_diagnostics, tabs_stay_and_wide_characters_take_two_columns) {
  EXPECT_EQ(render({"a", 1, 4, "m", "", "\t\xe4\xb8\xad\xc3\xa9x", 4}),
            "a:1:4: error: m\n"
            "\t\xe4\xb8\xad\xc3\xa9x\n"
            "\t   ^\n");
}

TEST(config_diagnostics, a_long_line_is_cut_around_the_caret) {
  const std::string line =
      "{interfaces: [\"" + std::string(500, 'x') + "\"], services: {}, y: 1, z: \"" + std::string(500, 'z');
  const Diagnostics mistakes = load(line + "\"}", "a").error();
  ASSERT_EQ(mistakes.size(), 3U);
  EXPECT_EQ(mistakes[1].column, 534U);
  EXPECT_EQ(mistakes[1].caret, 84U);
  EXPECT_EQ(render(mistakes[1]), "a:1:534: error: unknown key \"y\"\n..." + std::string(62, 'x') +
                                     "\"], services: {}, y: 1, z: \"" + std::string(70, 'z') + "...\n" +
                                     std::string(83, ' ') + "^\n");
}

TEST(config_diagnostics, more_than_a_thousand_mistakes_are_counted) {
  std::string line = "{";
  for (int i = 0; i < 5'000; ++i) line += 'k' + std::to_string(i) + ": \xc3\xa4,\n";
  const Diagnostics mistakes = load(line + '}', "a").error();
  ASSERT_EQ(mistakes.size(), 1000U);
  EXPECT_EQ(mistakes.back().message, "5002 mistakes are too many to show");
  EXPECT_EQ(mistakes.back().line, 998U);
}

TEST(config_diagnostics, what_harms_a_terminal_is_not_shown) {
  const Diagnostics mistakes = load("a: \"\x1b[2J\"\n", "a.yaml").error();
  EXPECT_EQ(render(mistakes),
            "a.yaml:1:5: error: control character in the text\n"
            "a: \"\xef\xbf\xbd[2J\"\n"
            "    ^ remove it\n");
  const Diagnostics escaped = load(replaced(kSmallest, "port: 80", "port: \"\\e[2J\""), "a.yaml").error();
  EXPECT_EQ(escaped.at(0).message, "port must be a number from 1 to 65535, or any, not \"\xef\xbf\xbd[2J\"");
}

TEST(config_diagnostics, a_long_value_is_cut_in_a_message) {
  EXPECT_EQ(in_quotes(std::string(61, 'x')), '"' + std::string(60, 'x') + "...\"");
}

TEST(config_diagnostics, a_suggestion_is_near_or_absent) {
  constexpr std::array<std::string_view, 3> kKnown{"port", "protocol", "scheduler"};
  EXPECT_EQ(nearest_word("prot", kKnown), "port");
  EXPECT_EQ(nearest_word("sched", kKnown), "scheduler");
  EXPECT_EQ(nearest_word("protcol", kKnown), "protocol");
  EXPECT_EQ(nearest_word("weight", kKnown), "");
  EXPECT_EQ(nearest_word("", kKnown), "");
}

TEST(config_diagnostics, utf8_that_is_not_the_shortest_form_is_invalid) {
  EXPECT_FALSE(first_character("\xc0\xaf").valid);
  EXPECT_FALSE(first_character("\xed\xa0\x80").valid) << "a surrogate";
  EXPECT_FALSE(first_character("\xf4\x90\x80\x80").valid) << "beyond U+10FFFF";
  EXPECT_FALSE(first_character("\xe2\x82").valid) << "cut short";
  EXPECT_EQ(first_character("\xe2\x82\xac").code, U'\u20ac');
}

}  // namespace
}  // namespace astil::config::test
