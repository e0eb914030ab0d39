// Where new connections go: by the ring, by turns, or by the client's address. By load: see load_scheduling.cpp.
#include <map>

#include "dataplane/core/hash.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kVip = "198.51.100.1";

class Scheduling : public PacketCase {
 protected:
  Outcome send(std::uint16_t port, std::uint8_t flags) {
    return world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(port, 80, flags));
  }
  [[nodiscard]] std::uint32_t backend_of(std::uint16_t port) { return world().flow(kClient, port, kVip, 80)->backend; }
  /// Where the ring sends a client's port.
  [[nodiscard]] std::uint32_t ring_says(std::uint16_t port) {
    const dataplane::Tables& tables = world().tables();
    const core::FlowTuple flow{address(kClient), address(kVip), core::be16(port), core::be16(80), core::kProtocolTcp};
    const core::FlowHash hash = core::flow_hash(flow, tables.settings().hash_key, 0);
    const core::Service& service = tables.services_of(tables.active())[0];
    return tables.member(service, tables.ring_entry(service.ring, core::ring_slot(hash.ring, service.ring.length)));
  }
};
ASTIL_ON_EVERY_ENGINE(Scheduling);

Service two_to_one() {
  return Service(kVip, 80).direct().backend("10.0.0.1").backend("10.0.0.2", {.weight = 2}).backend("10.0.0.3");
}

TEST_P(Scheduling, maglev_follows_the_ring) {
  world().publish({two_to_one()});
  for (std::uint16_t port = 1000; port < 1200; ++port) {
    send(port, kSyn);
    EXPECT_EQ(backend_of(port), ring_says(port));
  }
}

TEST_P(Scheduling, round_robin_follows_the_weights_exactly) {
  const auto published = world().publish({two_to_one().round_robin()});
  for (std::uint16_t port = 1000; port < 1400; ++port) send(port, kSyn);
  const auto& numbers = published.services[0].backends;
  const auto placed = [&](std::size_t i) { return world().tables().sum_counter(numbers[i]).connections; };
  EXPECT_EQ(placed(0), 100U);
  EXPECT_EQ(placed(1), 200U);
  EXPECT_EQ(placed(2), 100U);
}

TEST_P(Scheduling, round_robin_sends_no_two_in_a_row_where_it_need_not) {
  world().publish({Service(kVip, 80).direct().round_robin().backend("10.0.0.1").backend("10.0.0.2")});
  std::uint32_t before = ~0U;
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    send(port, kSyn);
    EXPECT_NE(backend_of(port), before);
    before = backend_of(port);
  }
}

/// Every scheduler that has a choice of its own.
std::vector<Service> choosing() {
  return {two_to_one().round_robin(), two_to_one().least_connections(), two_to_one().two_choices()};
}

TEST_P(Scheduling, a_packet_in_mid_connection_takes_the_ring_under_every_scheduler) {
  for (const Service& service : choosing()) {
    SetUp();
    world().publish({service});
    for (std::uint16_t port = 1000; port < 1200; ++port) {
      send(port, kAck);
      EXPECT_EQ(backend_of(port), ring_says(port));
    }
  }
}

TEST_P(Scheduling, every_scheduler_takes_the_ring_while_flows_move_to_other_tables) {
  for (const Service& service : choosing()) {
    SetUp();
    world().publish({service});
    world().tables().settings().header.ring_only = 1;
    for (std::uint16_t port = 1000; port < 1100; ++port) {
      send(port, kSyn);
      EXPECT_EQ(backend_of(port), ring_says(port));
    }
  }
}

/// Clients of a service that goes by their address.
class SourceHash : public PacketCase {
 protected:
  std::uint32_t home_of(std::string_view client, std::uint16_t port, std::uint8_t flags = kSyn) {
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(client, kVip).tcp(port, 80, flags));
    return world().flow(client, port, kVip, 80)->backend;
  }
  void forget() {
    for (core::FlowLine& line : world().tables().flows()) std::fill_n(line.entries, core::kEntriesPerLine, 0);
  }
};
ASTIL_ON_EVERY_ENGINE(SourceHash);

