// What `astil apply` says of a change: no change is silent.
#include "control/app/changes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace astil::app {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

config::Model model() {
  config::Model made;
  made.interfaces = {"eth0"};
  config::Service web;
  web.name = "web";
  web.host = boost::asio::ip::make_address("192.0.2.10");
  web.port = config::Port{80};
  config::Backend b1;
  b1.name = "b1";
  b1.host = boost::asio::ip::make_address("10.0.0.1");
  b1.port = config::Port{80};
  web.backends = {b1};
  made.services = {web};
  return made;
}

/// Every backend has 10 flows, and 5 more are left of backends that were removed.
FlowCounts ten_each() {
  return {.all = 1000,
          .of_service = [](const config::Service& service) { return 10 * service.backends.size() + 5; },
          .of_backend = [](const config::Service&, const config::Backend&) { return std::uint64_t{10}; }};
}

std::vector<std::string> lines_of(const config::Model& from, const config::Model& to) {
  return describe_changes(from, to, ten_each()).changes;
}

TEST(Changes, of_nothing_are_none) { EXPECT_THAT(lines_of(model(), model()), ElementsAre()); }

TEST(Changes, of_the_pair_are_told) {
  config::Model alone = model();
  config::Model pair = model();
  config::VrrpGroup web{.name = "web", .interface = "eth0", .virtual_router_id = 51};
  web.addresses = {boost::asio::ip::make_address("192.0.2.10")};
  pair.ha.emplace();
  pair.ha->groups = {web};
  EXPECT_THAT(lines_of(alone, pair), ElementsAre("one of a pair: without its addresses until it is elected"));
  EXPECT_THAT(lines_of(pair, alone), ElementsAre("pair left: this balancer has all addresses by itself"));
  EXPECT_THAT(lines_of(pair, pair), ElementsAre());
  config::Model to = pair;
  to.ha->sync.emplace();
  config::VrrpGroup& group = to.ha->groups[0];
  group.addresses = {boost::asio::ip::make_address("192.0.2.11"), boost::asio::ip::make_address("192.0.2.12")};
  group.priority = 90;
  group.accept_mode = false;
  group.preempt = false;
  group.track.emplace_back();
  EXPECT_THAT(lines_of(pair, to),
              ElementsAre("flow sync changed", "group web: gets 192.0.2.11, 192.0.2.12",
                          "group web: gives up 192.0.2.10", "group web: priority changed from 100 to 90",
                          "group web: what is for no service is dropped", "group web: preempt, track changed"));
  to = pair;
  to.ha->groups[0].virtual_router_id = 52;
  EXPECT_THAT(lines_of(pair, to),
              ElementsAre("group web: is another virtual router: elected anew, without addresses until then"));
  to.ha->groups[0].name = "front";
  EXPECT_THAT(lines_of(pair, to), ElementsAre("group web removed", "group front added: elects who has 192.0.2.10"));
}

TEST(Changes, of_a_protocol_are_told) {
  config::Model to = model();
  to.services[0].protocol = config::Protocol::udp;
  EXPECT_THAT(lines_of(model(), to), ElementsAre("service web: protocol changed to udp"));
}

TEST(Changes, of_scheduler_and_affinity_say_what_becomes_of_them) {
  config::Model to = model();
  to.services[0].scheduler = config::Scheduler::least_connections;
  to.services[0].affinity.emplace();
  EXPECT_THAT(lines_of(model(), to),
              ElementsAre("service web: scheduler changed to least-connections", "service web: affinity begins"));
  EXPECT_THAT(lines_of(to, model()),
              ElementsAre("service web: scheduler changed to maglev", "service web: affinity given up"));
}

