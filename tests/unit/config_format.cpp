// The canonical form of a configuration: what it looks like, and that nothing is lost by it.
#include "control/config/format.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/config/load.hpp"

namespace astil::config {
namespace {

std::string formatted(const std::string& text) {
  const auto made = format(text, "astil.yaml");
  return made ? *made : "REFUSED: " + made.error().front().message;
}

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(ConfigFormat, levels_have_two_blanks_and_colons_one) {
  EXPECT_EQ(formatted("services:\n      web:\n          address:   192.0.2.1\n          port:  80\n"),
            "services:\n  web:\n    address: 192.0.2.1\n    port: 80\n");
}

TEST(ConfigFormat, what_is_one_line_stays_one_where_it_fits) {
  EXPECT_EQ(formatted("a: {x: 1,y:   [1,2]}\nb: {}\nc: []\n"), "a: {x: 1, y: [1, 2]}\nb: {}\nc: []\n");
  EXPECT_EQ(formatted("a: {x: 1,\n    y: 2}\n"), "a: {x: 1, y: 2}\n");
  const std::string wide(60, 'w');
  EXPECT_EQ(formatted("a: {x: " + wide + ", y: " + wide + "}\n"), "a:\n  x: " + wide + "\n  y: " + wide + "\n");
  EXPECT_EQ(formatted("a: [" + wide + ", " + wide + "]\n"), "a:\n  - " + wide + "\n  - " + wide + "\n");
}

TEST(ConfigFormat, lists_below_their_keys_are_indented) {
  EXPECT_EQ(formatted("interfaces:\n- eth0\n- eth1\n"), "interfaces:\n  - eth0\n  - eth1\n");
  EXPECT_EQ(formatted("groups:\n- name: a\n  id: 1\n-   name: b\n    id: 2\n"),
            "groups:\n  - name: a\n    id: 1\n  - name: b\n    id: 2\n");
}

TEST(ConfigFormat, text_in_quotes_stays_in_quotes_of_one_kind) {
  EXPECT_EQ(formatted("a: 'it''s \"so\"'\nb: \"x\\\\y\"\n'c d': 1\n"),
            "a: \"it's \\\"so\\\"\"\nb: \"x\\\\y\"\n\"c d\": 1\n");
  EXPECT_EQ(formatted("a: \"# no comment\"\n"), "a: \"# no comment\"\n");
}

TEST(ConfigFormat, comments_stay_where_they_belong) {
  EXPECT_EQ(
      formatted(
          "# top\n\n\n\na: 1 # one\nb: # section\n    # before c\n    c: 2\n    # old: 3\n# after\nd: 4\n# end\n"),
      "# top\n\na: 1   # one\nb:   # section\n  # before c\n  c: 2\n  # old: 3\n# after\nd: 4\n# end\n");
}

TEST(ConfigFormat, a_comment_inside_of_braces_makes_lines_of_them) {
  EXPECT_EQ(formatted("a: {x: 1, # first\n    y: 2}\n"), "a:\n  x: 1   # first\n  y: 2\n");
}

TEST(ConfigFormat, blank_lines_stay_one_at_most) {
  EXPECT_EQ(formatted("a: 1\n\n\n\nb: 2\r\n\r\nc:\n\n  d: 3\n\n\n"), "a: 1\n\nb: 2\n\nc:\n\n  d: 3\n");
}

TEST(ConfigFormat, what_is_no_yaml_of_ours_is_refused_with_its_place) {
  const auto twice = format("a: 1\na: 2\n", "x.yaml");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().front().line, 2U);
  EXPECT_EQ(formatted("a: [1\n").substr(0, 7), "REFUSED");
}

TEST(ConfigFormat, block_scalars_stay_as_they_are_but_for_the_indent) {
  EXPECT_EQ(formatted("a:\n    b:   |\n        one\n          # no comment\n\n        \"two\n    c: 1\n"),
            "a:\n  b: |\n    one\n      # no comment\n\n    \"two\n  c: 1\n");
  EXPECT_EQ(formatted("a: >-   # why\n      folded\n      text\n\n# next\nb: 1\n"),
            "a: >-   # why\n  folded\n  text\n\n# next\nb: 1\n");
  EXPECT_EQ(formatted("a:\n- |\n   x\n- >\n   y\n"), "a:\n  - |\n    x\n  - >\n    y\n");
  EXPECT_EQ(formatted("a: |+\n    x\n\n\nb: 1\n"), "a: |+\n  x\n\n\nb: 1\n");
  EXPECT_EQ(formatted("a: |4\n      two more\n    x\nb: 1\n"), "a: |2\n    two more\n  x\nb: 1\n");
  EXPECT_EQ(formatted("a: |\nb: 1\n"), "a: |\nb: 1\n");
}

TEST(ConfigFormat, examples_mean_the_same) {
  const std::filesystem::path examples = std::filesystem::path(ASTIL_SOURCE_DIR) / "config/examples";
  for (const auto& file : std::filesystem::directory_iterator(examples)) {
    const std::string text = read(file.path());
    const auto made = format(text, file.path());
    ASSERT_TRUE(made) << file.path();
    const auto before = load(text, "a.yaml");
    const auto after = load(*made, "a.yaml");
    ASSERT_TRUE(before && after) << file.path();
    EXPECT_EQ(*before, *after) << file.path();
    EXPECT_EQ(format(*made, "a.yaml").value(), *made) << file.path();
  }
}

/// Whatever the loader's fuzzer has found: it is refused, or means the same and is its own form.
TEST(ConfigFormat, nothing_of_the_corpus_is_lost) {
  std::size_t done = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(std::filesystem::path(ASTIL_SOURCE_DIR) / "tests/fuzz/config/corpus")) {
    const std::string text = read(file.path());
    const auto made = format(text, "a.yaml");
    if (!made) continue;
    ++done;
    const auto before = load(text, "a.yaml");
    const auto after = load(*made, "a.yaml");
    ASSERT_EQ(before.has_value(), after.has_value()) << file.path();
    if (before) {
      EXPECT_EQ(*before, *after) << file.path();
    }
    EXPECT_EQ(format(*made, "a.yaml").value(), *made) << file.path();
  }
  EXPECT_GT(done, 10U);
}

}  // namespace
}  // namespace astil::config
