// The census: what it counts, what it forgets, what it shows; and that it can run beside packets.
#include "dataplane/census.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "dataplane/native/native_dataplane.hpp"
#include "tests/packets/world.hpp"

namespace astil::dataplane {
namespace {

using core::FlowState;
using test::kAck;
using test::kClient;
using test::kFin;
using test::kSyn;
using test::Packet;
using test::Service;

constexpr std::string_view kVip = "198.51.100.1";

Packet from_client(std::uint16_t port, std::uint8_t flags) {
  return Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).tcp(port, 80, flags);
}

class CensusCase : public testing::Test {
 protected:
  test::World world_{test::native_engine(test::small_sizes())};
};

TEST_F(CensusCase, counts_flows_by_backend_and_state) {
  const auto published = world_.publish({Service(kVip, 80).direct().backend("10.0.0.1").backend("10.0.0.2")});
  for (std::uint16_t port = 1; port <= 100; ++port) world_.send(from_client(port, kSyn));
  for (std::uint16_t port = 1; port <= 10; ++port) world_.send(from_client(port, kFin | kAck));
  const Census census = take_census(world_.tables(), 0);
  EXPECT_EQ(census.used, 100U);
  EXPECT_EQ(census.expired, 0U);
  EXPECT_EQ(census.by_state[static_cast<std::size_t>(FlowState::half_open)], 90U);
  EXPECT_EQ(census.by_state[static_cast<std::size_t>(FlowState::closing)], 10U);
  const auto& numbers = published.services[0].backends;
  EXPECT_EQ(census.flows[numbers[0]] + census.flows[numbers[1]], 100U);
}

TEST_F(CensusCase, tells_of_flows_that_their_backend_has_not_answered) {
  const auto published = world_.publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  for (std::uint16_t port = 1; port <= 10; ++port) world_.send(from_client(port, kSyn));
  for (std::uint16_t port = 1; port <= 3; ++port) {
    world_.send(
        Packet().ethernet(test::kBalancerMac, test::mac(0xb1)).ipv4("10.0.0.1", kClient).tcp(80, port, kSyn | kAck));
  }
  const Census census = take_census(world_.tables(), 0);
  EXPECT_EQ(census.half_open[published.services[0].backends[0]], 7U);
}

TEST_F(CensusCase, forgets_what_has_expired) {
  world_.publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  world_.send(from_client(1, kSyn));
  world_.let_pass(4);
  world_.send(from_client(2, kSyn));
  world_.let_pass(1);
  EXPECT_EQ(take_census(world_.tables(), 0).expired, 1U);
  EXPECT_EQ(take_census(world_.tables(), 0).used, 1U);
  EXPECT_FALSE(world_.flow(kClient, 1, kVip, 80));
  EXPECT_TRUE(world_.flow(kClient, 2, kVip, 80));
}

TEST_F(CensusCase, forgets_the_flows_of_backends_that_are_given_up_and_of_no_other) {
  const auto published = world_.publish({Service(kVip, 80).direct().backend("10.0.0.1").backend("10.0.0.2")});
  for (std::uint16_t port = 1; port <= 100; ++port) world_.send(from_client(port, kSyn));
  const auto& numbers = published.services[0].backends;
  const Census before = take_census(world_.tables(), 0);
  const Census after = take_census(world_.tables(), 0, {numbers[1]});
  EXPECT_GT(before.flows[numbers[1]], 0U);
  EXPECT_EQ(after.given_up, before.flows[numbers[1]]);
  EXPECT_EQ(after.flows[numbers[0]], before.flows[numbers[0]]);
  EXPECT_EQ(after.named[numbers[1]], 0U);
  const core::Load& load = world_.tables().loads()[numbers[1]];
  EXPECT_EQ(core::active_flows(load), 0U);
}

TEST_F(CensusCase, shows_flows_with_their_keys) {
  world_.publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  world_.send(from_client(4711, kSyn));
  world_.let_pass(2);
  int seen = 0;
  visit_flows(world_.tables(), 0, [&](const FlowRecord& flow) {
    ++seen;
    EXPECT_EQ(flow.flow.client, test::address(kClient));
    EXPECT_EQ(host(flow.flow.client_port), 4711);
    EXPECT_EQ(flow.idle_seconds, 32U);
    return true;
  });
  EXPECT_EQ(seen, 1);
}

TEST_F(CensusCase, shows_no_flow_whose_key_is_another_ones) {
  world_.publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  world_.send(from_client(4711, kSyn));
  for (core::FlowLine& line : world_.tables().flows()) {
    for (core::FlowKey& key : line.keys) key.client_port = core::be16(4712);
  }
  visit_flows(world_.tables(), 0, [](const FlowRecord&) {
    ADD_FAILURE();
    return true;
  });
}

/// Packet paths on several CPUs, a census and a publisher at once.
class Concurrency : public testing::Test {
 protected:
  static constexpr std::uint32_t kPaths = 3;
  static constexpr std::uint32_t kFlowsEach = 1500;

  Concurrency() : sizes_(sizes()), native_(sizes_) {}

  static core::Sizes sizes() {
    core::Sizes sizes = test::small_sizes();
    sizes.cpus = kPaths;
    sizes.flow_lines = 4096;
    return sizes;
  }

  /// Opens flows of a path of its own, and sends more packets of each.
  void send_packets(std::uint32_t path) {
    native::Surroundings around{.ingress = test::kIngress, .tick = 10, .row = path};
    for (std::uint32_t round = 0; round < 4; ++round) {
      around.tick = 10 + round / 2;
      for (std::uint32_t i = 0; i < kFlowsEach; ++i) {
        const auto port = static_cast<std::uint16_t>(1024 + i);
        const std::string from = "10.1.0." + std::to_string(path);
        const auto bytes = from_client(port, round == 0 ? kSyn : kAck).ipv4(from, kVip).bytes();
        native::Frame frame(bytes);
        native::NativeEngine<> engine(native_.tables(), frame, around);
        EXPECT_EQ(core::run(engine).reason, core::Reason::forwarded);
      }
    }
  }

  core::Sizes sizes_;
  native::NativeDataplane native_;
};

TEST_F(Concurrency, of_packet_paths_and_census_loses_and_corrupts_nothing) {
  Publisher publisher(native_);
  ASSERT_TRUE(publisher.publish(test::desired({Service(kVip, 80).direct().backend("10.0.0.1").backend("10.0.0.2")}))
                  .has_value());
  std::atomic<bool> done = false;
  std::thread counter([&] {
    while (!done) take_census(native_.tables(), 10);
  });
  std::vector<std::thread> paths;
  for (std::uint32_t path = 0; path < kPaths; ++path) paths.emplace_back([this, path] { send_packets(path); });
  for (std::thread& path : paths) path.join();
  done = true;
  counter.join();

  const Census census = take_census(native_.tables(), 11);
  const std::uint64_t contended = native_.tables().sum_event(core::FlowEvent::contended);
  EXPECT_EQ(census.used, kPaths * kFlowsEach) << "contended: " << contended;
  EXPECT_EQ(census.by_state[static_cast<std::size_t>(FlowState::established)], census.used);
  std::size_t shown = 0;
  visit_flows(native_.tables(), 11, [&](const FlowRecord&) { return ++shown, true; });
  EXPECT_EQ(shown, census.used) << "every key fits its entry";
  std::uint64_t packets = 0;
  for (std::size_t slot = 0; slot < sizes_.backends; ++slot) packets += native_.tables().sum_counter(slot).packets;
  EXPECT_EQ(packets, 4U * kPaths * kFlowsEach);
}

}  // namespace
}  // namespace astil::dataplane
