// Datagrams: what each forwarding makes of them, and how long a flow lasts that nobody opens or ends.
#include "tests/packets/complaint.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::FlowState;
using dataplane::Rotation;

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::string_view kBackend = "10.0.0.1";

Packet from_client(std::uint16_t port = 40000) {
  return Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).udp(port, 53);
}
Packet from_backend(std::uint16_t backend_port, std::uint16_t port = 40000) {
  return Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4(kBackend, kClient).udp(backend_port, port);
}

class Udp : public PacketCase {
 protected:
  void expect(const Packet& in, Exit exit, const Packet& out) {
    const Outcome outcome = world().send(in);
    EXPECT_EQ(outcome.reason, kSent);
    EXPECT_EQ(outcome.exit, exit);
    EXPECT_EQ(outcome.bytes, out.bytes());
    EXPECT_EQ(complaint(std::span(outcome.bytes).subspan(14)), "");
  }
  core::FlowEntry flow(std::uint16_t port = 40000) {
    return world().flow(kClient, port, kVip, 53, core::kProtocolUdp).value_or(core::FlowEntry{});
  }
  core::Address home(std::uint16_t port = 40000) { return world().backend_address(flow(port).backend); }
};
ASTIL_ON_EVERY_ENGINE(Udp);

TEST_P(Udp, under_nat_gets_the_backends_address_and_port) {
  world().publish({Service(kVip, 53).udp().nat().backend(kBackend, {.port = 5353})});
  expect(
      from_client().payload(33), Exit::back_out,
      Packet().ethernet(mac(0xb1), kBalancerMac).ipv4(kClient, kBackend).time_to_live(63).udp(40000, 5353).payload(33));
  expect(from_backend(5353).payload(99), Exit::other_interface,
         Packet().ethernet(kClientMac, kOutsideMac).ipv4(kVip, kClient).time_to_live(63).udp(53, 40000).payload(99));
}

TEST_P(Udp, without_a_checksum_stays_without) {
  world().publish({Service(kVip, 53).udp().nat().backend(kBackend, {.port = 5353})});
  expect(from_client().without_checksum(), Exit::back_out,
         Packet()
             .ethernet(mac(0xb1), kBalancerMac)
             .ipv4(kClient, kBackend)
             .time_to_live(63)
             .udp(40000, 5353)
             .without_checksum());
}

TEST_P(Udp, whose_checksum_comes_to_zero_has_all_ones) {
  world().publish({Service(kVip, 53).udp().nat().backend(kBackend, {.port = 5353})});
  int all_ones = 0;
  // Each client's port gives another sum; one in 65,536 comes to zero.
  for (unsigned port = 1; port < 65536; ++port) {
    const auto client = static_cast<std::uint16_t>(port);
    const Outcome outcome = world().send(from_client(client));
    const bool ones = outcome.bytes[40] == std::byte{0xff} && outcome.bytes[41] == std::byte{0xff};
    if (!ones) continue;
    ++all_ones;
    EXPECT_EQ(complaint(std::span(outcome.bytes).subspan(14)), "");
  }
  EXPECT_GE(all_ones, 1);
}

TEST_P(Udp, under_tunnel_and_direct_stays_as_it_is) {
  world().publish({Service(kVip, 53).udp().tunnel().backend(kBackend)});
  expect(from_client().payload(1200), Exit::back_out,
         Packet()
             .ethernet(mac(0xb1), kBalancerMac)
             .ipv4("10.0.0.254", kBackend)
             .time_to_live(64)
             .carrying(Packet().ipv4(kClient, kVip).time_to_live(63).udp(40000, 53).payload(1200)));
  world().publish({Service(kVip, 53).udp().direct().backend(kBackend)});
  // Of another flow: the first one keeps its forwarding.
  expect(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).udp(40001, 53), Exit::back_out,
         Packet().ethernet(mac(0xb1), kBalancerMac).ipv4(kClient, kVip).time_to_live(63).udp(40001, 53));
}

