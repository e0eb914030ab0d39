// Rise and fall: every sequence of results against the rule, written down a second time.
#include "control/health/state.hpp"

#include <gtest/gtest.h>

#include <array>
#include <tuple>

namespace astil::health {
namespace {

constexpr unsigned kLength = 10;
using Sequence = std::array<Finding, kLength>;

/// Every sequence has a number, its bits are its results.
Sequence sequence(unsigned number) {
  Sequence results{};
  for (Finding& result : results) {
    result = number % 2 == 1 ? Finding::passed : Finding::failed;
    number /= 2;
  }
  return results;
}

/// The rule by itself: the first result decides, then a run of `rise` or `fall` does.
Health by_the_rule(unsigned rise, unsigned fall, Health start, const Sequence& results, unsigned count) {
  Health health = start;
  for (unsigned i = 0; i < count; ++i) {
    const Finding last = results[i];
    unsigned run = 1;
    while (run <= i && results[i - run] == last) ++run;
    const unsigned needed = last == Finding::passed ? rise : fall;
    if (health == Health::unknown || run >= needed) health = last == Finding::passed ? Health::up : Health::down;
  }
  return health;
}

class rise_fall : public testing::TestWithParam<std::tuple<unsigned, unsigned, Health>> {};

TEST_P(rise_fall, every_sequence_of_ten_results_follows_the_rule) {
  const auto [rise, fall, start] = GetParam();
  for (unsigned number = 0; number < 1U << kLength; ++number) {
    const Sequence results = sequence(number);
    RiseFall machine(rise, fall, start);
    for (unsigned i = 0; i < kLength; ++i) {
      const Health before = machine.health();
      const auto effect = machine.add(results[i]);
      ASSERT_EQ(machine.health(), by_the_rule(rise, fall, start, results, i + 1)) << number << " after " << i + 1;
      ASSERT_EQ(effect == RiseFall::Effect::changed, machine.health() != before);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(small, rise_fall,
                         testing::Combine(testing::Values(1U, 2U, 3U, 5U), testing::Values(1U, 2U, 3U, 5U),
                                          testing::Values(Health::unknown, Health::up, Health::down)));

TEST(health_state, the_first_result_decides_at_once) {
  RiseFall well(2, 3, Health::unknown);
  EXPECT_EQ(well.add(Finding::passed), RiseFall::Effect::changed);
  EXPECT_EQ(well.health(), Health::up);
  RiseFall ill(2, 3, Health::unknown);
  EXPECT_EQ(ill.add(Finding::failed), RiseFall::Effect::changed);
  EXPECT_EQ(ill.health(), Health::down);
}

TEST(health_state, results_in_a_row_are_counted) {
  RiseFall machine(2, 3, Health::up);
  EXPECT_EQ(machine.consecutive(), 0U);
  static_cast<void>(machine.add(Finding::failed));
  static_cast<void>(machine.add(Finding::failed));
  EXPECT_EQ(machine.consecutive(), 2U);
  static_cast<void>(machine.add(Finding::passed));
  EXPECT_EQ(machine.consecutive(), 1U);
}

}  // namespace
}  // namespace astil::health
