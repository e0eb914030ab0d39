// `astil fmt`.
#include <sys/stat.h>

#include "tests/unit/cli_commands.hpp"

namespace astil::cli {
namespace {

class FormatCommand : public test::Commands {
 protected:
  static std::string text_of(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
};

TEST_F(FormatCommand, a_file_is_rewritten_and_keeps_its_mode_and_its_link) {
  const auto file = write("a.yaml", "a:   1 # one\n");
  ::chmod(file.c_str(), 0600);
  const std::string link = folder / "link.yaml";
  std::filesystem::create_symlink(file, link);
  const auto outcome = ask_nobody({"fmt", link});
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  EXPECT_EQ(outcome.out, link + " is in its canonical form now\n");
  EXPECT_EQ(text_of(file), "a: 1   # one\n");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  struct stat found {};
  ASSERT_EQ(::stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
  EXPECT_EQ(ask_nobody({"fmt", link}).out, link + " is in its canonical form already\n");
}

TEST_F(FormatCommand, check_changes_nothing_and_tells_by_its_exit_code) {
  const auto file = write("a.yaml", "a:   1\n");
  const auto outcome = ask_nobody({"fmt", "--check", file});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_NE(outcome.err.find("is not in its canonical form; astil fmt " + file), std::string::npos) << outcome.err;
  EXPECT_EQ(text_of(file), "a:   1\n");
  write("a.yaml", "a: 1\n");
  EXPECT_EQ(ask_nobody({"fmt", "--check", file}).code, kDone);
}

TEST_F(FormatCommand, the_standard_input_goes_to_the_standard_output) {
  input = "a:   1\n";
  EXPECT_EQ(ask_nobody({"fmt", "-"}).out, "a: 1\n");
}

TEST_F(FormatCommand, what_is_no_yaml_is_shown_where_it_stands) {
  const auto file = write("a.yaml", "a: 1\na: 2\n");
  const auto outcome = ask_nobody({"fmt", file});
  EXPECT_EQ(outcome.code, kInvalid);
  EXPECT_NE(outcome.err.find(file + ":2:1: error: duplicate key"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace astil::cli