TEST_P(Udp, and_tcp_on_one_port_are_two_services) {
  world().publish({Service(kVip, 53).udp().direct().backend("10.0.0.1", {.mac = mac(0xb1)}),
                   Service(kVip, 53).direct().backend("10.0.0.2", {.mac = mac(0xb2)})});
  EXPECT_EQ(world().send(from_client()).bytes[5], std::byte{0xb1});
  const Packet syn = Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(40000, 53, kSyn);
  EXPECT_EQ(world().send(syn).bytes[5], std::byte{0xb2});
}

TEST_P(Udp, flow_is_a_stream_once_answered) {
  world().publish({Service(kVip, 53).udp().nat().backend(kBackend)});
  world().send(from_client());
  world().send(from_client());
  EXPECT_EQ(flow().state, FlowState::half_open);
  world().send(from_backend(53));
  EXPECT_EQ(flow().state, FlowState::answered);
  world().send(from_client());
  EXPECT_EQ(flow().state, FlowState::udp_stream);
}

TEST_P(Udp, flow_stays_where_it_is_when_the_ring_changes) {
  world().publish({Service(kVip, 53).udp().nat().backend("10.0.0.1")});
  for (std::uint16_t port = 1000; port < 1050; ++port) world().send(from_client(port));
  world().publish({Service(kVip, 53).udp().nat().backend("10.0.0.1").backend("10.0.0.2", {.weight = 99})});
  for (std::uint16_t port = 1000; port < 1050; ++port) {
    world().send(from_client(port));
    EXPECT_EQ(home(port), address("10.0.0.1"));
  }
}

TEST_P(Udp, flow_leaves_a_backend_that_is_down_at_once_and_one_that_is_out_not) {
  const auto publish = [&](Rotation first) {
    world().publish({Service(kVip, 53)
                         .udp()
                         .nat()
                         .backend("10.0.0.1", {.rotation = first})
                         .backend("10.0.0.2", {.rotation = first == Rotation::in ? Rotation::out : Rotation::in})});
  };
  publish(Rotation::in);
  world().send(from_client());
  publish(Rotation::out);
  world().send(from_client());
  EXPECT_EQ(home(), address("10.0.0.1"));
  publish(Rotation::down);
  world().send(from_client());
  EXPECT_EQ(home(), address("10.0.0.2"));
}

TEST_P(Udp, every_new_flow_counts_as_a_connection_and_takes_a_turn) {
  const auto published =
      world().publish({Service(kVip, 53).udp().direct().round_robin().backend("10.0.0.1").backend("10.0.0.2")});
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    world().send(from_client(port));
    world().send(from_client(port));
  }
  for (const std::uint32_t number : published.services[0].backends) {
    EXPECT_EQ(world().tables().sum_counter(number).connections, 5U);
  }
}

TEST_P(Udp, flow_that_has_timed_out_begins_anew_though_its_entry_is_still_there) {
  const auto published =
      world().publish({Service(kVip, 53).udp().direct().round_robin().backend("10.0.0.1").backend("10.0.0.2")});
  const auto connections = [&](std::size_t backend) {
    return world().tables().sum_counter(published.services[0].backends[backend]).connections;
  };
  const auto datagram = [](std::uint32_t bytes) {
    return Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).udp(1000, 53).payload(bytes);
  };
  // A plain one, and one that is too short for the quick way.
  for (const std::uint32_t bytes : {100U, 1U}) {
    world().send(datagram(bytes));
    world().let_pass(1 + core::kMaxTimeout / 2);
  }
  world().send(datagram(100));
  EXPECT_EQ(connections(0) + connections(1), 3U);
}

TEST_P(Udp, every_truncation_of_headers_drops_by_name) {
  world().publish({Service(kVip, 53).udp().nat().backend(kBackend)});
  const Bytes whole = from_client().options(2).bytes();
  for (std::size_t length = 34; length < whole.size(); ++length) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(world().send(cut).reason, core::Reason::malformed);
  }
}

}  // namespace
}  // namespace astil::test
