// Reading a file that somebody names.
#include "control/base/regular_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace astil::base {
namespace {

class RegularFile : public testing::Test {
 protected:
  RegularFile() {
    std::string folder = "/tmp/astil-test-XXXXXX";
    folder_ = ::mkdtemp(folder.data());
  }
  ~RegularFile() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  std::filesystem::path folder_;
};

TEST_F(RegularFile, is_read_whole_or_its_beginning) {
  const std::string text(100'000, 'x');
  std::ofstream(path("file")) << text;
  EXPECT_EQ(read_regular_file(path("file")).value(), text);
  EXPECT_EQ(read_regular_file(path("file"), 7).value(), "xxxxxxx");
  EXPECT_EQ(read_regular_file(path("file"), 100'000).value(), text);
  std::ofstream(path("empty"));
  EXPECT_EQ(read_regular_file(path("empty")).value(), "");
  // It says that it is empty.
  EXPECT_FALSE(read_regular_file("/proc/self/status").value().empty());
}

TEST_F(RegularFile, is_nothing_else_and_nobody_waits_for_a_pipe) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  for (const std::string& other : {path("pipe"), folder_.string(), std::string("/dev/zero")})
    EXPECT_EQ(read_regular_file(other).error().what, other + " is no regular file");
  EXPECT_EQ(read_regular_file(path("none")).error().what, "read " + path("none") + ": No such file or directory");
}

}  // namespace
}  // namespace astil::base