TEST_P(SourceHash, sends_all_connections_of_a_client_to_one_backend) {
  world().publish({two_to_one().source_hash(32)});
  std::map<std::uint32_t, int> clients;
  for (int i = 1; i < 100; ++i) {
    const std::string client = "203.0.113." + std::to_string(i);
    const std::uint32_t home = home_of(client, 1000);
    ++clients[home];
    for (std::uint16_t port = 1001; port < 1005; ++port) EXPECT_EQ(home_of(client, port), home);
    forget();
  }
  EXPECT_EQ(clients.size(), 3U);
}

TEST_P(SourceHash, sends_packets_of_unknown_flows_there_too) {
  world().publish({two_to_one().source_hash(32)});
  for (int i = 1; i < 100; ++i) {
    const std::string client = "203.0.113." + std::to_string(i);
    const std::uint32_t home = home_of(client, 1000);
    forget();
    EXPECT_EQ(home_of(client, 1000, kAck), home) << "its flow was forgotten";
    EXPECT_EQ(home_of(client, 2000, kAck), home) << "or came from another balancer";
    forget();
  }
}

TEST_P(SourceHash, goes_by_the_first_bits_alone) {
  world().publish({two_to_one().source_hash(24)});
  int other_homes = 0;
  for (int net = 0; net < 50; ++net) {
    const std::string prefix = "10.0." + std::to_string(net) + ".";
    const std::uint32_t home = home_of(prefix + "1", 1000);
    for (int i = 2; i < 250; i += 31) EXPECT_EQ(home_of(prefix + std::to_string(i), 1000), home);
    other_homes += home_of("10.0." + std::to_string(net + 1) + ".1", 1000) != home ? 1 : 0;
    forget();
  }
  EXPECT_GT(other_homes, 10);
}

TEST_P(SourceHash, of_ipv6_goes_by_its_own_bits) {
  world().publish({Service("2001:db8::1", 80)
                       .direct()
                       .source_hash(56)
                       .backend("2001:db8::a")
                       .backend("2001:db8::b")
                       .backend("2001:db8::c")});
  std::map<std::uint32_t, int> homes;
  for (int net = 1; net < 40; ++net) {
    const auto home = [&](const std::string& rest) {
      const std::string client = "2001:db8:" + std::to_string(net) + ":12" + rest;
      world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv6(client, "2001:db8::1").tcp(1000, 80, kSyn));
      return world().flow(client, 1000, "2001:db8::1", 80)->backend;
    };
    const std::uint32_t first = home("00::1");
    ++homes[first];
    EXPECT_EQ(home("ff:1:2:3:4"), first);
  }
  EXPECT_EQ(homes.size(), 3U);
}

TEST_P(SourceHash, spreads_clients_as_the_ring_says) {
  world().publish({two_to_one().ring_length(1024).source_hash(32)});
  const dataplane::Tables& tables = world().tables();
  const core::Service& service = tables.services_of(tables.active())[0];
  std::map<std::uint32_t, double> share;
  for (std::uint32_t slot = 0; slot < service.ring.length; ++slot)
    share[tables.member(service, tables.ring_entry(service.ring, slot))] += 1.0 / service.ring.length;
  constexpr int kClients = 3000;
  std::map<std::uint32_t, int> clients;
  for (int i = 0; i < kClients; ++i) {
    ++clients[home_of("10." + std::to_string(i >> 8) + "." + std::to_string(i & 255) + ".1", 1000)];
    forget();
  }
  for (const auto& [number, part] : share) EXPECT_NEAR(clients[number] / double{kClients}, part, 0.03) << number;
}

TEST_P(SourceHash, is_where_a_lost_flow_is_looked_for) {
  world().publish({Service(kVip, 80)
                       .nat()
                       .source_hash(32)
                       .backend("10.0.0.1", {.port = 8001})
                       .backend("10.0.0.1", {.port = 8002})});
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    const std::uint32_t home = home_of(kClient, port);
    const std::uint64_t stranger =
        core::pack({.tag = core::kAffinityTag - 1, .age = 0, .state = core::FlowState::established, .backend = 7});
    for (core::FlowLine& line : world().tables().flows()) std::fill_n(line.entries, core::kEntriesPerLine, stranger);
    const auto reply = [&](std::uint16_t backend_port) {
      return world().send(
          Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4("10.0.0.1", kClient).tcp(backend_port, port, kAck));
    };
    const std::uint16_t right = core::host(world().tables().backends()[home].port);
    EXPECT_EQ(reply(right).exit, Exit::other_interface);
    EXPECT_EQ(reply(right == 8001 ? 8002 : 8001).reason, core::Reason::unknown_reply);
    forget();
  }
}

