// The planner: health, weights and next hops into rotation and rings.
#include "control/balance/planner.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/packets/packet.hpp"

namespace astil::balance {
namespace {

using dataplane::Rotation;
using test::address;
using test::mac;

BackendInput backend(std::string_view dotted, Availability availability = Availability::up, std::uint32_t weight = 1) {
  return {.address = address(dotted),
          .port = 80,
          .weight = weight,
          .availability = availability,
          .hop = {.destination_mac = mac(0xb1), .source_mac = mac(1), .interface = 2, .source = address("10.0.0.254")}};
}

ServiceInput service(const std::vector<BackendInput>& backends) {
  return {.name = "web", .key = {.address = address("198.51.100.1"), .port = 80, .protocol = 6}, .backends = backends};
}

class PlannerCase : public testing::Test {
 protected:
  Plan plan(const ServiceInput& input) { return planner_.plan({}, {input}, now_); }
  /// Plans and commits.
  dataplane::ServiceState change_to(const ServiceInput& input) {
    const Plan made = plan(input);
    planner_.commit(made);
    return made.state.services[0];
  }

  Clock::time_point now_{};
  Planner planner_{dataplane::DesiredState{}};
};

TEST_F(PlannerCase, a_new_backend_stays_out_until_it_is_known_to_be_up) {
  const auto state = change_to(service({backend("10.0.0.1"), backend("10.0.0.2", Availability::unknown)}));
  EXPECT_EQ(state.backends[0].rotation, Rotation::in);
  EXPECT_EQ(state.backends[1].rotation, Rotation::down);
  EXPECT_EQ(std::count(state.ring.begin(), state.ring.end(), 1), 0);
}

TEST_F(PlannerCase, a_service_that_has_no_backends_after_a_restart_has_no_ring) {
  const auto before = change_to(service({backend("10.0.0.1"), backend("10.0.0.2")}));
  ASSERT_FALSE(before.ring.empty());
  Planner restarted(dataplane::DesiredState{.interfaces = {}, .services = {before}});
  const Plan after = restarted.plan({}, {service({})}, now_);
  EXPECT_TRUE(after.state.services[0].ring.empty());
  ASSERT_EQ(after.rings.size(), 1U);
}

TEST_F(PlannerCase, a_backend_that_is_not_checked_yet_stays_as_it_was) {
  const auto before = change_to(service({backend("10.0.0.1"), backend("10.0.0.2", Availability::down)}));
  Planner restarted(dataplane::DesiredState{.interfaces = {}, .services = {before}});
  const Plan after = restarted.plan(
      {}, {service({backend("10.0.0.1", Availability::unknown), backend("10.0.0.2", Availability::unknown)})}, now_);
  EXPECT_EQ(after.state.services[0].backends[0].rotation, Rotation::in);
  EXPECT_EQ(after.state.services[0].backends[1].rotation, Rotation::down);
  EXPECT_EQ(after.state.services[0].ring, before.ring);
  EXPECT_TRUE(after.rings.empty());
}

TEST_F(PlannerCase, a_lost_next_hop_keeps_the_last_one) {
  change_to(service({backend("10.0.0.1"), backend("10.0.0.2")}));
  BackendInput lost = backend("10.0.0.1");
  lost.hop = {};
  const auto state = change_to(service({lost, backend("10.0.0.2")}));
  EXPECT_EQ(state.backends[0].destination_mac, mac(0xb1));
  EXPECT_EQ(state.backends[0].source_mac, mac(1));
  EXPECT_EQ(state.backends[0].interface, 2U);
  EXPECT_EQ(state.backends[0].source, address("10.0.0.254"));
  EXPECT_EQ(state.backends[0].rotation, Rotation::in);
}

TEST_F(PlannerCase, a_backend_whose_next_hop_was_never_known_is_down) {
  BackendInput unresolved = backend("10.0.0.1");
  unresolved.hop = {};
  EXPECT_EQ(change_to(service({unresolved})).backends[0].rotation, Rotation::down);
}

TEST_F(PlannerCase, all_down_is_an_empty_ring_and_back_up_the_same_as_before) {
  const auto before = change_to(service({backend("10.0.0.1"), backend("10.0.0.2")}));
  const auto down =
      change_to(service({backend("10.0.0.1", Availability::down), backend("10.0.0.2", Availability::down)}));
  EXPECT_TRUE(down.ring.empty());
  const auto after = change_to(service({backend("10.0.0.1"), backend("10.0.0.2")}));
  EXPECT_EQ(after.ring, before.ring);
}

TEST_F(PlannerCase, a_weight_of_zero_takes_a_backend_out) {
  const auto state = change_to(service({backend("10.0.0.1"), backend("10.0.0.2", Availability::up, 0)}));
  EXPECT_EQ(state.backends[1].rotation, Rotation::out);
}

TEST_F(PlannerCase, a_backend_that_takes_no_flows_is_out_in_a_ring_of_the_same_length) {
  const auto before = change_to(service({backend("10.0.0.1"), backend("10.0.0.2")}));
  BackendInput drained = backend("10.0.0.2");
  drained.intake = Intake::closed;
  const auto state = change_to(service({backend("10.0.0.1"), drained}));
  EXPECT_EQ(state.backends[1].rotation, Rotation::out);
  EXPECT_EQ(std::count(state.ring.begin(), state.ring.end(), 1), 0);
  EXPECT_EQ(state.ring.size(), before.ring.size());
  drained.availability = Availability::down;
  EXPECT_EQ(change_to(service({backend("10.0.0.1"), drained})).backends[1].rotation, Rotation::down);
}

TEST_F(PlannerCase, one_down_of_three_moves_its_slots_alone_and_says_so) {
  const auto before = change_to(service({backend("10.0.0.1"), backend("10.0.0.2"), backend("10.0.0.3")}));
  const Plan made = plan(service({backend("10.0.0.1"), backend("10.0.0.2", Availability::down), backend("10.0.0.3")}));
  const auto& after = made.state.services[0];
  ASSERT_EQ(after.ring.size(), before.ring.size());
  std::uint32_t moved = 0;
  for (std::size_t slot = 0; slot < after.ring.size(); ++slot) {
    if (before.ring[slot] == 1) {
      EXPECT_NE(after.ring[slot], 1);
      ++moved;
    } else {
      EXPECT_EQ(after.ring[slot], before.ring[slot]);
    }
  }
  ASSERT_EQ(made.rings.size(), 1U);
  EXPECT_EQ(made.rings[0].service, "web");
  EXPECT_EQ(made.rings[0].moved, moved);
  EXPECT_EQ(made.rings[0].least, moved);
}

TEST_F(PlannerCase, another_order_of_backends_moves_nothing) {
  const auto before = change_to(service({backend("10.0.0.1"), backend("10.0.0.2"), backend("10.0.0.3")}));
  const auto after = change_to(service({backend("10.0.0.3"), backend("10.0.0.1"), backend("10.0.0.2")}));
  EXPECT_EQ(ring_digest(after), ring_digest(before));
}

TEST_F(PlannerCase, a_removed_backends_slots_go_to_others) {
  change_to(service({backend("10.0.0.1"), backend("10.0.0.2")}));
  const auto after = change_to(service({backend("10.0.0.2")}));
  EXPECT_TRUE(std::all_of(after.ring.begin(), after.ring.end(), [](std::uint16_t slot) { return slot == 0; }));
}

TEST_F(PlannerCase, canonical_rings_are_the_same_over_any_history_and_patched_ones_are_not) {
  const auto with_weights = [](std::initializer_list<std::uint32_t> weights, bool canonical) {
    std::vector<BackendInput> backends;
    for (const std::uint32_t weight : weights)
      backends.push_back(backend("10.0.0." + std::to_string(backends.size() + 1), Availability::up, weight));
    ServiceInput input = service(std::move(backends));
    input.canonical = canonical;
    return input;
  };
  for (const bool canonical : {true, false}) {
    Planner fresh{dataplane::DesiredState{}};
    Planner seasoned{dataplane::DesiredState{}};
    for (const auto& weights : {std::initializer_list<std::uint32_t>{1, 1, 1}, {1, 2, 1}, {1, 1, 2}})
      seasoned.commit(seasoned.plan({}, {with_weights(weights, canonical)}, {}));
    const auto wanted = with_weights({2, 1, 1}, canonical);
    const auto ring_of = [&](const Planner& planner) { return planner.plan({}, {wanted}, {}).state.services[0]; };
    EXPECT_EQ(ring_digest(ring_of(fresh)) == ring_digest(ring_of(seasoned)), canonical);
    // The rule alone changes, and the ring with it.
    seasoned.commit(seasoned.plan({}, {wanted}, {}));
    const auto now_canonical = with_weights({2, 1, 1}, true);
    fresh.commit(fresh.plan({}, {now_canonical}, {}));
    EXPECT_EQ(ring_digest(seasoned.plan({}, {now_canonical}, {}).state.services[0]),
              ring_digest(fresh.plan({}, {now_canonical}, {}).state.services[0]));
  }
}

TEST_F(PlannerCase, a_ring_never_shrinks) {
  const auto before = change_to(service({backend("10.0.0.1"), backend("10.0.0.2", Availability::up, 100)}));
  const auto after = change_to(service({backend("10.0.0.1"), backend("10.0.0.2")}));
  EXPECT_EQ(after.ring.size(), before.ring.size());
}

TEST_F(PlannerCase, a_plan_that_is_not_committed_is_forgotten) {
  const auto before = change_to(service({backend("10.0.0.1"), backend("10.0.0.2")}));
  (void)plan(service({backend("10.0.0.1"), backend("10.0.0.2", Availability::down)}));
  EXPECT_EQ(change_to(service({backend("10.0.0.1"), backend("10.0.0.2")})).ring, before.ring);
}

TEST_F(PlannerCase, round_robin_has_a_wheel_and_a_ring) {
  ServiceInput input = service({backend("10.0.0.1"), backend("10.0.0.2", Availability::up, 2)});
  input.scheduler = core::Scheduler::round_robin;
  const auto state = change_to(input);
  EXPECT_EQ(state.wheel.size(), 3U);
  EXPECT_FALSE(state.ring.empty());
}

TEST_F(PlannerCase, an_unchanged_service_keeps_its_ring_and_its_wheel) {
  ServiceInput input = service({backend("10.0.0.1"), backend("10.0.0.2", Availability::up, 3)});
  input.scheduler = core::Scheduler::round_robin;
  const auto before = change_to(input);
  const Plan made = plan(input);
  EXPECT_EQ(made.state.services[0].ring, before.ring);
  EXPECT_EQ(made.state.services[0].wheel, before.wheel);
  EXPECT_TRUE(made.rings.empty());
}

TEST_F(PlannerCase, a_wheel_follows_weights_order_and_scheduler) {
  ServiceInput input = service({backend("10.0.0.1"), backend("10.0.0.2", Availability::up, 3)});
  EXPECT_TRUE(change_to(input).wheel.empty());
  input.scheduler = core::Scheduler::round_robin;
  EXPECT_EQ(std::ranges::count(change_to(input).wheel, 1), 3);
  std::swap(input.backends[0], input.backends[1]);
  EXPECT_EQ(std::ranges::count(change_to(input).wheel, 0), 3);
  input.backends[0].weight = 1;
  EXPECT_EQ(change_to(input).wheel.size(), 2U);
}

TEST_F(PlannerCase, a_scheduler_by_load_gets_the_weights_and_no_wheel) {
  ServiceInput input = service({backend("10.0.0.1"), backend("10.0.0.2", Availability::down, 7)});
  input.scheduler = core::Scheduler::least_connections;
  input.source_bits = 120;
  input.affinity = dataplane::Affinity{.seconds = 60, .bits = 120};
  input.sources = {.ranges = dataplane::ranges_of({{.network = address("10.9.0.0"), .length = 112}}), .burst = 3};
  const auto state = change_to(input);
  EXPECT_EQ(state.backends[0].weight, 1U);
  EXPECT_EQ(state.backends[1].weight, 7U);
  EXPECT_TRUE(state.wheel.empty());
  EXPECT_EQ(state.source_bits, 120);
  EXPECT_EQ(state.affinity, input.affinity);
  EXPECT_EQ(state.sources, input.sources);
}

TEST(Identity, differs_by_address_and_port) {
  EXPECT_NE(identity_of(address("10.0.0.1"), 80), identity_of(address("10.0.0.1"), 81));
  EXPECT_NE(identity_of(address("10.0.0.1"), 80), identity_of(address("10.0.0.2"), 80));
}

}  // namespace
}  // namespace astil::balance
