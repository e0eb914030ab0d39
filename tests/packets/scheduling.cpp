// Where new connections go: by the ring, or by turns.
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

TEST_P(Scheduling, a_packet_in_mid_connection_takes_the_ring_under_round_robin_too) {
  world().publish({two_to_one().round_robin()});
  for (std::uint16_t port = 1000; port < 1200; ++port) {
    send(port, kAck);
    EXPECT_EQ(backend_of(port), ring_says(port));
  }
}

TEST_P(Scheduling, round_robin_takes_the_ring_while_flows_move_to_other_tables) {
  world().publish({two_to_one().round_robin()});
  world().tables().settings().header.ring_only = 1;
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    send(port, kSyn);
    EXPECT_EQ(backend_of(port), ring_says(port));
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