TEST(Changes, of_what_backends_that_go_and_come_make_are_told) {
  config::Model from = model();
  from.services[0].when_backend_down = config::DownFlows::keep;
  config::Model to = from;
  to.services[0].when_backend_down = config::DownFlows::re_steer;
  to.services[0].when_down = config::WhenDown::fail_open;
  to.services[0].slow_start = config::Milliseconds(30'000);
  to.services[0].removal_limit = config::Milliseconds(60'000);
  to.services[0].backends[0].is_fallback = true;
  EXPECT_THAT(lines_of(from, to),
              ElementsAre("service web: with fewer than 1 backends: fail-open",
                          "service web: flows of a backend that is down: re-steer",
                          "service web: limit for removed backends changed", "service web: slow start changed",
                          "service web: backend b1 is a fallback"));
}

TEST(Changes, of_sources_name_prefixes_and_limits) {
  const auto prefix = [](const char* network) { return config::Prefix{boost::asio::ip::make_address(network), 24}; };
  config::Model from = model();
  from.services[0].sources = config::Sources{
      .allow = {prefix("10.1.1.0")}, .deny = {prefix("10.2.1.0")}, .new_flows_per_second = 10, .burst = 20};
  config::Model to = model();
  to.services[0].sources =
      config::Sources{.allow = {prefix("10.1.1.0")},
                      .deny = {prefix("10.2.2.0"), prefix("10.2.3.0"), prefix("10.2.4.0"), prefix("10.2.5.0")},
                      .new_flows_per_second = 10,
                      .burst = 30};
  EXPECT_THAT(
      lines_of(from, to),
      ElementsAre("service web: sources: deny: 4 prefixes added (10.2.2.0/24, 10.2.3.0/24, 10.2.4.0/24, ...), 1 "
                  "prefix removed (10.2.1.0/24)",
                  "service web: sources: limit of new flows changed, now 10 a second, 30 at once"));
  EXPECT_THAT(lines_of(from, model()), ElementsAre("service web: sources: allow: 1 prefix removed (10.1.1.0/24)",
                                                   "service web: sources: deny: 1 prefix removed (10.2.1.0/24)",
                                                   "service web: sources: no limit of new flows any more"));
}

TEST(Changes, of_any_setting_are_told_once) {
  const std::vector<std::function<void(config::Model&)>> changes{
      [](config::Model& m) { m.interfaces = {"eth1"}; },
      [](config::Model& m) { m.addresses = config::AddressOwner::none; },
      [](config::Model& m) { m.address_interface = "eth9"; },
      [](config::Model& m) { m.tables.flow_slots *= 2; },
      [](config::Model& m) { m.timeouts.udp *= 2; },
      [](config::Model& m) { m.services.clear(); },
      [](config::Model& m) { m.services[0].port = config::Port{81}; },
      [](config::Model& m) { m.services[0].forwarding = config::Forwarding::direct; },
      [](config::Model& m) { m.services[0].scheduler = config::Scheduler::round_robin; },
      [](config::Model& m) { m.services[0].source_hash.ipv4 = 24; },
      [](config::Model& m) { m.services[0].affinity.emplace(); },
      [](config::Model& m) { m.services[0].sources = config::Sources{.new_flows_per_second = 5, .burst = 5}; },
      [](config::Model& m) { m.new_flows_per_second = 0; },
      [](config::Model& m) { m.services[0].health.emplace(); },
      [](config::Model& m) { m.services[0].ring_slots_per_weight *= 2; },
      [](config::Model& m) { m.services[0].backends[0].weight = config::Weight{7}; },
      [](config::Model& m) { m.services[0].backends[0].port = config::Port{81}; },
      [](config::Model& m) { m.services[0].backends[0].name = "b2"; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    config::Model to = model();
    changes[i](to);
    // A backend under another name is one that went and one that came.
    EXPECT_THAT(lines_of(model(), to), SizeIs(i + 1 == changes.size() ? 2 : 1)) << i;
  }
}

TEST(Changes, of_a_backend_concern_the_flows_that_it_has) {
  config::Model to = model();
  to.services[0].backends[0].weight = config::Weight{0};
  const api::ApplyView view = describe_changes(model(), to, ten_each());
  ASSERT_EQ(view.services.size(), 1U);
  EXPECT_EQ(view.services[0].service, "web");
  ASSERT_EQ(view.services[0].backends.size(), 1U);
  EXPECT_THAT(view.services[0].backends[0].changes, ElementsAre("weight 1 to 0"));
  EXPECT_EQ(view.services[0].backends[0].flows, 10U);
  EXPECT_EQ(view.services[0].flows, 10U);
  EXPECT_EQ(view.services[0].flows_end, 0U);
}

TEST(Changes, end_all_flows_of_a_service_that_goes_and_none_of_one_that_gets_another_name) {
  config::Model gone = model();
  gone.services.clear();
  const api::ApplyView removed = describe_changes(model(), gone, ten_each());
  ASSERT_EQ(removed.services.size(), 1U);
  EXPECT_EQ(removed.services[0].change, api::PartChange::removed);
  EXPECT_EQ(removed.services[0].flows, 15U);
  EXPECT_EQ(removed.services[0].flows_end, 15U);

  config::Model renamed = model();
  renamed.services[0].name = "www";
  const api::ApplyView other_name = describe_changes(model(), renamed, ten_each());
  ASSERT_EQ(other_name.services.size(), 2U);
  EXPECT_EQ(other_name.services[0].flows, 15U);
  EXPECT_EQ(other_name.services[0].flows_end, 0U);
}

TEST(Changes, of_a_service_to_another_port_end_its_flows_and_do_not_say_that_they_go_on) {
  config::Model to = model();
  to.services[0].port = config::Port{81};
  to.services[0].backends[0].name = "b2";
  const api::ApplyView view = describe_changes(model(), to, ten_each());
  ASSERT_EQ(view.services.size(), 1U);
  EXPECT_EQ(view.services[0].flows_end, 15U);
  EXPECT_THAT(view.services[0].backends[0].changes, ElementsAre("removed"));
}

TEST(Changes, of_table_sizes_carry_all_flows) {
  config::Model to = model();
  to.tables.flow_slots *= 2;
  EXPECT_EQ(describe_changes(model(), to, ten_each()).flows_carried, 1000U);
  EXPECT_EQ(describe_changes(model(), model(), ten_each()).flows_carried, 0U);
}

}  // namespace
}  // namespace astil::app
