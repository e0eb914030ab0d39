// Affinity: a client's new flows go where its last one went.
#include <algorithm>
#include <set>

#include "dataplane/carry.hpp"
#include "tests/packets/loads.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::string_view kOther = "192.0.2.200";
constexpr std::uint32_t kSeconds = 160;
constexpr std::uint32_t kTicks = 11;  ///< ten, and the one that may be over in a moment

class Affinity : public PacketCase {
 protected:
  static Service service() { return Service(kVip, 80).direct().round_robin().affinity(kSeconds, 32); }
  static Service with_three(Service service) {
    return service.backend("10.0.0.1").backend("10.0.0.2").backend("10.0.0.3");
  }
  Outcome open(std::string_view client, std::uint16_t port, std::string_view vip = kVip, std::uint16_t to = 80) {
    return world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(client, vip).tcp(port, to, kSyn));
  }
  std::uint32_t home(std::string_view client, std::uint16_t port, std::string_view vip = kVip, std::uint16_t to = 80) {
    const auto flow = world().flow(client, port, vip, to);
    return flow ? flow->backend : ~0U;
  }
  std::uint32_t opened(std::string_view client, std::uint16_t port) {
    open(client, port);
    return home(client, port);
  }
  [[nodiscard]] std::vector<dataplane::FlowRecord> entries() {
    std::vector<dataplane::FlowRecord> found;
    dataplane::visit_flows(world().tables(), 0, [&](const dataplane::FlowRecord& record) {
      if (record.entry.state == core::FlowState::affinity) found.push_back(record);
      return true;
    });
    return found;
  }
};
ASTIL_ON_EVERY_ENGINE(Affinity);

TEST_P(Affinity, keeps_a_clients_flows_together_and_no_other_ones) {
  world().publish({with_three(service())});
  const std::uint32_t first = opened(kClient, 1000);
  EXPECT_NE(opened(kOther, 1000), first) << "that one has the next turn";
  for (std::uint16_t port = 1001; port < 1030; ++port) EXPECT_EQ(opened(kClient, port), first);
  EXPECT_EQ(world().tables().cursors()[0].turn, 2U) << "who is known takes no turn";
}

TEST_P(Affinity, holds_under_every_scheduler) {
  for (const Service& one : {Service(kVip, 80).direct(), Service(kVip, 80).direct().least_connections(),
                             Service(kVip, 80).direct().two_choices(), Service(kVip, 80).direct().source_hash(32)}) {
    SetUp();
    world().publish({with_three(Service(one).affinity(kSeconds, 32))});
    const std::uint32_t first = opened(kClient, 1000);
    for (std::uint16_t port = 1001; port < 1030; ++port) EXPECT_EQ(opened(kClient, port), first);
    EXPECT_TRUE_LOADS(world().tables());
  }
}

TEST_P(Affinity, takes_clients_with_the_same_first_bits_for_one) {
  world().publish({with_three(Service(kVip, 80).direct().round_robin().affinity(kSeconds, 24))});
  const std::uint32_t first = opened("192.0.2.10", 1000);
  EXPECT_EQ(opened("192.0.2.77", 1000), first);
  EXPECT_EQ(opened("192.0.2.200", 1000), first);
  EXPECT_NE(opened("192.0.3.10", 1000), first);
}

TEST_P(Affinity, of_ipv6_clients_goes_by_their_first_bits) {
  world().publish({Service("2001:db8::1", 80)
                       .direct()
                       .round_robin()
                       .affinity(kSeconds, 56)
                       .backend("2001:db8::a")
                       .backend("2001:db8::b")
                       .backend("2001:db8::c")});
  const auto open6 = [&](std::string_view client) {
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv6(client, "2001:db8::1").tcp(1000, 80, kSyn));
    return world().flow(client, 1000, "2001:db8::1", 80)->backend;
  };
  const std::uint32_t first = open6("2001:db8:1:100::10");
  EXPECT_EQ(open6("2001:db8:1:1ff:8000::1"), first);
  EXPECT_NE(open6("2001:db8:1:200::10"), first);
  ASSERT_EQ(entries().size(), 2U);
  for (const dataplane::FlowRecord& entry : entries()) {
    EXPECT_TRUE(entry.flow.client == address("2001:db8:1:100::") || entry.flow.client == address("2001:db8:1:200::"));
  }
}

