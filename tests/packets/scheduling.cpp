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
    const core::FlowTuple flow{ip(kClient), ip(kVip), core::be16(port), core::be16(80), core::kProtocolTcp};
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

TEST_P(Scheduling, a_syn_that_is_sent_again_takes_no_turn) {
  world().publish({two_to_one().round_robin()});
  for (int times = 0; times < 5; ++times) send(1000, kSyn);
  EXPECT_EQ(world().tables().cursors()[0].turn, 1U);
}

}  // namespace
}  // namespace astil::test