TEST_P(Scheduling, a_port_used_again_keeps_its_backend_while_flows_move_to_other_tables) {
  const auto published = world().publish({two_to_one().round_robin()});
  for (std::uint16_t port = 1000; port < 1020; ++port) {
    world().tables().settings().header.ring_only = 0;
    send(port, kSyn);
    send(port, kRst);
    const std::uint32_t before = backend_of(port);
    world().tables().settings().header.ring_only = 1;
    send(port, kSyn);
    EXPECT_EQ(backend_of(port), before) << "the copy in the other tables says so";
    EXPECT_EQ(world().flow(kClient, port, kVip, 80)->state, core::FlowState::half_open);
  }
  std::uint64_t connections = 0;
  for (const std::uint32_t number : published.services[0].backends) {
    connections += world().tables().sum_counter(number).connections;
  }
  EXPECT_EQ(connections, 40U);
}

TEST_P(Scheduling, a_syn_that_is_sent_again_takes_no_turn) {
  world().publish({two_to_one().round_robin()});
  for (int times = 0; times < 5; ++times) send(1000, kSyn);
  EXPECT_EQ(world().tables().cursors()[0].turn, 1U);
}

/// Replies of a nat service with two backends on one address, told apart by their ports.
class LostFlows : public PacketCase {
 protected:
  void SetUp() override {
    PacketCase::SetUp();
    world().publish({Service(kVip, 80).nat().backend("10.0.0.1", {.port = 8001}).backend("10.0.0.1", {.port = 8002})});
  }
  Outcome reply(std::uint16_t backend_port, std::string_view client, std::uint16_t client_port) {
    return world().send(
        Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4("10.0.0.1", client).tcp(backend_port, client_port, kAck));
  }
  /// The port of the backend to which the ring sends a client's port: a packet in mid-connection takes it.
  std::uint16_t ring_says(std::uint16_t client_port) {
    forget();
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(client_port, 80, kAck));
    const std::uint32_t number = world().flow(kClient, client_port, kVip, 80)->backend;
    forget();
    return core::host(world().tables().backends()[number].port);
  }
  void forget() { fill_with(0); }
  /// Makes every place of the flow table look like this.
  void fill_with(std::uint64_t entry) {
    for (core::FlowLine& line : world().tables().flows()) std::fill_n(line.entries, core::kEntriesPerLine, entry);
  }
  /// An entry of a flow that is not any of the tests'.
  static std::uint64_t stranger() {
    return core::pack({.tag = 0x7fffffff, .age = 0, .state = core::FlowState::established, .backend = 7});
  }
  static std::uint16_t other(std::uint16_t backend_port) { return backend_port == 8001 ? 8002 : 8001; }
};
ASTIL_ON_EVERY_ENGINE(LostFlows);

TEST_P(LostFlows, leave_a_reply_as_it_is_where_nothing_can_have_pushed_them_out) {
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    const std::uint16_t backend_port = ring_says(port);
    EXPECT_EQ(reply(backend_port, kClient, port).reason, core::Reason::unknown_reply);
  }
}

TEST_P(LostFlows, are_where_the_ring_says_while_flows_move_to_other_tables) {
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    const std::uint16_t backend_port = ring_says(port);
    world().tables().settings().header.ring_only = 1;
    EXPECT_EQ(reply(backend_port, kClient, port).exit, Exit::other_interface);
    EXPECT_EQ(reply(other(backend_port), kClient, port).reason, core::Reason::unknown_reply);
  }
}

TEST_P(LostFlows, are_where_the_ring_says_where_lines_are_full) {
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    const std::uint16_t backend_port = ring_says(port);
    fill_with(stranger());
    EXPECT_EQ(reply(backend_port, kClient, port).exit, Exit::other_interface);
    EXPECT_EQ(reply(other(backend_port), kClient, port).reason, core::Reason::unknown_reply);
  }
}

TEST_P(LostFlows, are_not_seen_in_packets_to_where_no_route_leads) {
  world().tables().settings().header.ring_only = 1;
  for (std::uint16_t port = 1000; port < 1020; ++port) {
    EXPECT_EQ(reply(8001, kUnreachableClient, port).reason, core::Reason::unknown_reply);
  }
}

}  // namespace
}  // namespace astil::test