TEST_P(Affinity, ends_when_no_new_flow_has_come_for_its_time) {
  world().publish({with_three(service())});
  const std::uint32_t first = opened(kClient, 1000);
  for (std::uint16_t port = 1001; port < 1005; ++port) {
    world().let_pass(kTicks - 1);
    EXPECT_EQ(opened(kClient, port), first) << "each new flow begins the time anew";
  }
  world().let_pass(kTicks);
  EXPECT_NE(opened(kClient, 1005), first);
}

TEST_P(Affinity, is_not_prolonged_by_packets_of_flows_that_are_open) {
  world().publish({with_three(service())});
  const std::uint32_t first = opened(kClient, 1000);
  for (std::uint32_t tick = 0; tick < kTicks; ++tick) {
    world().let_pass(1);
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(1000, 80, kAck));
  }
  EXPECT_NE(opened(kClient, 1001), first);
}

TEST_P(Affinity, leaves_a_backend_that_is_not_in_rotation_and_stays_with_the_next) {
  const auto publish = [&](dataplane::Rotation second) {
    return world()
        .publish({service().backend("10.0.0.1").backend("10.0.0.2", {.rotation = second}).backend("10.0.0.3")})
        .services[0]
        .backends;
  };
  const auto numbers = publish(dataplane::Rotation::in);
  std::uint16_t port = 1000;
  while (opened(kOther, port) != numbers[0]) world().let_pass(kTicks), ++port;
  ASSERT_EQ(opened(kClient, 1000), numbers[1]);
  publish(dataplane::Rotation::out);
  const std::uint32_t next = opened(kClient, 1001);
  EXPECT_NE(next, numbers[1]);
  publish(dataplane::Rotation::in);
  for (std::uint16_t later = 1002; later < 1010; ++later) EXPECT_EQ(opened(kClient, later), next);
}

TEST_P(Affinity, is_of_one_service) {
  world().publish({with_three(service()),
                   Service(kVip, 81).direct().round_robin().affinity(kSeconds, 32).backend("10.0.1.1"),
                   Service(kVip, 80).udp().direct().round_robin().affinity(kSeconds, 32).backend("10.0.2.1")});
  const std::uint32_t first = opened(kClient, 1000);
  open(kClient, 1000, kVip, 81);
  world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).udp(1000, 80));
  EXPECT_EQ(world().backend_address(home(kClient, 1000, kVip, 81)), address("10.0.1.1"));
  EXPECT_EQ(opened(kClient, 1001), first);
  EXPECT_EQ(entries().size(), 3U);
}

TEST_P(Affinity, entry_that_names_another_services_backend_is_not_followed) {
  const auto published = world().publish({with_three(service()), Service(kVip, 81).direct().backend("10.0.1.1")});
  open(kClient, 1000);
  const std::uint32_t stranger = published.services[1].backends[0];
  for (core::FlowLine& line : world().tables().flows()) {
    for (std::uint64_t& place : line.entries) {
      if (core::state_of(place) != core::FlowState::affinity) continue;
      core::FlowEntry entry = core::unpack(place);  // of a client with the same tag
      entry.backend = stranger;
      place = core::pack(entry);
    }
  }
  const std::uint32_t own = opened(kClient, 1001);
  EXPECT_NE(own, stranger);
  EXPECT_EQ(opened(kClient, 1002), own);
}

TEST_P(Affinity, of_a_service_on_any_port_holds_for_all_of_them) {
  world().publish({with_three(Service(kVip, 0).direct().round_robin().affinity(kSeconds, 32))});
  open(kClient, 1000, kVip, 80);
  for (const std::uint16_t to : std::initializer_list<std::uint16_t>{21, 443, 50000}) {
    open(kClient, 1000, kVip, to);
    EXPECT_EQ(home(kClient, 1000, kVip, to), home(kClient, 1000, kVip, 80));
  }
}

