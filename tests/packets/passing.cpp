// What the packet path hands to the kernel untouched, and what it drops, each with its reason.
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::Reason;

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::string_view kBackend = "10.0.0.1";

Packet from_client() { return Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip); }
Packet from_backend(std::string_view client) {
  return Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4(kBackend, client);
}

class Verdicts : public PacketCase {
 protected:
  void SetUp() override {
    PacketCase::SetUp();
    if (IsSkipped()) return;
    world().publish({Service(kVip, 80).nat().backend(kBackend, {.port = 8080}),
                     Service(kVip, 81).tunnel().backend(kBackend), Service(kVip, 82).direct().backend(kBackend)});
  }

  void expect_pass(const Bytes& frame, Reason reason) {
    const Outcome outcome = world().send(frame);
    EXPECT_EQ(outcome.exit, Exit::pass);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.bytes, frame);
  }
  void expect_pass(const Packet& packet, Reason reason) { expect_pass(packet.bytes(), reason); }

  void expect_drop(const Packet& packet, Reason reason) {
    const Outcome outcome = world().send(packet);
    EXPECT_EQ(outcome.exit, Exit::drop);
    EXPECT_EQ(outcome.reason, reason);
  }
};
ASTIL_ON_EVERY_ENGINE(Verdicts);

TEST_P(Verdicts, a_frame_for_another_station_passes) {
  expect_pass(from_client().ethernet(mac(0x77), kClientMac).tcp(40000, 80, kSyn), Reason::other_mac);
  expect_pass(from_client().ethernet(~0ULL >> 16U, kClientMac).tcp(40000, 80, kSyn), Reason::other_mac);
}

TEST_P(Verdicts, a_frame_for_a_virtual_router_of_the_interface_is_ours) {
  constexpr std::uint64_t kRouter = core::virtual_router_mac(4, 51);
  const Packet frame = from_client().ethernet(kRouter, kClientMac).tcp(40000, 80, kSyn);
  expect_pass(frame, Reason::other_mac);
  auto state = desired({Service(kVip, 80).nat().backend(kBackend, {.port = 8080})});
  const std::uint32_t ifindex = state.interfaces.front().ifindex;
  state.interfaces.push_back({.ifindex = core::virtual_router_number(ifindex, kRouter), .mac = kRouter});
  ASSERT_TRUE(world().publisher().publish(state).has_value());
  EXPECT_NE(world().send(frame).exit, Exit::pass);
  for (const std::uint64_t other : {core::virtual_router_mac(4, 52), core::virtual_router_mac(6, 51)})
    expect_pass(from_client().ethernet(other, kClientMac).tcp(40000, 80, kSyn), Reason::other_mac);
  // The same virtual router of another interface.
  state.interfaces.back().ifindex = core::virtual_router_number(ifindex + 1, kRouter);
  ASSERT_TRUE(world().publisher().publish(state).has_value());
  expect_pass(from_client().ethernet(kRouter, kClientMac).tcp(40001, 80, kSyn), Reason::other_mac);
}

TEST_P(Verdicts, what_is_not_ip_passes) {
  expect_pass(from_client().ether_type(0x86dd).tcp(40000, 80, kSyn), Reason::not_ip);
  expect_pass(from_client().ether_type(0x0806).tcp(40000, 80, kSyn), Reason::not_ip);
  expect_pass(from_client().version(6).tcp(40000, 80, kSyn), Reason::not_ip);
  expect_pass(from_client().claims_header_words(4).tcp(40000, 80, kSyn), Reason::not_ip);
}

TEST_P(Verdicts, what_is_neither_tcp_nor_udp_passes) {
  expect_pass(from_client().udp(40000, 80).payload(100), Reason::no_service);
  expect_pass(from_client().carrying(from_client().tcp(40000, 80, kSyn)), Reason::other_protocol);
}

TEST_P(Verdicts, every_truncation_of_headers_passes_or_drops_by_name) {
  const Bytes whole = from_client().options(2).tcp(40000, 80, kSyn).bytes();
  for (std::size_t length = 14; length < whole.size(); ++length) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    if (!world().engine().takes(cut)) continue;
    if (length < 34) {
      expect_pass(cut, Reason::not_ip);
    } else {
      EXPECT_EQ(world().send(cut).reason, Reason::malformed) << length;
    }
  }
}

TEST_P(Verdicts, a_total_length_without_room_for_headers_passes_or_drops_by_name) {
  expect_drop(from_client().claims_length(39).tcp(40000, 80, kSyn), Reason::malformed);
  expect_pass(from_client().claims_length(19).tcp(40000, 80, kSyn), Reason::not_ip);
  expect_pass(from_client().claims_length(0).tcp(40000, 80, kSyn), Reason::not_ip);
}

