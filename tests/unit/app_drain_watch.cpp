// When a draining backend will be empty, out of one census after the other.
#include "control/app/drain_watch.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace astil::app {
namespace {

using namespace std::chrono_literals;

const DrainWatch::Key kB1{"web", "b1"};

class Drains : public testing::Test {
 protected:
  void see(std::uint64_t flows, std::chrono::milliseconds later) {
    now_ += later;
    watch.see({{kB1, flows}}, now_);
  }

  DrainWatch watch;

 private:
  DrainWatch::TimePoint now_{};
};

TEST_F(Drains, say_nothing_while_no_flow_has_ended) {
  EXPECT_FALSE(watch.empty_in(kB1).has_value());
  see(100, 1s);
  EXPECT_FALSE(watch.empty_in(kB1).has_value());
  see(100, 1s);
  EXPECT_FALSE(watch.empty_in(kB1).has_value());
}

TEST_F(Drains, of_half_of_the_flows_in_a_minute_end_after_as_many_minutes_as_they_can_be_halved) {
  see(1024, 0s);
  for (int second = 1; second <= 60; ++second)
    see(static_cast<std::uint64_t>(std::lround(1024 * std::exp2(-second / 60.0))), 1s);
  ASSERT_TRUE(watch.empty_in(kB1).has_value());
  EXPECT_NEAR(watch.empty_in(kB1)->count(), 600, 10);
}

TEST_F(Drains, go_by_the_pace_of_the_last_minute) {
  see(1000, 0s);
  for (int second = 0; second < 5; ++second) see(100, 1s);
  for (int second = 0; second < 60; ++second) see(100, 1s);
  EXPECT_FALSE(watch.empty_in(kB1).has_value());
}

TEST_F(Drains, are_over_with_the_last_flow_and_forgotten_with_their_backend) {
  see(2, 0s);
  see(0, 1s);
  EXPECT_EQ(watch.empty_in(kB1), std::chrono::duration<double>(0));
  watch.see({}, {});
  EXPECT_FALSE(watch.empty_in(kB1).has_value());
}

}  // namespace
}  // namespace astil::app
