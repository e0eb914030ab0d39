// Publications leave the loop as much time as they take, and what is known does not wait for long.
#include "control/app/pace.hpp"

#include <gtest/gtest.h>

namespace astil::app {
namespace {

using namespace std::chrono_literals;

constexpr Pace::Clock::time_point kBegin{1h};

TEST(Pace, lets_the_first_begin_at_once) { EXPECT_LE(Pace{}.next(), kBegin); }

TEST(Pace, waits_after_a_publication_for_as_long_as_it_took) {
  Pace pace;
  pace.took(kBegin, kBegin + 300ms);
  EXPECT_EQ(pace.next(), kBegin + 600ms);
  pace.took(kBegin + 1s, kBegin + 1001ms);
  EXPECT_EQ(pace.next(), kBegin + 1002ms);
}

TEST(Pace, holds_nothing_back_for_longer_than_its_limit) {
  Pace pace;
  pace.took(kBegin, kBegin + 10s);
  EXPECT_EQ(pace.next(), kBegin + 10s + Pace::kLongest);
}

}  // namespace
}  // namespace astil::app