TEST_P(Affinity, is_not_asked_while_flows_move_to_other_tables) {
  world().publish({with_three(service())});
  std::set<std::uint32_t> homes;
  open(kClient, 1000);
  const auto before = entries();
  world().tables().settings().header.ring_only = 1;
  for (std::uint16_t port = 1001; port < 1040; ++port) homes.insert(opened(kClient, port));
  EXPECT_GT(homes.size(), 1U) << "the ring decides, which both tables have";
  ASSERT_EQ(entries().size(), 1U);
  EXPECT_EQ(entries()[0].entry.backend, before[0].entry.backend);
}

TEST_P(Affinity, goes_along_to_other_tables) {
  world().publish({with_three(service())});
  const std::uint32_t first = opened(kClient, 1000);
  core::Sizes sizes = small_sizes();
  sizes.flow_lines = 512;
  World next(native_engine(sizes));
  const auto state = dataplane::read_state(world().tables());
  EXPECT_EQ(state.services[0].affinity, (dataplane::Affinity{.seconds = kSeconds, .bits = 128}));
  ASSERT_TRUE(next.publisher().publish(state).has_value());
  dataplane::FlowCarrier carrier(world().tables(), next.tables());
  carrier.carry(0);
  carrier.carry(0);
  EXPECT_EQ(carrier.carried().flows, 2U);
  for (std::uint16_t port = 2000; port < 2010; ++port) {
    next.send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(port, 80, kSyn));
    EXPECT_EQ(next.backend_address(next.flow(kClient, port, kVip, 80)->backend), world().backend_address(first));
  }
  EXPECT_TRUE_LOADS(next.tables());
}

TEST_P(Affinity, entry_is_no_flow_to_the_census_and_to_tools) {
  const auto numbers = world().publish({Service(service()).backend("10.0.0.1")}).services[0].backends;
  for (std::uint16_t port = 1000; port < 1005; ++port) open(kClient, port);
  const dataplane::Census census = dataplane::take_census(world().tables(), 0);
  EXPECT_EQ(census.flows[numbers[0]], 5U);
  EXPECT_EQ(census.named[numbers[0]], 6U);
  EXPECT_EQ(census.used, 6U);
  EXPECT_EQ(counted(world().tables())[numbers[0]], 5U);
  ASSERT_EQ(entries().size(), 1U);
  EXPECT_EQ(entries()[0].flow.client, address(kClient));
  EXPECT_EQ(host(entries()[0].flow.client_port), 0U);
  EXPECT_EQ(host(entries()[0].flow.port), 80U);
}

TEST_P(Affinity, entry_is_not_taken_for_a_flow_of_its_clients_port_0) {
  world().publish({with_three(service())});
  open(kClient, 1000);
  world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(0, 80, kAck));
  EXPECT_EQ(entries().size(), 1U);
  EXPECT_EQ(world().flow(kClient, 0, kVip, 80)->state, core::FlowState::half_open);
}

TEST_P(Affinity, entries_go_with_their_time_their_backend_or_their_service) {
  const auto forgets = [&](std::uint32_t ticks) {
    world().let_pass(ticks);
    dataplane::take_census(world().tables(), 0);
    return entries().empty();
  };
  const Service other = Service(kVip, 81).direct().affinity(8000, 32).backend("10.0.1.1");
  world().publish({Service(service()).backend("10.0.0.1"), other});
  open(kClient, 1000);
  EXPECT_FALSE(forgets(kTicks - 1));
  EXPECT_TRUE(forgets(1)) << "another service's longer time does not count";
  open(kClient, 1001);
  world().publish({Service(service()).backend("10.0.0.2"), other});
  EXPECT_TRUE(forgets(2)) << "the backend was removed, and its number can be given back";
  open(kClient, 1002);
  world().publish({Service(kVip, 80).direct().backend("10.0.0.2"), other});
  EXPECT_TRUE(forgets(2)) << "the service keeps no affinity any more";
}

