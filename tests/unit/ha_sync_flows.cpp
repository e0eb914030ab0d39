// Flow sync brings every connection to the other node, with its backend and state, whatever the net and the two nodes
// do meanwhile.
#include "tests/unit/ha_sync_pair.hpp"

namespace astil::ha::sync {
namespace {

core::Sizes with_lines(std::uint32_t lines) {
  core::Sizes sizes = test::small_sizes();
  sizes.flow_lines = sizes.client_lines = lines;
  return sizes;
}

TEST(Sync, brings_the_whole_table_to_a_node_that_joins) {
  Pair pair;
  pair.publish({web()});
  open_direct(pair.world(0), 1000, 200);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  EXPECT_EQ(same(pair, 1000, 200), 200U);
}

TEST(Sync, does_not_call_a_table_complete_before_it_is) {
  Pair pair(with_lines(4096), with_lines(4096));
  pair.publish({web()});
  open_direct(pair.world(0), 1000, 10'000);
  pair.options.session.bytes_per_second = 200'000;
  pair.weather.loss = 0.05;
  pair.start();
  while (!pair.complete(1)) {
    pair.run(1ms);
    ASSERT_LT(pair.status(1).session.received, 20'000U);
  }
  EXPECT_EQ(same(pair, 1000, 10'000), 10'000U);
}

TEST(Sync, brings_what_changes_within_the_interval_and_the_time_of_a_datagram) {
  Pair pair;
  pair.publish({web()});
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  open_direct(pair.world(0), 1000, 50);
  pair.run(pair.options.interval + 2ms);
  EXPECT_EQ(same(pair, 1000, 50), 50U);
  pair.world(0).send(
      Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).tcp(1000, 80, kFin | kAck));
  pair.run(pair.options.interval + 2ms);
  EXPECT_EQ(pair.world(1).flow(kClient, 1000, kVip, 80)->state, core::FlowState::closing);
}

TEST(Sync, names_backends_by_their_addresses_and_not_by_their_numbers) {
  Pair pair;
  pair.publish(1, {Service(kVip, 9).direct().backend("10.0.0.99").backend("10.0.0.3")});
  pair.publish(1, {Service(kVip, 9).direct().backend("10.0.0.99"),
                   Service(kVip, 80).direct().backend("10.0.0.3").backend("10.0.0.2").backend("10.0.0.1")});
  pair.publish(0, {web()});
  open_direct(pair.world(0), 1000, 100);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  EXPECT_EQ(same(pair, 1000, 100), 100U);
}

TEST(Sync, converges_where_five_percent_are_lost_and_others_doubled_and_overtaken) {
  Pair pair(with_lines(4096), with_lines(4096));
  pair.publish({web()});
  pair.weather = {.loss = 0.05, .twice = 0.05, .delay = 200us, .jitter = 2000us};
  pair.start();
  for (std::uint16_t first = 1000; first < 11'000; first = static_cast<std::uint16_t>(first + 500)) {
    open_direct(pair.world(0), first, 500);
    pair.run(20ms);
  }
  ASSERT_TRUE(pair.both_complete());
  const Time now = pair.now();
  ASSERT_TRUE(pair.run_until([&] { return pair.peer(0).told_since(now); }, 2s));
  EXPECT_EQ(same(pair, 1000, 10'000), 10'000U);
  EXPECT_GT(pair.status(0).session.lost, 0U);
}

TEST(Sync, goes_on_after_the_net_was_cut_for_ten_seconds) {
  Pair pair;
  pair.publish({web()});
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  pair.weather.cut = true;
  open_direct(pair.world(0), 1000, 100);
  pair.run(10s);
  EXPECT_FALSE(pair.complete(1));
  pair.weather.cut = false;
  ASSERT_TRUE(pair.both_complete(1s));
  EXPECT_EQ(same(pair, 1000, 100), 100U);
}

TEST(Sync, survives_the_restart_of_either_side_at_any_moment) {
  for (int cut_after = 0; cut_after < 40; ++cut_after) {
    for (const std::size_t who : {0U, 1U}) {
      Pair pair(with_lines(512), with_lines(512));
      pair.publish({web()});
      open_direct(pair.world(0), 1000, 1000);
      pair.start();
      pair.run(cut_after * 200us);
      pair.start(who);  // a new process, with the tables that are pinned
      ASSERT_TRUE(pair.both_complete()) << "node " << who << " restarted after " << cut_after;
      ASSERT_EQ(same(pair, 1000, 1000), 1000U) << "node " << who << " restarted after " << cut_after;
    }
  }
}

TEST(Sync, fills_a_smaller_table_with_what_is_worth_most) {
  Pair pair(with_lines(512), with_lines(64));
  pair.publish({web()});
  open_direct(pair.world(0), 1000, 250);
  open_direct(pair.world(0), 10'000, 1500, false);  // half-open ones
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  EXPECT_GE(same(pair, 1000, 250), 245U);  // a full pair of lines can be full of established ones
  EXPECT_GT(pair.fate(1, Fate::crowded), 0U);
}

TEST(Sync, never_displaces_what_lives) {
  Pair pair(with_lines(64), with_lines(64));
  pair.publish({web()});
  open_direct(pair.world(0), 1000, 400);
  open_direct(pair.world(1), 30'000, 400);
  const auto established = [&](std::uint16_t port) {
    const auto flow = pair.world(1).flow(kClient, port, kVip, 80);
    return flow && flow->state == core::FlowState::established;
  };
  std::vector<std::uint16_t> before;
  for (std::uint16_t port = 30'000; port < 30'400; ++port) {
    if (established(port)) before.push_back(port);
  }
  ASSERT_GT(before.size(), 390U);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  EXPECT_TRUE(std::ranges::all_of(before, established));
}

TEST(Sync, of_a_backend_that_is_not_configured_yet_is_made_good_when_it_is) {
  Pair pair;
  pair.publish(0, {web()});
  pair.publish(1, {Service(kVip, 80).direct().backend("10.0.0.1")});
  open_direct(pair.world(0), 1000, 150);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  EXPECT_GT(pair.fate(1, Fate::unknown_backend), 0U);
  EXPECT_LT(same(pair, 1000, 150), 150U);
  pair.publish(1, {web()});
  pair.run(200ms);
  EXPECT_EQ(same(pair, 1000, 150), 150U);
}

TEST(Sync, keeps_ages_so_that_what_was_idle_there_is_idle_here) {
  Pair pair;
  pair.publish({web()});
  open_direct(pair.world(0), 1000, 1);
  pair.world(0).let_pass(20);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  const auto here = pair.world(0).flow(kClient, 1000, kVip, 80);
  const auto there = pair.world(1).flow(kClient, 1000, kVip, 80);
  ASSERT_TRUE(there);
  EXPECT_EQ(core::idle_ticks(core::pack(*there), 0), core::idle_ticks(core::pack(*here), 0));
}

TEST(Sync, leaves_alone_what_packets_here_have_said_since) {
  Pair pair;
  pair.publish({web()});
  open_direct(pair.world(0), 1000, 1);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  pair.world(0).let_pass(3);  // node 0 has lost the addresses: its entry ages, and that of node 1 is touched
  pair.stop(0);
  pair.world(1).send(
      Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).tcp(1000, 80, kFin | kAck));
  pair.start(0);
  pair.start(1);
  ASSERT_TRUE(pair.both_complete());
  EXPECT_EQ(pair.world(1).flow(kClient, 1000, kVip, 80)->state, core::FlowState::closing);
  EXPECT_EQ(pair.world(0).flow(kClient, 1000, kVip, 80)->state, core::FlowState::closing);
}

TEST(Sync, brings_ipv6_and_udp) {
  Pair pair;
  const std::vector<Service> services{Service(kVip6, 80).direct().backend("2001:db8:b::1").backend("2001:db8:b::2"),
                                      Service(kVip, 53).udp().direct().backend("10.0.0.1").backend("10.0.0.2")};
  pair.publish(services);
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    pair.world(0).send(
        Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv6(kClient6, kVip6).tcp(port, 80, kSyn));
    pair.world(0).send(Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).udp(port, 53));
  }
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  EXPECT_EQ(same(pair, 1000, 100, kClient6, kVip6), 100U);
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    const auto here = pair.world(0).flow(kClient, port, kVip, 53, core::kProtocolUdp);
    const auto there = pair.world(1).flow(kClient, port, kVip, 53, core::kProtocolUdp);
    ASSERT_TRUE(here && there);
    EXPECT_EQ(pair.world(0).backend_address(here->backend), pair.world(1).backend_address(there->backend));
  }
}

TEST(Sync, tells_a_node_without_room_for_ipv6_only_what_it_can_keep) {
  core::Sizes sizes = test::small_sizes();
  sizes.client_lines = 0;
  Pair pair(test::small_sizes(), sizes);
  pair.publish({Service(kVip6, 80).direct().backend("2001:db8:b::1"), web()});
  pair.world(0).send(Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv6(kClient6, kVip6).tcp(1, 80, kSyn));
  open_direct(pair.world(0), 1000, 10);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  EXPECT_EQ(pair.fate(1, Fate::no_room), 1U);
  EXPECT_EQ(same(pair, 1000, 10), 10U);
}

TEST(Sync, brings_the_ports_of_full_nat_to_their_places) {
  Pair pair;
  pair.publish({Service(kVip, 80).full_nat().backend("10.0.0.1", {.port = 8080}).backend("10.0.0.2", {.port = 8080})});
  for (std::uint16_t port = 1000; port < 1100; ++port)
    pair.world(0).send(Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).tcp(port, 80, kSyn));
  const auto before = pair.world(0).ports();
  ASSERT_EQ(before.size(), 100U);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  const auto after = pair.world(1).ports();
  ASSERT_EQ(after.size(), 100U);
  std::map<std::uint16_t, std::uint16_t> numbers;
  for (const auto& port : before) numbers[host(port.record.flow.client_port)] = port.number;
  for (const auto& port : after) EXPECT_EQ(port.number, numbers[host(port.record.flow.client_port)]);
  // A packet of the client that comes to the other node goes on from the same port.
  for (std::uint16_t port = 1000; port < 1100; ++port)
    pair.world(1).send(Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).tcp(port, 80, kAck));
  EXPECT_EQ(pair.world(1).ports().size(), 100U);
}

TEST(Sync, gives_no_port_of_full_nat_to_two_connections) {
  Pair pair;
  const std::vector<Service> services{Service(kVip, 80).full_nat().backend("10.0.0.1", {.port = 8080})};
  pair.publish(services);
  const auto open = [&](std::size_t node, std::uint16_t port) {
    pair.world(node).send(
        Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).tcp(port, 80, kSyn));
  };
  for (std::uint16_t port = 1000; port < 6000; ++port) open(0, port);
  for (std::uint16_t port = 20'000; port < 25'000; ++port) open(1, port);
  const auto kept = pair.world(1).ports();
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  std::map<std::uint16_t, std::uint16_t> clients;
  for (const auto& port : pair.world(1).ports()) clients[port.number] = host(port.record.flow.client_port);
  for (const auto& port : kept) EXPECT_EQ(clients[port.number], host(port.record.flow.client_port));
  EXPECT_GT(pair.fate(1, Fate::conflict), 0U);
}

