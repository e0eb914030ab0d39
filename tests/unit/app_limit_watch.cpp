// When the limit of new flows begins to bite and when it has ceased to.
#include "control/app/limit_watch.hpp"

#include <gtest/gtest.h>

namespace astil::app {
namespace {

using Change = LimitWatch::Change;
using namespace std::chrono_literals;

class Watch : public testing::Test {
 protected:
  Change see(std::uint64_t counted, std::chrono::seconds at) {
    return watch_.see(counted, LimitWatch::TimePoint{} + at);
  }
  LimitWatch watch_;
};

TEST_F(Watch, of_what_was_counted_before_it_began_says_nothing) {
  EXPECT_EQ(see(500, 0s), Change::none);
  EXPECT_EQ(see(500, 1s), Change::none);
  EXPECT_FALSE(watch_.is_met());
}

TEST_F(Watch, tells_of_a_flood_when_it_begins_and_a_while_after_it_ended) {
  see(500, 0s);
  EXPECT_EQ(see(510, 1s), Change::began);
  EXPECT_EQ(see(600, 2s), Change::none);
  EXPECT_TRUE(watch_.is_met());
  EXPECT_EQ(see(600, 31s), Change::none);
  EXPECT_EQ(see(600, 32s), Change::ended);
  EXPECT_EQ(watch_.flows(), 100U);
  EXPECT_FALSE(watch_.is_met());
  EXPECT_EQ(see(600, 100s), Change::none);
}

TEST_F(Watch, of_a_flood_in_waves_tells_once) {
  see(0, 0s);
  EXPECT_EQ(see(10, 1s), Change::began);
  for (std::uint64_t wave = 1; wave < 10; ++wave) EXPECT_EQ(see(10 + wave, 1s + wave * 20s), Change::none);
  EXPECT_EQ(see(19, 1s + 9 * 20s + 30s), Change::ended);
  EXPECT_EQ(see(20, 1000s), Change::began);
  EXPECT_EQ(watch_.flows(), 1U) << "of this one";
}

TEST_F(Watch, takes_a_count_that_went_back_for_that_of_new_tables) {
  see(0, 0s);
  see(100, 1s);
  EXPECT_EQ(see(0, 2s), Change::none);
  EXPECT_EQ(see(5, 3s), Change::none);
  EXPECT_EQ(watch_.flows(), 105U);
}

}  // namespace
}  // namespace astil::app
