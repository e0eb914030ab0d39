// What of YAML is refused, and where the mistakes are placed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(config_yaml, a_duplicate_key_is_an_error_with_its_line) {
  EXPECT_THAT(mistakes_in("interfaces: [eth0]\ninstance: a\n" + kSmallest),
              ElementsAre("3:1: duplicate key \"interfaces\" [first given in line 1]"));
}

TEST(config_yaml, each_repetition_of_a_key_is_an_error) {
  EXPECT_THAT(mistakes_in(kSmallest + "instance: a\ninstance: b\ninstance: c\n"),
              ElementsAre("9:1: duplicate key \"instance\" [first given in line 8]",
                          "10:1: duplicate key \"instance\" [first given in line 8]"));
}

TEST(config_yaml, a_second_document_is_refused) {
  EXPECT_THAT(mistakes_in(kSmallest + "---\nservices: {}\n"),
              ElementsAre("8:1: a second document starts here [a configuration file holds one document: one mapping of "
                          "keys]"));
  EXPECT_THAT(mistakes_in("---\n" + kSmallest), IsEmpty());
  EXPECT_THAT(mistakes_in("---\n" + kSmallest + "...\n"), IsEmpty());
}

TEST(config_yaml, anchors_aliases_and_merge_keys_are_refused) {
  const std::string text = kSmallest + "  two: &two\n    <<: *two\n";
  EXPECT_THAT(mistakes_in(replaced(text, "port: 80", "port: *p")), SizeIs(1)) << "yaml-cpp stops at an unknown alias";
  EXPECT_THAT(mistakes_in(replaced(kSmallest, "port: 80", "port: &p 80") + "instance: *p\n"),
              ElementsAre("5:11: anchors are not supported [remove \"&p\"]",
                          "8:11: aliases are not supported [write the value out]"));
  EXPECT_THAT(mistakes_in(kSmallest + "api: {<<: {socket: /a}}\n"),
              ElementsAre("8:7: merge keys are not supported [write the keys out]"));
}

TEST(config_yaml, tags_are_refused) {
  EXPECT_THAT(mistakes_in(replaced(kSmallest, "port: 80", "port: !!int 80")),
              ElementsAre("5:11: tags are not supported [remove the tag: each key has one type]"));
}

TEST(config_yaml, keys_must_be_text) {
  EXPECT_THAT(mistakes_in(kSmallest + "? [a]\n: 1\n"), ElementsAre("8:3: a key must be text, not a list"));
}

TEST(config_yaml, invalid_utf8_is_refused_at_its_byte) {
  EXPECT_THAT(mistakes_in("# caf\xc3\xa9 \xff\n" + kSmallest),
              ElementsAre("1:8: invalid UTF-8 [save the file as UTF-8]"));
  EXPECT_THAT(mistakes_in(std::string("i\0n\0", 4)), ElementsAre("1:2: control character in the text [remove it]"));
}

TEST(config_yaml, a_byte_order_mark_and_windows_line_ends_are_no_mistake) {
  std::string text = "\xef\xbb\xbf" + kSmallest;
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, "\r");
  EXPECT_THAT(mistakes_in(text), IsEmpty());
  EXPECT_THAT(mistakes_in("\xef\xbb\xbfx: 1\r\n" + kSmallest), ElementsAre("1:1: unknown key \"x\""));
}

TEST(config_yaml, a_syntax_error_has_its_position) {
  EXPECT_THAT(mistakes_in("interfaces: [eth0\nservices: {}\n"),
              ElementsAre(StartsWith("2:9: not valid YAML: end of sequence flow not found [a comma")));
  EXPECT_THAT(
      mistakes_in("a: b: c\n"),
      ElementsAre("1:5: not valid YAML: illegal map value [check the indentation and that each colon above has a "
                  "blank behind it; quote text with a colon]"));
  EXPECT_THAT(mistakes_in("a:\n\tb: c\n"),
              ElementsAre("2:3: not valid YAML: illegal map value [indent with blanks, not with tabs]"));
}

TEST(config_yaml, quotes_without_an_end_are_refused) {
  EXPECT_THAT(mistakes_in(kSmallest + "instance: \"a"), SizeIs(1));
  EXPECT_THAT(mistakes_in(kSmallest + "instance: \"a\n\n"),
              ElementsAre("8:11: the quotation that starts here has no end [close the quotes]"));
  EXPECT_THAT(mistakes_in(kSmallest + "instance: 'a\n"),
              ElementsAre("8:11: the quotation that starts here has no end [close the quotes]"));
  EXPECT_THAT(mistakes_in(kSmallest + "instance: 'a'"), IsEmpty());
}

TEST(config_yaml, a_text_without_a_configuration_is_refused) {
  const std::string nothing = "1:1: there is no configuration in this file [interfaces and services are required]";
  EXPECT_THAT(mistakes_in(""), ElementsAre(nothing));
  EXPECT_THAT(mistakes_in("# nothing but a comment\n"), ElementsAre(nothing));
  EXPECT_THAT(mistakes_in("- a\n"), ElementsAre("1:1: a configuration is a mapping of keys, not a list"));
}

TEST(config_yaml, depth_without_end_is_an_error_and_no_crash) {
  EXPECT_THAT(mistakes_in("a: " + std::string(100'000, '[')),
              ElementsAre("1:1: lists and mappings are nested too deeply"));
}

TEST(config_yaml, columns_count_characters) {
  EXPECT_THAT(mistakes_in("{\"\xc3\xa4\xc3\xb6\": 1, interfaces: [eth0], services: {}, x: 1}"),
              ElementsAre("1:2: unknown key \"\xc3\xa4\xc3\xb6\"", "1:45: unknown key \"x\""));
}

}  // namespace
}  // namespace astil::config::test