TEST(Sync, of_nodes_that_hash_by_other_keys_ends_with_that_of_the_fuller_table) {
  Pair pair;
  pair.publish({web()});
  for (std::uint64_t& word : pair.world(1).tables().settings().hash_key) word ^= 0x5555;
  open_direct(pair.world(0), 1000, 100);
  open_direct(pair.world(1), 20'000, 10);
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  ASSERT_TRUE(
      std::ranges::equal(pair.world(0).tables().settings().hash_key, pair.world(1).tables().settings().hash_key));
  EXPECT_EQ(pair.status(0).rekeyed, 0U);
  EXPECT_EQ(pair.status(1).rekeyed, 1U);
  EXPECT_EQ(same(pair, 1000, 100), 100U);
  EXPECT_EQ(same(pair, 20'000, 10), 10U);
}

TEST(Sync, sends_no_more_than_its_bandwidth) {
  Pair pair(with_lines(4096), with_lines(4096));
  pair.publish({web()});
  open_direct(pair.world(0), 1000, 10'000);
  pair.options.session.bytes_per_second = 100'000;
  pair.start();
  pair.run(1s);
  // A burst of 256 KiB may go at once.
  EXPECT_LT(pair.status(0).session.sent_bytes, 100'000U + (256U << 10U) + 20'000U);
}

TEST(Sync, shows_whether_the_rings_are_the_same) {
  Pair pair;
  pair.publish({web()});
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  pair.run(100ms);
  EXPECT_EQ(pair.status(0).ring_digest, pair.status(0).peer_ring_digest);
  pair.publish(1, {Service(kVip, 80).direct().backend("10.0.0.1")});
  pair.run(100ms);
  EXPECT_NE(pair.status(0).ring_digest, pair.status(0).peer_ring_digest);
}

TEST(Sync, moves_the_flows_back_and_forth_with_the_addresses) {
  Pair pair;
  pair.publish({web()});
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  for (std::uint16_t round = 0; round < 20; ++round) {
    const std::size_t active = round % 2;
    open_direct(pair.world(active), static_cast<std::uint16_t>(1000 + round * 10), 10);
    const Time now = pair.now();
    ASSERT_TRUE(pair.run_until([&] { return pair.peer(active).told_since(now); }, 1s));
    ASSERT_EQ(same(pair, 1000, static_cast<std::uint16_t>((round + 1) * 10)), (round + 1U) * 10U) << round;
  }
}

}  // namespace
}  // namespace astil::ha::sync
