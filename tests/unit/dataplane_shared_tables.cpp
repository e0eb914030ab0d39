// Tables in a file: whoever opens it sees the same, also when those who wrote are gone.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "dataplane/shared_tables.hpp"
#include "tests/packets/world.hpp"

namespace astil::dataplane {
namespace {

constexpr std::array<std::uint64_t, core::kHashKeys> kKey{1, 2, 3, 4, 5, 6, 7, 8};
constexpr std::uint32_t kMultiplier = 17;

class SharedTablesCase : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "astil-tables-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::filesystem::path file() const { return folder_ / "tables"; }
  [[nodiscard]] Result<SharedTables> make() const {
    return SharedTables::make(file(), test::small_sizes(), kKey, kMultiplier);
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(SharedTablesCase, two_who_open_them_see_each_others_stores) {
  auto maker = make();
  auto other = SharedTables::open(file());
  ASSERT_TRUE(maker.has_value() && other.has_value());
  EXPECT_TRUE(other->tables().sizes == test::small_sizes());
  EXPECT_EQ(other->tables().settings().tick_multiplier, kMultiplier);
  maker->tables().flows().back().entries[7] = 42;
  other->tables().source_buckets().back().value = 43;
  EXPECT_EQ(other->tables().flows().back().entries[7], 42U);
  EXPECT_EQ(maker->tables().source_buckets().back().value, 43U);
}

TEST_F(SharedTablesCase, flows_outlive_a_maker_that_is_killed) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto tables = make();
    if (tables.has_value()) tables->tables().flows()[3].entries[0] = 42;
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto again = SharedTables::open(file());
  ASSERT_TRUE(again.has_value()) << again.error().text();
  EXPECT_EQ(again->tables().flows()[3].entries[0], 42U);
}

TEST_F(SharedTablesCase, of_another_layout_version_are_refused) {
  make().value().tables().settings().header.layout_version = core::kLayoutVersion + 1;
  EXPECT_NE(SharedTables::open(file()).error().text().find("layout version"), std::string::npos);
}

TEST_F(SharedTablesCase, that_are_cut_short_or_none_are_refused) {
  EXPECT_TRUE(SharedTables::open(file()).has_error());
  (void)make().value();
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) - 1);
  EXPECT_NE(SharedTables::open(file()).error().text().find("not as long"), std::string::npos);
  std::ofstream(file()) << "something else";
  EXPECT_NE(SharedTables::open(file()).error().text().find("no tables"), std::string::npos);
}

}  // namespace
}  // namespace astil::dataplane