class AffinityUnderFlood : public Affinity {
 protected:
  void SetUp() override {
    Affinity::SetUp();
    world().publish({with_three(service())});
  }
  /// Every place of the flow table holds a flow in this state, of nobody who sends here.
  void fill_with(core::FlowState state) {
    std::uint32_t tag = core::kAffinityTag - 1;
    for (core::FlowLine& line : world().tables().flows()) {
      for (std::uint64_t& place : line.entries)
        place = core::pack({.tag = tag--, .age = 0, .state = state, .backend = 7});
    }
  }
  [[nodiscard]] std::uint64_t held(core::FlowState state) {
    return dataplane::take_census(world().tables(), 0).by_state[static_cast<std::size_t>(state)];
  }
};
ASTIL_ON_EVERY_ENGINE(AffinityUnderFlood);

TEST_P(AffinityUnderFlood, pushes_out_no_flow) {
  for (const auto state : {core::FlowState::half_open, core::FlowState::closing, core::FlowState::established}) {
    fill_with(state);
    const std::uint64_t before = world().tables().sum_event(core::FlowEvent::evicted_affinity);
    for (std::uint16_t port = 1000; port < 1050; ++port) open("203.0.113." + std::to_string(port - 999), port);
    EXPECT_TRUE(entries().empty());
    EXPECT_EQ(world().tables().sum_event(core::FlowEvent::evicted_affinity) - before, 50U) << "not noted, and counted";
  }
}

TEST_P(AffinityUnderFlood, makes_room_for_flows_and_is_back_when_the_flood_is_over) {
  for (int i = 0; i < 4000; ++i) open("10." + std::to_string(i >> 8) + "." + std::to_string(i & 255) + ".1", 1000);
  EXPECT_GT(world().tables().sum_event(core::FlowEvent::evicted_affinity), 0U);
  EXPECT_EQ(held(core::FlowState::half_open) + held(core::FlowState::affinity), 1024U);
  EXPECT_GT(held(core::FlowState::half_open), 1000U) << "lines are full of flows";
  EXPECT_TRUE_LOADS(world().tables());
  world().let_pass(6);  // half-open flows have expired
  EXPECT_EQ(opened(kClient, 1000), opened(kClient, 1001));
  EXPECT_TRUE_LOADS(world().tables());
}

TEST_P(AffinityUnderFlood, of_clients_alone_gives_up_the_one_that_was_seen_longest_ago) {
  std::uint32_t tag = core::kAffinityTag - 1;
  for (core::FlowLine& line : world().tables().flows()) {
    for (std::uint32_t i = 0; i < core::kEntriesPerLine; ++i) {
      line.entries[i] = core::pack({.tag = core::kAffinityTag | tag--,
                                    .age = i == 3 ? core::kAgeMask - 5 : core::kAgeMask,
                                    .state = core::FlowState::affinity,
                                    .backend = 0});
    }
  }
  open(kClient, 1000);
  EXPECT_EQ(world().tables().sum_event(core::FlowEvent::evicted_affinity), 2U) << "by the flow and by its client";
  EXPECT_EQ(held(core::FlowState::affinity), 1023U);
  std::uint32_t oldest = 0;
  for (const core::FlowLine& line : world().tables().flows())
    oldest += core::age_of(line.entries[3]) == core::kAgeMask - 5 ? 1 : 0;
  EXPECT_EQ(oldest, world().tables().flows().size() - 2);
}

TEST_P(AffinityUnderFlood, of_clients_leaves_established_flows_in_place) {
  for (std::uint16_t port = 1000; port < 1400; ++port) {
    open(kClient, port);
    world().let_pass(port % 400 == 0 ? 1 : 0);
  }
  world().let_pass(1);
  for (std::uint16_t port = 1000; port < 1400; ++port)
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(port, 80, kAck));
  const std::uint64_t established = held(core::FlowState::established);
  ASSERT_GT(established, 390U);
  for (int i = 0; i < 20'000; ++i) open("10." + std::to_string(i >> 8) + "." + std::to_string(i & 255) + ".1", 1000);
  EXPECT_EQ(held(core::FlowState::established), established);
}

}  // namespace
}  // namespace astil::test
