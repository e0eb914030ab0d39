// From a configuration to the planner's inputs: schedulers, the prefixes of clients, affinity, weights, facts.
#include "control/app/inputs.hpp"

#include <gtest/gtest.h>

namespace astil::app {
namespace {

using namespace std::chrono_literals;

config::Service service(const char* host) {
  config::Service made;
  made.name = "web";
  made.host = boost::asio::ip::make_address(host);
  made.port = config::Port{80};
  config::Backend backend;
  backend.name = "b1";
  backend.host =
      made.host.is_v4() ? boost::asio::ip::make_address("10.0.0.1") : boost::asio::ip::make_address("2001:db8::b");
  backend.weight = config::Weight{7};
  made.backends = {backend};
  return made;
}

balance::ServiceInput input_of(const config::Service& service) {
  config::Model model;
  model.services = {service};
  const Facts facts{.availability = [](const auto&, const auto&) { return balance::Availability::up; },
                    .next_hop = [](const auto&) { return std::nullopt; }};
  return planner_inputs(model, facts).at(0);
}

TEST(Inputs, name_each_scheduler) {
  using enum config::Scheduler;
  const std::pair<config::Scheduler, core::Scheduler> kSame[] = {
      {maglev, core::Scheduler::maglev},
      {round_robin, core::Scheduler::round_robin},
      {least_connections, core::Scheduler::least_connections},
      {source_hash, core::Scheduler::source_hash},
      {two_choices, core::Scheduler::two_choices}};
  for (const auto& [configured, wanted] : kSame) {
    config::Service web = service("192.0.2.10");
    web.scheduler = configured;
    EXPECT_EQ(input_of(web).scheduler, wanted);
  }
}

TEST(Inputs, say_by_protocol_what_flows_of_a_backend_that_is_down_do) {
  const auto rotation = [](config::Protocol protocol, config::DownFlows flows) {
    config::Service web = service("192.0.2.10");
    web.protocol = protocol;
    web.when_backend_down = flows;
    return input_of(web).rotation_of_down;
  };
  EXPECT_EQ(rotation(config::Protocol::tcp, config::DownFlows::keep), core::Rotation::down);
  EXPECT_EQ(rotation(config::Protocol::tcp, config::DownFlows::re_steer), core::Rotation::lost);
  EXPECT_EQ(rotation(config::Protocol::tcp, config::DownFlows::reset), core::Rotation::reset);
  EXPECT_EQ(rotation(config::Protocol::udp, config::DownFlows::reset), core::Rotation::down);
  EXPECT_EQ(rotation(config::Protocol::udp, config::DownFlows::keep), core::Rotation::out);
  EXPECT_EQ(rotation(config::Protocol::udp, config::DownFlows::re_steer), core::Rotation::down);
}

TEST(Inputs, count_prefixes_of_ipv4_clients_in_addresses_that_are_mapped_into_ipv6) {
  for (const bool ipv4 : {true, false}) {
    config::Service web = service(ipv4 ? "192.0.2.10" : "2001:db8::1");
    web.source_hash = {.ipv4 = 24, .ipv6 = 56};
    web.affinity = {.prefixes = {.ipv4 = 20, .ipv6 = 48}};
    const balance::ServiceInput input = input_of(web);
    EXPECT_EQ(input.source_bits, ipv4 ? 96 + 24 : 56);
    EXPECT_EQ(input.affinity->bits, ipv4 ? 96 + 20 : 48);
  }
}

TEST(Inputs, have_affinity_only_where_the_service_keeps_it_and_for_its_time_at_least) {
  config::Service web = service("192.0.2.10");
  EXPECT_FALSE(input_of(web).affinity);
  web.affinity = {.timeout = 90'500ms};
  EXPECT_EQ(input_of(web).affinity->seconds, 91U);
}

TEST(Inputs, have_the_weight_of_each_backend_and_what_is_known_of_it) {
  const balance::ServiceInput input = input_of(service("192.0.2.10"));
  ASSERT_EQ(input.backends.size(), 1U);
  EXPECT_EQ(input.backends[0].weight, 7U);
  EXPECT_EQ(input.backends[0].availability, balance::Availability::up);
  EXPECT_EQ(input.backends[0].hop.destination_mac, 0U) << "no next hop is known";
}

TEST(Inputs, have_the_tags_of_the_vlan_devices_that_lead_to_a_backend) {
  config::Model model;
  model.services = {service("192.0.2.10")};
  const net::NextHop hop{.ifindex = 9,
                         .source_mac = {{2, 0, 0, 0, 0, 1}},
                         .neighbour_mac = {{2, 0, 0, 0, 0, 2}},
                         .mtu = 1500,
                         .exit = {.ifindex = 3, .outer_tag = 7, .inner_tag = 42}};
  const Facts facts{.availability = [](const auto&, const auto&) { return balance::Availability::up; },
                    .next_hop = [&](const auto&) { return std::optional(hop); }};
  const auto input = planner_inputs(model, facts).at(0).backends.at(0);
  EXPECT_EQ(input.hop.interface, 3U);
  EXPECT_EQ(input.hop.destination_mac, core::tagged(mac_word(hop.neighbour_mac), core::be16(7)));
  EXPECT_EQ(input.hop.source_mac, core::tagged(mac_word(hop.source_mac), core::be16(42)));
}

TEST(Inputs, know_a_vlan_device_by_its_tag_and_what_carries_it) {
  const net::MacAddress mac{{2, 0, 0, 0, 0, 1}};
  const auto plain = interface_state({.ifindex = 3, .name = "eth0", .mac = mac});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->mac, mac_word(mac));
  EXPECT_EQ(plain->parent, 0U);
  const auto device =
      interface_state({.ifindex = 9, .name = "eth0.42", .mac = mac, .vlan = net::Vlan{.parent = 3, .id = 42}});
  ASSERT_TRUE(device);
  EXPECT_EQ(device->mac, core::tagged(mac_word(mac), core::be16(42)));
  EXPECT_EQ(device->parent, 3U);
  EXPECT_FALSE(interface_state({.ifindex = 4, .name = "tun0", .mac = {}}));
}

net::Link link(std::uint32_t ifindex, std::optional<net::Vlan> vlan = {}) {
  return {.ifindex = ifindex,
          .name = "link" + std::to_string(ifindex),
          .mac = net::MacAddress{{2, 0, 0, 0, 0, 1}},
          .mtu = 1500,
          .up = true,
          .carrier = true,
          .vlan = vlan};
}

TEST(Inputs, have_the_vlan_devices_whose_tags_the_packet_path_can_put_on) {
  net::Link down = link(9, net::Vlan{.parent = 3, .id = 9});
  down.up = false;
  const auto states = vlan_states({link(3), link(4, net::Vlan{.parent = 3, .id = 42}),
                                   link(5, net::Vlan{.parent = 3, .id = 7, .protocol = 0x88a8}),  // carries none
                                   link(6, net::Vlan{.parent = 3, .id = 8, .protocol = 0x88a8}),
                                   link(7, net::Vlan{.parent = 6, .id = 43}),
                                   link(8, net::Vlan{.parent = 0, .id = 44}),   // over another namespace's
                                   link(10, net::Vlan{.parent = 4, .id = 45}),  // both of 802.1Q
                                   down});
  ASSERT_EQ(states.size(), 3U);
  EXPECT_EQ(states[0].ifindex, 4U);
  EXPECT_EQ(states[1].ifindex, 6U);
  EXPECT_EQ(states[2].ifindex, 7U);
  EXPECT_EQ(states[2].parent, 6U);
}

TEST(Inputs, have_the_virtual_routers_where_their_frames_come_in) {
  config::VrrpGroup four{.name = "four", .interface = "link3", .virtual_router_id = 51};
  four.addresses = {boost::asio::ip::make_address("192.0.2.10")};
  config::VrrpGroup six{.name = "six", .interface = "link4", .virtual_router_id = 52, .virtual_mac = true};
  six.addresses = {boost::asio::ip::make_address("2001:db8::10")};
  config::Model model;
  model.ha.emplace();
  model.ha->groups = {four, six};
  const std::vector<net::Link> links{link(3), link(4, net::Vlan{.parent = 3, .id = 42})};
  const auto states = virtual_router_states(model, links);
  ASSERT_EQ(states.size(), 1U);
  EXPECT_EQ(states[0].mac, 0x34'02'00'5e'00'00U);
  EXPECT_EQ(states[0].ifindex, core::virtual_router_number(3, states[0].mac));
  EXPECT_TRUE(virtual_router_states(model, {}).empty());
  net::Link own = link(7);
  own.mac = net::MacAddress{{0, 0, 0x5e, 0, 1, 9}};
  model.interfaces = {own.name};
  EXPECT_EQ(virtual_router_states(model, {own}).at(0).ifindex, core::virtual_router_number(7, mac_word(*own.mac)));
}

TEST(Inputs, have_the_addresses_that_nobody_but_services_is_at) {
  config::VrrpGroup open{.name = "open"};
  open.addresses = {boost::asio::ip::make_address("192.0.2.10")};
  config::VrrpGroup closed{.name = "closed", .accept_mode = false};
  closed.addresses = {boost::asio::ip::make_address("2001:db8::10")};
  closed.link_local = boost::asio::ip::make_address("fe80::51");
  config::Model model;
  EXPECT_TRUE(path_settings(model).closed.empty());
  model.ha.emplace();
  model.ha->groups = {open, closed};
  EXPECT_EQ(path_settings(model).closed, (std::vector{to_core(closed.addresses.front()), to_core(*closed.link_local)}));
}

TEST(Inputs, have_no_more_vlan_devices_than_the_table_of_interfaces_takes) {
  std::vector<net::Link> links{link(3)};
  for (std::uint32_t i = 0; i < 1000; ++i)
    links.push_back(link(10 + 7 * i, net::Vlan{.parent = 3, .id = static_cast<std::uint16_t>(i + 1)}));
  EXPECT_EQ(vlan_states(links).size(), kMostVlanDevices);
}

}  // namespace
}  // namespace astil::app
