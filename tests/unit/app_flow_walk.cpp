// The list of flows, gathered in slices.
#include "control/app/flow_walk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/packets/world.hpp"

namespace astil::app {
namespace {

using test::kSyn;
using test::Packet;
using test::Service;

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::uint16_t kFlows = 50;

class FlowWalks : public testing::Test {
 protected:
  void SetUp() override {
    published_ = world_.publish({Service(kVip, 80).direct().backend("10.0.0.1").backend("10.0.0.2")});
    for (std::uint16_t port = 1; port <= kFlows; ++port) {
      world_.send(
          Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(test::kClient, kVip).tcp(port, 80, kSyn));
    }
  }

  FlowSource source() {
    return {.tables = [this]() -> const dataplane::Tables& { return world_.tables(); },
            .tables_made = [this] { return tables_made_; },
            .tick = [] { return 0U; },
            .labels = [this](std::uint32_t backend) -> Labels {
              const auto& numbers = published_.services[0].backends;
              if (backend == numbers[0]) return {.service = "web", .backend = "b1"};
              if (backend == numbers[1]) return {.service = "web", .backend = "b2"};
              return {};
            }};
  }
  api::FlowsView all(const api::FlowFilter& filter) {
    FlowWalk walk(source(), filter, 8);
    while (walk.advance()) {
    }
    return walk.take();
  }

  test::World world_{test::native_engine(test::small_sizes())};
  dataplane::Published published_;
  std::uint64_t tables_made_ = 0;
};

TEST_F(FlowWalks, find_each_flow_once) {
  const auto view = all({});
  EXPECT_EQ(view.matched, kFlows);
  std::set<std::uint16_t> ports;
  for (const api::FlowView& flow : view.flows) {
    ports.insert(flow.client.port);
    EXPECT_EQ(flow.client.address.to_string(), test::kClient);
    EXPECT_EQ(flow.destination.address.to_string(), kVip);
    EXPECT_EQ(flow.destination.port, 80);
    EXPECT_EQ(flow.service, "web");
    EXPECT_EQ(flow.state, api::FlowState::half_open);
  }
  EXPECT_EQ(ports.size(), kFlows);
}

TEST_F(FlowWalks, are_filtered_by_service_backend_and_client) {
  api::FlowFilter of_b1;
  of_b1.backend = "b1";
  api::FlowFilter of_b2;
  of_b2.backend = "b2";
  const auto b1 = all(of_b1);
  EXPECT_GT(b1.matched, 0U);
  EXPECT_EQ(b1.matched + all(of_b2).matched, kFlows);
  for (const api::FlowView& flow : b1.flows) EXPECT_EQ(flow.backend, "b1");
  api::FlowFilter other;
  other.service = "mail";
  EXPECT_EQ(all(other).matched, 0U);
  api::FlowFilter nobody;
  nobody.client = boost::asio::ip::make_address("203.0.113.9");
  EXPECT_EQ(all(nobody).matched, 0U);
}

TEST_F(FlowWalks, list_clients_that_affinity_knows_by_their_prefix_and_not_as_flows) {
  published_ = world_.publish({Service(kVip, 80).direct().affinity(60, 24).backend("10.0.0.1").backend("10.0.0.2")});
  world_.send(Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4("198.18.5.77", kVip).tcp(7, 80, kSyn));
  api::FlowFilter filter;
  filter.client = boost::asio::ip::make_address("198.18.5.77");
  const auto view = all(filter);
  ASSERT_EQ(view.flows.size(), 2U);
  const auto known = std::find_if(view.flows.begin(), view.flows.end(),
                                  [](const api::FlowView& flow) { return flow.state == api::FlowState::affinity; });
  ASSERT_NE(known, view.flows.end());
  EXPECT_EQ(known->client.address.to_string(), "198.18.5.0");
  EXPECT_EQ(known->client_prefix, 24U);
  filter.client = boost::asio::ip::make_address("198.18.6.77");
  EXPECT_EQ(all(filter).matched, 0U);
}

TEST_F(FlowWalks, count_all_and_list_as_many_as_are_asked_for) {
  api::FlowFilter few;
  few.limit = 3;
  const auto view = all(few);
  EXPECT_EQ(view.matched, kFlows);
  EXPECT_EQ(view.flows.size(), 3U);
}

TEST_F(FlowWalks, begin_anew_where_the_tables_are_others) {
  FlowWalk walk(source(), {}, 8);
  for (int slice = 0; slice < 10; ++slice) ASSERT_TRUE(walk.advance());
  ++tables_made_;
  while (walk.advance()) {
  }
  EXPECT_EQ(walk.take().matched, kFlows);
}

}  // namespace
}  // namespace astil::app
