// What the command line understands, and what it says to what it does not.
#include "control/cli/usage.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

namespace astil::cli {
namespace {

using testing::HasSubstr;

Result<Invocation> parse_words(std::vector<std::string> words) { return parse(words); }

std::string refusal(std::vector<std::string> words) {
  const auto invocation = parse(words);
  return invocation ? "no error" : invocation.error().text();
}

TEST(Usage, takes_options_before_and_after_the_command) {
  for (const auto& words : {std::vector<std::string>{"-o", "json", "--instance", "edge", "status"},
                            {"status", "--output=json", "--instance=edge"},
                            {"status", "-ojson", "--instance", "edge"}}) {
    const auto invocation = parse_words(words);
    ASSERT_TRUE(invocation);
    EXPECT_EQ(invocation->verb, "status");
    EXPECT_EQ(invocation->output, Output::json);
    EXPECT_EQ(invocation->instance, "edge");
    EXPECT_EQ(invocation->socket, "/run/astil/edge.sock");
  }
}

TEST(Usage, takes_a_socket_of_any_name) {
  EXPECT_EQ(parse_words({"status", "--socket", "/tmp/x.sock"})->socket, "/tmp/x.sock");
}

TEST(Usage, takes_a_verbs_own_options) {
  const auto invocation = parse_words({"trace", "--from", "198.51.100.7:4000", "--to=192.0.2.1:80"});
  ASSERT_TRUE(invocation);
  EXPECT_EQ(invocation->options.at("--from"), "198.51.100.7:4000");
  EXPECT_EQ(invocation->options.at("--to"), "192.0.2.1:80");
}

TEST(Usage, takes_a_lone_hyphen_as_the_file) { EXPECT_EQ(parse_words({"check", "-"})->operand, "-"); }

TEST(Usage, help_can_be_asked_in_every_way) {
  for (const auto& words : {std::vector<std::string>{"help"}, {"--help"}, {"-h"}}) {
    EXPECT_EQ(parse_words(words)->verb, "help");
    EXPECT_EQ(parse_words(words)->operand, "");
  }
  for (const auto& words : {std::vector<std::string>{"help", "trace"}, {"trace", "--help"}, {"trace", "-h"}}) {
    EXPECT_EQ(parse_words(words)->verb, "help");
    EXPECT_EQ(parse_words(words)->operand, "trace");
  }
}

TEST(Usage, a_misspelt_word_gets_the_nearest_one) {
  EXPECT_EQ(refusal({"statsu"}), "there is no command 'statsu'; did you mean \"status\"?");
  EXPECT_EQ(refusal({"flows", "--sevice", "web"}), "there is no option --sevice of flows; did you mean \"--service\"?");
  EXPECT_EQ(refusal({"frobnicate"}), "there is no command 'frobnicate'; see astil help");
}

TEST(Usage, what_is_missing_is_named) {
  EXPECT_EQ(refusal({"check"}), "check needs a FILE; see astil help check");
  EXPECT_EQ(refusal({"trace", "--from", "192.0.2.1:80"}), "trace needs --to; see astil help trace");
  EXPECT_EQ(refusal({"flows", "--limit"}), "--limit needs a value; write --limit N");
}

TEST(Usage, what_is_too_much_is_refused) {
  EXPECT_EQ(refusal({"check", "a", "b"}), "'b' is one word too many; see astil help check");
  EXPECT_EQ(refusal({"status", "now"}), "'now' is one word too many; see astil help status");
  EXPECT_EQ(refusal({"flows", "--limit", "1", "--limit=2"}), "--limit is given twice");
  EXPECT_EQ(refusal({"status", "--help=yes"}), "--help takes no value");
}

TEST(Usage, a_value_that_can_not_be_meant_is_refused) {
  EXPECT_EQ(refusal({"status", "-o", "yaml"}), "--output 'yaml' is not a form; use text or json");
  EXPECT_EQ(refusal({"status", "--instance", "../x"}), "--instance needs a name");
}

TEST(Usage, the_help_lists_every_command_with_its_options) {
  for (const auto& verb : verbs()) {
    EXPECT_THAT(general_help(), HasSubstr("  " + std::string(verb.name))) << verb.name;
    const auto text = help_text(verb.name);
    ASSERT_TRUE(text);
    for (const auto& option : verb.options) EXPECT_THAT(*text, HasSubstr(std::string(option.name)));
  }
}

TEST(Usage, the_help_fits_a_terminal) {
  std::vector<std::string> texts{general_help()};
  for (const auto& verb : verbs()) texts.push_back(help_text(verb.name).value());
  for (const auto& text : texts) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  }
}

TEST(Usage, the_documentation_shows_the_help_of_every_command) {
  std::ifstream file(ASTIL_SOURCE_DIR "/docs/cli.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  for (const auto& verb : verbs()) {
    EXPECT_THAT(page, HasSubstr("`" + std::string(verb.name))) << verb.name;
    for (const auto& option : verb.options) EXPECT_THAT(page, HasSubstr("`" + std::string(option.name))) << verb.name;
  }
}

}  // namespace
}  // namespace astil::cli
