// How long a state lasts at least, by what checks have seen in a row.
#include <gtest/gtest.h>

#include "control/app/steadiness.hpp"

namespace astil::app {
namespace {

using health::Health;
constexpr std::uint32_t kNever = UINT32_MAX;

std::uint32_t seconds(Health health, unsigned consecutive, const char* error) {
  const config::HealthCheck check{
      .probe = {}, .port = {}, .interval = config::Milliseconds(10'000), .rise = 3, .fall = 4};
  return steady_seconds(check, {.health = health, .since = {}, .last_error = error, .consecutive = consecutive});
}

TEST(Steadiness, a_server_that_is_well_needs_all_failures_to_go_down) {
  EXPECT_EQ(seconds(Health::up, 100, ""), 30U);
  EXPECT_EQ(seconds(Health::up, 1, "refused"), 20U);
  EXPECT_EQ(seconds(Health::up, 3, "refused"), 0U);
}

TEST(Steadiness, a_server_that_is_down_needs_the_successes_that_are_missing) {
  EXPECT_EQ(seconds(Health::down, 100, "refused"), 20U);
  EXPECT_EQ(seconds(Health::down, 2, "refused"), 0U);
  EXPECT_EQ(seconds(Health::unknown, 0, ""), 0U);
}

TEST(Steadiness, a_service_changes_when_enough_of_its_backends_have) {
  const std::vector<BackendSteadiness> all{{true, 5}, {true, 9}, {true, kNever}, {false, 2}};
  EXPECT_EQ(steady_seconds(all, 1), kNever);  // three would have to go, and one never does
  EXPECT_EQ(steady_seconds(all, 2), 9U);
  EXPECT_EQ(steady_seconds(all, 3), 5U);
  EXPECT_EQ(steady_seconds(all, 4), 2U);
  EXPECT_EQ(steady_seconds(all, 5), kNever);
}

}  // namespace
}  // namespace astil::app
