// Slow start: the shares of a backend that comes up, step by step.
#include "control/balance/slow_start.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/packets/packet.hpp"

namespace astil::balance {
namespace {

using namespace std::chrono_literals;
using test::address;
using test::mac;

class SlowStarts : public testing::Test {
 protected:
  static BackendInput backend(std::string_view dotted, Availability availability, std::uint32_t weight = 1) {
    return {.address = address(dotted),
            .port = 80,
            .weight = weight,
            .availability = availability,
            .hop = {.destination_mac = mac(0xb1), .source_mac = mac(1), .interface = 2}};
  }
  /// Plans for a second backend of this availability beside one that is up, and commits.
  const Plan& change_to(Availability second, std::uint32_t weight = 1) {
    return change_to({backend("10.0.0.1", Availability::up), backend("10.0.0.2", second, weight)});
  }
  const Plan& change_to(const std::vector<BackendInput>& backends) {
    ServiceInput input{.name = "web",
                       .key = {.address = address("198.51.100.1"), .port = 80, .protocol = 6},
                       .scheduler = scheduler,
                       .slow_start = 90s,
                       .backends = backends};
    plan = planner.plan({}, {input}, now);
    planner.commit(plan);
    return plan;
  }
  [[nodiscard]] double share_of_second() const {
    const auto& ring = plan.state.services[0].ring;
    return static_cast<double>(std::count(ring.begin(), ring.end(), 1)) / static_cast<double>(ring.size());
  }

  core::Scheduler scheduler = core::Scheduler::maglev;
  Clock::time_point now{};
  Planner planner{dataplane::DesiredState{}};
  Plan plan;
};

TEST_F(SlowStarts, grow_from_a_tenth_to_the_whole_and_move_no_slot_twice) {
  change_to(Availability::down);
  std::uint32_t moved = 0;
  std::uint32_t steps = 0;
  change_to(Availability::up);
  EXPECT_NEAR(share_of_second(), 1.0 / 11, 0.01);
  const std::size_t slots = plan.state.services[0].ring.size();
  while (true) {
    for (const RingReport& ring : plan.rings) moved += ring.moved;
    ++steps;
    if (!plan.next_step) break;
    ASSERT_GT(*plan.next_step, now);
    now = *plan.next_step;
    change_to(Availability::up);
  }
  EXPECT_EQ(steps, 10U);
  EXPECT_NEAR(std::chrono::duration<double>(now.time_since_epoch()).count(), 90, 0.1);
  EXPECT_DOUBLE_EQ(share_of_second(), 0.5);
  EXPECT_EQ(moved, slots / 2);
}

TEST_F(SlowStarts, begin_anew_when_the_backend_has_been_down) {
  change_to(Availability::down);
  change_to(Availability::up);
  now += 60s;
  change_to(Availability::up);
  EXPECT_GT(share_of_second(), 0.35);
  change_to(Availability::down);
  change_to(Availability::up);
  EXPECT_NEAR(share_of_second(), 1.0 / 11, 0.01);
}

TEST_F(SlowStarts, are_not_made_where_nobody_else_was_in_rotation) {
  EXPECT_FALSE(change_to(Availability::up).next_step.has_value()) << "a service that is new";
  change_to({backend("10.0.0.1", Availability::down), backend("10.0.0.2", Availability::down)});
  EXPECT_FALSE(change_to(Availability::up).next_step.has_value()) << "all were down";
  EXPECT_DOUBLE_EQ(share_of_second(), 0.5);
}

TEST_F(SlowStarts, of_what_is_added_to_the_file_are_slow_too) {
  change_to({backend("10.0.0.1", Availability::up)});
  change_to(Availability::up);
  EXPECT_NEAR(share_of_second(), 1.0 / 11, 0.01);
}

TEST_F(SlowStarts, are_over_at_once_for_a_daemon_that_adopts_what_runs) {
  change_to(Availability::down);
  change_to(Availability::up);
  planner = Planner(plan.state);
  EXPECT_FALSE(change_to(Availability::up).next_step.has_value());
  EXPECT_DOUBLE_EQ(share_of_second(), 0.5);
}

TEST_F(SlowStarts, weigh_loads_in_tenths_and_as_configured_afterwards) {
  scheduler = core::Scheduler::least_connections;
  const auto weights = [&] {
    const auto& backends = plan.state.services[0].backends;
    return std::pair(backends[0].weight, backends[1].weight);
  };
  change_to(Availability::down);
  change_to(Availability::up);
  EXPECT_EQ(weights(), std::pair(10U, 1U));
  now += 90s;
  change_to(Availability::up);
  EXPECT_EQ(weights(), std::pair(1U, 1U));
  change_to(Availability::down, 1000);
  change_to(Availability::up, 1000);
  EXPECT_EQ(weights(), std::pair(4U, 400U)) << "as much as there is room for";
}

TEST_F(SlowStarts, take_turns_in_proportion) {
  scheduler = core::Scheduler::round_robin;
  change_to(Availability::down);
  change_to(Availability::up);
  const auto& wheel = plan.state.services[0].wheel;
  ASSERT_EQ(wheel.size(), 11U);
  EXPECT_EQ(std::count(wheel.begin(), wheel.end(), 1), 1);
  EXPECT_LE(wheel.size(), wheel_room(std::vector<RingMember>{{1, 1}, {2, 1}}, kTenths));
}

}  // namespace
}  // namespace astil::balance