TEST_P(Verdicts, another_address_or_port_is_no_service) {
  expect_pass(from_client().tcp(40000, 8080, kSyn), Reason::no_service);
  expect_pass(from_client().ipv4(kClient, "198.51.100.2").tcp(40000, 80, kSyn), Reason::no_service);
}

TEST_P(Verdicts, a_service_that_was_removed_is_none) {
  world().publish({Service(kVip, 81).tunnel().backend(kBackend)});
  expect_pass(from_client().tcp(40000, 80, kSyn), Reason::no_service);
}

TEST_P(Verdicts, a_backends_packet_of_no_flow_passes) {
  expect_pass(from_backend(kClient).tcp(8080, 40000, kSyn | kAck), Reason::unknown_reply);
}

TEST_P(Verdicts, a_backends_packet_from_another_port_is_no_reply) {
  world().send(from_client().tcp(40000, 80, kSyn));
  expect_pass(from_backend(kClient).tcp(22, 40000, kAck), Reason::no_service);
}

TEST_P(Verdicts, replies_of_a_tunnel_are_not_ours) {
  world().send(from_client().tcp(40000, 81, kSyn));
  expect_pass(from_backend(kClient).tcp(81, 40000, kAck), Reason::no_service);
}

TEST_P(Verdicts, a_reply_to_a_client_without_a_route_drops) {
  world().send(from_client().ipv4(kUnreachableClient, kVip).tcp(40000, 80, kSyn));
  expect_drop(from_backend(kUnreachableClient).tcp(8080, 40000, kSyn | kAck), Reason::no_route);
}

TEST_P(Verdicts, a_reply_to_a_client_without_a_known_mac_drops) {
  world().send(from_client().ipv4(kSilentClient, kVip).tcp(40000, 80, kSyn));
  expect_drop(from_backend(kSilentClient).tcp(8080, 40000, kSyn | kAck), Reason::no_neighbour);
}

TEST_P(Verdicts, a_fragment_of_something_else_passes) {
  expect_pass(from_client().fragment(kMoreFragmentsBit).tcp(40000, 443, kAck).payload(64), Reason::no_service);
}

TEST_P(Verdicts, a_used_up_time_to_live_drops_under_every_forwarding) {
  for (std::uint16_t port = 80; port <= 82; ++port) {
    expect_drop(from_client().time_to_live(1).tcp(40000, port, kSyn), Reason::ttl_expired);
    expect_drop(from_client().time_to_live(0).tcp(40000, port, kSyn), Reason::ttl_expired);
  }
}

TEST_P(Verdicts, a_reply_with_a_used_up_time_to_live_drops) {
  world().send(from_client().tcp(40000, 80, kSyn));
  expect_drop(from_backend(kClient).time_to_live(1).tcp(8080, 40000, kAck), Reason::ttl_expired);
}

TEST_P(Verdicts, a_length_that_leaves_no_room_for_an_outer_header_drops) {
  EXPECT_EQ(world().send(from_client().claims_length(65515).tcp(40000, 81, kSyn)).reason, kSent);
  expect_drop(from_client().claims_length(65516).tcp(40000, 81, kSyn), Reason::too_long);
  EXPECT_EQ(world().send(from_client().claims_length(65535).tcp(40000, 82, kSyn)).reason, kSent);
}

TEST_P(Verdicts, a_service_without_a_backend_in_rotation_drops) {
  world().publish({Service(kVip, 80).nat().backend(kBackend, {.rotation = dataplane::Rotation::out})});
  expect_drop(from_client().tcp(40000, 80, kSyn), Reason::no_backend);
}

TEST_P(Verdicts, a_backend_without_a_known_mac_drops) {
  world().publish({Service(kVip, 80).nat().backend(kBackend, {.mac = 0})});
  expect_drop(from_client().tcp(40000, 80, kSyn), Reason::no_next_hop);
}

TEST_P(Verdicts, an_interface_that_is_not_in_the_tables_passes_all) {
  auto state = desired({Service(kVip, 80).nat().backend(kBackend)});
  state.interfaces = {{.ifindex = 7, .mac = kBalancerMac}};
  ASSERT_TRUE(world().publisher().publish(state).has_value());
  expect_pass(from_client().tcp(40000, 80, kSyn), Reason::other_mac);
}

class Unconfigured : public PacketCase {};
ASTIL_ON_EVERY_ENGINE(Unconfigured);

TEST_P(Unconfigured, tables_without_a_generation_pass_all) {
  world().tables().interfaces()[kIngress] = {.mac = kBalancerMac, .ifindex = kIngress, .parent = 0};
  const Packet packet = from_client().tcp(40000, 80, kSyn);
  const Outcome outcome = world().send(packet);
  EXPECT_TRUE(passed_untouched(outcome, packet));
  EXPECT_EQ(outcome.reason, Reason::unready);
}

}  // namespace
}  // namespace astil::test
