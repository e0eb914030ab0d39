// What new flows get while too few backends are in rotation.
#include "control/balance/when_down.hpp"

#include <gtest/gtest.h>

#include "tests/packets/packet.hpp"

namespace astil::balance {
namespace {

using dataplane::Rotation;
using test::address;
using test::mac;

constexpr auto kUp = Availability::up;
constexpr auto kDown = Availability::down;

BackendInput backend(std::string_view dotted, Availability availability, Role role = Role::usual) {
  return {.address = address(dotted),
          .port = 80,
          .availability = availability,
          .role = role,
          .hop = {.destination_mac = mac(0xb1), .source_mac = mac(1), .interface = 2}};
}

class TooFew : public testing::Test {
 protected:
  /// Two usual backends and a fallback.
  std::vector<Rotation> rotations(WhenDown when_down, std::uint32_t minimum_up, Availability first, Availability second,
                                  Availability fallback = kUp) {
    return rotations(
        when_down, minimum_up,
        {backend("10.0.0.1", first), backend("10.0.0.2", second), backend("10.0.0.9", fallback, Role::fallback)});
  }
  std::vector<Rotation> rotations(WhenDown when_down, std::uint32_t minimum_up,
                                  const std::vector<BackendInput>& backends) {
    const ServiceInput input{.name = "web",
                             .key = {.address = address("198.51.100.1"), .port = 80, .protocol = 6},
                             .when_down = when_down,
                             .minimum_up = minimum_up,
                             .backends = backends};
    const Plan plan = planner.plan({}, {input}, {});
    planner.commit(plan);
    too_few = plan.too_few[0];
    std::vector<Rotation> list;
    for (const auto& use : plan.state.services[0].backends) list.push_back(use.rotation);
    return list;
  }

  Planner planner{dataplane::DesiredState{}};
  bool too_few = false;
};

using List = std::vector<Rotation>;

TEST_F(TooFew, drops_new_flows_below_the_minimum_and_keeps_those_that_are_open) {
  EXPECT_EQ(rotations(WhenDown::drop, 1, kUp, kDown), (List{Rotation::in, Rotation::down, Rotation::down}));
  EXPECT_FALSE(too_few);
  EXPECT_EQ(rotations(WhenDown::drop, 2, kUp, kDown), (List{Rotation::out, Rotation::down, Rotation::down}));
  EXPECT_TRUE(too_few);
}

TEST_F(TooFew, rejects_as_it_drops_and_has_the_packet_path_say_so) {
  EXPECT_EQ(rotations(WhenDown::reject, 2, kUp, kDown), (List{Rotation::out, Rotation::down, Rotation::down}));
  EXPECT_TRUE(too_few);
  for (const WhenDown way : {WhenDown::drop, WhenDown::reject, WhenDown::fail_open, WhenDown::withdraw}) {
    const Plan plan = planner.plan({}, {{.when_down = way, .backends = {backend("10.0.0.1", kUp)}}}, {});
    EXPECT_EQ(plan.state.services[0].when_none == dataplane::WhenNone::refuse, way == WhenDown::reject);
  }
}

TEST_F(TooFew, fails_open_to_all_but_those_that_may_not_be_used) {
  EXPECT_EQ(rotations(WhenDown::fail_open, 1, kDown, kDown), (List{Rotation::in, Rotation::in, Rotation::down}));
  EXPECT_TRUE(too_few);
  BackendInput drained = backend("10.0.0.1", kDown);
  drained.intake = Intake::closed;
  BackendInput weightless = backend("10.0.0.2", kDown);
  weightless.weight = 0;
  BackendInput unreachable = backend("10.0.0.3", kDown);
  unreachable.hop = {};
  EXPECT_EQ(rotations(WhenDown::fail_open, 1, {drained, weightless, unreachable, backend("10.0.0.4", kDown)}),
            (List{Rotation::down, Rotation::down, Rotation::down, Rotation::in}));
  EXPECT_EQ(rotations(WhenDown::fail_open, 1, kUp, kDown), (List{Rotation::in, Rotation::down, Rotation::down}));
}

TEST_F(TooFew, adds_fallbacks_while_it_lasts_and_only_those_that_are_up) {
  EXPECT_EQ(rotations(WhenDown::fallback, 1, kUp, kDown), (List{Rotation::in, Rotation::down, Rotation::down}));
  EXPECT_EQ(rotations(WhenDown::fallback, 1, kDown, kDown), (List{Rotation::down, Rotation::down, Rotation::in}));
  EXPECT_EQ(rotations(WhenDown::fallback, 2, kUp, kDown), (List{Rotation::in, Rotation::down, Rotation::in}));
  EXPECT_EQ(rotations(WhenDown::fallback, 1, kDown, kDown, kDown),
            (List{Rotation::down, Rotation::down, Rotation::down}));
  EXPECT_TRUE(too_few);
}

TEST_F(TooFew, withdraws_and_still_serves_what_comes) {
  EXPECT_EQ(rotations(WhenDown::withdraw, 2, kUp, kDown), (List{Rotation::in, Rotation::down, Rotation::down}));
  EXPECT_TRUE(too_few);
}

TEST_F(TooFew, is_what_an_order_can_make_of_it) {
  BackendInput drained = backend("10.0.0.1", kUp);
  drained.intake = Intake::closed;
  EXPECT_EQ(rotations(WhenDown::fallback, 1, {drained, backend("10.0.0.9", kUp, Role::fallback)}),
            (List{Rotation::out, Rotation::in}));
}

}  // namespace
}  // namespace astil::balance
