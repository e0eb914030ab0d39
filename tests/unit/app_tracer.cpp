// What `astil trace` says of the schedulers' choices.
#include "control/app/tracer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/packets/world.hpp"

namespace astil::app {
namespace {

using test::kSyn;
using test::Packet;
using test::Service;
using testing::HasSubstr;

constexpr std::string_view kVip = "198.51.100.1";

class Traces : public testing::Test {
 protected:
  void publish(const Service& service) {
    numbers_ = world_
                   .publish({Service(service)
                                 .backend("10.0.0.1", {.weight = 2})
                                 .backend("10.0.0.2")
                                 .backend("10.0.0.3", {.rotation = dataplane::Rotation::out})})
                   .services[0]
                   .backends;
  }
  void open(std::uint16_t port) {
    world_.send(Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(test::kClient, kVip).tcp(port, 80, kSyn));
  }
  api::TraceView trace_of(std::uint16_t port) {
    const api::TraceQuery query{.protocol = "tcp",
                                .from = {boost::asio::ip::make_address(test::kClient), port},
                                .to = {boost::asio::ip::make_address(kVip), 80}};
    const Names names{.service = [](std::uint32_t) { return "web"; },
                      .backend =
                          [this](std::uint32_t number) {
                            const auto at = std::find(numbers_.begin(), numbers_.end(), number) - numbers_.begin();
                            return "b" + std::to_string(at + 1);
                          },
                      .interface = [](std::uint32_t) { return "eth0"; }};
    return trace(world_.tables(), {.ingress = test::kIngress, .ingress_mac = test::kBalancerMac, .tick = 0}, query,
                 names)
        .value();
  }
  static std::string text_of(const api::TraceView& view) {
    std::string text;
    for (const api::TraceStep& step : view.steps) text += step.stage + ": " + step.text + "\n";
    return text;
  }

  test::World world_{test::native_engine(test::small_sizes())};
  std::vector<std::uint32_t> numbers_;
};

TEST_F(Traces, of_least_connections_show_what_was_compared) {
  publish(Service(kVip, 80).direct().least_connections());
  for (std::uint16_t port = 1; port <= 6; ++port) open(port);  // four and two, as the weights are
  const api::TraceView view = trace_of(99);
  EXPECT_EQ(view.backend, "b1");
  EXPECT_FALSE(view.ring_slot);
  const std::string text = text_of(view);
  EXPECT_THAT(text, HasSubstr("least-connections takes backend b1 of these flows: "));
  EXPECT_THAT(text, HasSubstr("b1 4 by weight 2"));
  EXPECT_THAT(text, HasSubstr("b2 2"));
  EXPECT_THAT(text, testing::Not(HasSubstr("b3"))) << "not in rotation";
}

TEST_F(Traces, of_sources_name_the_prefix_or_the_limit_that_decided) {
  publish(Service(kVip, 80).direct().deny(test::kClient, 24).allow(test::kClient, 30).limit(5, 2, 28));
  const api::TraceView first = trace_of(1);
  EXPECT_EQ(first.backend.substr(0, 1), "b");
  EXPECT_THAT(text_of(first), HasSubstr("sources: allow has 192.0.2.8/30, the longest prefix that holds the client\n"));
  EXPECT_THAT(text_of(first),
              HasSubstr("sources: 192.0.2.0/28 is within its limit of 5 new flows a second, 2 at once"));
  open(1);
  open(2);
  const api::TraceView limited = trace_of(3);
  EXPECT_EQ(limited.reason, "source_limited");
  EXPECT_THAT(text_of(limited), HasSubstr("192.0.2.0/28 has used up its limit of 5 new flows a second"));
  EXPECT_TRUE(trace_of(1).flow_known) << "and is not asked";

  publish(Service(kVip, 80).direct().allow("10.0.0.0", 8));
  const api::TraceView denied = trace_of(4);
  EXPECT_EQ(denied.verdict, api::Verdict::drop);
  EXPECT_EQ(denied.reason, "source_denied");
  EXPECT_THAT(text_of(denied), HasSubstr("sources: no prefix of allow holds the client, so it is denied"));
}

TEST_F(Traces, of_source_hash_show_that_the_clients_address_decided) {
  publish(Service(kVip, 80).direct().source_hash(32));
  const api::TraceView view = trace_of(99);
  EXPECT_TRUE(view.ring_slot);
  EXPECT_THAT(text_of(view), HasSubstr(", by the client's address, is backend " + view.backend));
  EXPECT_EQ(trace_of(100).backend, view.backend);
}

TEST_F(Traces, of_affinity_show_where_the_client_was_last) {
  publish(Service(kVip, 80).direct().round_robin().affinity(160, 32));
  open(1);
  world_.let_pass(3);
  const api::TraceView view = trace_of(99);
  EXPECT_THAT(text_of(view),
              HasSubstr("affinity: the client's last new flow went to backend " + view.backend + ", about 48 s ago"));
  EXPECT_EQ(view.backend, "b" + std::to_string(1 + world_.flow(test::kClient, 1, kVip, 80)->backend - numbers_[0]));
}

TEST_F(Traces, while_new_flows_are_limited_show_the_ring) {
  publish(Service(kVip, 80).direct().least_connections());
  world_.tables().settings().shared.limited = 1;
  EXPECT_TRUE(trace_of(99).ring_slot);
}

}  // namespace
}  // namespace astil::app
