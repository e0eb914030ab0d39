// Connections keep their backend: what is remembered, and what makes the packet path choose anew.
#include "dataplane/core/flow_table.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::FlowState;
using dataplane::Rotation;

constexpr std::string_view kVip = "198.51.100.1";

Packet from_client(std::uint16_t port, std::uint8_t flags) {
  return Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(port, 80, flags);
}
Packet from_backend(std::uint16_t port, std::uint8_t flags) {
  return Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4("10.0.0.1", kClient).tcp(80, port, flags);
}

class Connections : public PacketCase {
 protected:
  [[nodiscard]] FlowState state_of(std::uint16_t port) const { return flow(port).state; }
  [[nodiscard]] core::FlowEntry flow(std::uint16_t port) const {
    return const_cast<Connections*>(this)->world().flow(kClient, port, kVip, 80).value_or(core::FlowEntry{});
  }
  /// How many places of the flow table are taken.
  [[nodiscard]] std::size_t entries() {
    std::size_t count = 0;
    for (const core::FlowLine& line : world().tables().flows()) {
      for (const std::uint64_t entry : line.entries) count += entry != 0 ? 1 : 0;
    }
    return count;
  }
  /// The number of the backend at an address.
  [[nodiscard]] std::uint32_t number_of(std::string_view backend) {
    const auto backends = world().tables().backends();
    for (std::uint32_t number = 0; number < backends.size(); ++number) {
      if (backends[number].service != core::kNoService && backends[number].address == address(backend)) return number;
    }
    return core::kNoService;
  }
  /// The address of the backend that has the flow.
  [[nodiscard]] core::Address home(std::uint16_t port) { return world().backend_address(flow(port).backend); }
};
ASTIL_ON_EVERY_ENGINE(Connections);

TEST_P(Connections, that_their_backend_refuses_are_counted_and_no_others) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  const auto refused = [this] { return world().tables().sum_counter(number_of("10.0.0.1")).refused; };
  world().send(from_client(1000, kSyn));
  world().send(from_backend(1000, kRst | kAck));
  EXPECT_EQ(state_of(1000), FlowState::closed);
  EXPECT_EQ(refused(), 1U);
  world().send(from_backend(1000, kRst | kAck));
  EXPECT_EQ(refused(), 1U) << "sent again";
  world().send(from_client(1001, kAck));  // of no connection: whoever sends it gets a RST without an ACK
  world().send(from_backend(1001, kRst));
  world().send(from_client(1002, kSyn));
  world().send(from_client(1002, kRst | kAck));
  world().send(from_client(1003, kSyn));
  world().send(from_backend(1003, kSyn | kAck));
  world().send(from_client(1003, kAck));
  world().send(from_backend(1003, kRst | kAck));
  EXPECT_EQ(refused(), 1U);
}

TEST_P(Connections, stay_where_they_are_when_the_ring_changes) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  for (std::uint16_t port = 1000; port < 1100; ++port) world().send(from_client(port, kSyn));
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1").backend("10.0.0.2", {.weight = 99})});
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    world().send(from_client(port, kAck));
    world().send(from_client(port, kSyn));  // sent again
    EXPECT_EQ(home(port), address("10.0.0.1"));
  }
}

TEST_P(Connections, of_a_backend_out_of_rotation_go_on) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1", {.rotation = Rotation::out}).backend("10.0.0.2")});
  world().send(from_client(1000, kAck));
  EXPECT_EQ(home(1000), address("10.0.0.1"));
}

TEST_P(Connections, of_a_lost_backend_go_where_the_ring_says_with_their_next_packet_and_stay_there) {
  const auto service = [] { return Service(kVip, 80).nat(); };
  world().publish({service().backend("10.0.0.1")});
  for (std::uint16_t port = 1000; port < 1050; ++port) {
    world().send(from_client(port, kSyn));
    world().send(from_client(port, kAck));
  }
  world().publish({service().backend("10.0.0.1", {.rotation = Rotation::lost}).backend("10.0.0.2")});
  const std::size_t before = entries();
  for (std::uint16_t port = 1000; port < 1050; ++port) {
    EXPECT_EQ(world().send(from_client(port, kAck)).reason, kSent);
    EXPECT_EQ(home(port), address("10.0.0.2"));
  }
  EXPECT_EQ(entries(), before);
  world().publish({service().backend("10.0.0.1").backend("10.0.0.2")});
  for (std::uint16_t port = 1000; port < 1050; ++port) {
    world().send(from_client(port, kAck));
    EXPECT_EQ(home(port), address("10.0.0.2"));
  }
}

TEST_P(Connections, of_a_lost_backend_without_another_are_dropped_by_name_and_not_forgotten) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1", {.rotation = Rotation::lost})});
  EXPECT_EQ(world().send(from_client(1000, kAck)).reason, core::Reason::no_backend);
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  EXPECT_EQ(world().send(from_client(1000, kAck)).reason, kSent);
  EXPECT_EQ(home(1000), address("10.0.0.1"));
}

TEST_P(Connections, of_a_removed_backend_go_on) {
  world().publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().publish({Service(kVip, 80).direct().backend("10.0.0.2", {.mac = mac(0xb2)})});
  EXPECT_EQ(
      world().send(from_client(1000, kAck)).bytes,
      Packet().ethernet(mac(0xb1), kBalancerMac).ipv4(kClient, kVip).time_to_live(63).tcp(1000, 80, kAck).bytes());
  EXPECT_EQ(home(1000), address("10.0.0.1"));
}

TEST_P(Connections, of_a_removed_service_are_the_kernels) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().publish({Service(kVip, 81).nat().backend("10.0.0.2")});
  // Whatever the filter says of the key.
  std::fill(std::begin(world().tables().settings().filter), std::end(world().tables().settings().filter), 0xff);
  EXPECT_EQ(world().send(from_client(1000, kAck)).reason, core::Reason::no_service);
  EXPECT_EQ(world().send(from_backend(1000, kAck)).reason, core::Reason::no_service);
}

TEST_P(Connections, whose_tag_another_services_flow_has_follow_the_ring_and_take_no_place) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1"), Service(kVip, 81).nat().backend("10.0.0.2")});
  world().send(from_client(1000, kSyn));
  // The entry becomes one of the other service's, with a key that is not this connection's.
  const std::uint32_t other = number_of("10.0.0.2");
  for (core::FlowLine& line : world().tables().flows()) {
    for (std::size_t i = 0; i < core::kEntriesPerLine; ++i) {
      if (line.entries[i] == 0) continue;
      core::FlowEntry entry = core::unpack(line.entries[i]);
      entry.backend = other;
      line.entries[i] = core::pack(entry);
      line.keys[i].client_port = core::be16(2222);
    }
  }
  for (int times = 0; times < 5; ++times) EXPECT_EQ(world().send(from_client(1000, kAck)).reason, kSent);
  EXPECT_EQ(entries(), 1U);
}

TEST_P(Connections, whose_old_backend_serves_nobody_take_the_place_of_their_old_entry) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().publish({Service(kVip, 80).nat().backend("10.0.0.2")});
  // As if the service had been away and had not found its id again: its old backend serves nobody.
  world().tables().backends()[number_of("10.0.0.1")].service_protocol = 0;
  for (int times = 0; times < 5; ++times) EXPECT_EQ(world().send(from_client(1000, kAck)).reason, kSent);
  EXPECT_EQ(entries(), 1U);
  EXPECT_EQ(home(1000), address("10.0.0.2"));
}

TEST_P(Connections, of_a_service_that_comes_back_before_they_end_go_on) {
  const Service web = Service(kVip, 80).nat().backend("10.0.0.1");
  const Service other = Service(kVip, 81).nat().backend("10.0.0.2");
  world().publish({web, other});
  world().send(from_client(1000, kSyn));
  const std::uint32_t number = flow(1000).backend;
  world().publish({other});
  world().publish({other, web});
  for (int times = 0; times < 3; ++times) {
    EXPECT_EQ(world().send(from_client(1000, kAck)).reason, kSent);
    EXPECT_EQ(world().send(from_backend(1000, kAck)).reason, kSent);
  }
  EXPECT_EQ(entries(), 1U);
  EXPECT_EQ(flow(1000).backend, number);
}

TEST_P(Connections, of_a_backend_that_was_released_are_no_services_at_once) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1").backend("10.0.0.2")});
  world().publish({Service(kVip, 80).nat().backend("10.0.0.2")});
  EXPECT_EQ(world().send(from_backend(1000, kAck)).reason, core::Reason::unknown_reply) << "flows may be left";
  world().publisher().release([](std::uint32_t) { return false; });
  EXPECT_EQ(world().send(from_backend(1000, kAck)).reason, core::Reason::no_service);
}

TEST_P(Connections, keep_the_forwarding_that_they_began_with) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  const auto left = [&](std::uint16_t port, std::string_view to, std::uint8_t flags) {
    return Packet().ethernet(mac(0xb1), kBalancerMac).ipv4(kClient, to).time_to_live(63).tcp(port, 80, flags).bytes();
  };
  EXPECT_EQ(world().send(from_client(1000, kAck)).bytes, left(1000, "10.0.0.1", kAck));
  EXPECT_EQ(world().send(from_backend(1000, kAck)).reason, kSent) << "and its replies are still known";
  EXPECT_EQ(world().send(from_client(2000, kSyn)).bytes, left(2000, kVip, kSyn));
}

TEST_P(Connections, opened_again_avoid_a_backend_out_of_rotation) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1", {.rotation = Rotation::out}).backend("10.0.0.2")});
  world().send(from_client(1000, kSyn));
  EXPECT_EQ(home(1000), address("10.0.0.2"));
  EXPECT_EQ(state_of(1000), FlowState::half_open);
}

TEST_P(Connections, opened_again_after_their_end_are_placed_anew) {
  for (const std::uint8_t ending : {kFin, kRst}) {
    const std::uint16_t port = static_cast<std::uint16_t>(1000 + ending);
    world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
    world().send(from_client(port, kSyn));
    world().send(from_client(port, ending | kAck));
    world().publish({Service(kVip, 80).nat().backend("10.0.0.2")});
    world().send(from_client(port, kAck));
    EXPECT_EQ(home(port), address("10.0.0.1")) << "the last packets of the old connection";
    world().send(from_client(port, kSyn));
    EXPECT_EQ(home(port), address("10.0.0.2"));
  }
}

TEST_P(Connections, that_expired_are_placed_anew_by_a_syn) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1001, kSyn));
  world().publish(
      {Service(kVip, 80).nat().backend("10.0.0.1").backend("10.0.0.2", {.weight = 1000}).ring_length(4096)});
  world().let_pass(3);
  world().send(from_client(1001, kSyn));
  EXPECT_EQ(home(1001), address("10.0.0.1")) << "64 s are not over";
  world().let_pass(5);
  world().send(from_client(1001, kSyn));
  EXPECT_EQ(home(1001), address("10.0.0.2"));
}

TEST_P(Connections, with_the_tag_of_another_share_its_backend) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  // The key of another client beside the entry: what a collision of tags looks like.
  for (core::FlowLine& line : world().tables().flows()) {
    for (core::FlowKey& key : line.keys) {
      if (key.client_port == core::be16(1000)) key.client_port = core::be16(2222);
    }
  }
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1", {.rotation = Rotation::out}).backend("10.0.0.2")});
  world().send(from_client(1000, kSyn));
  EXPECT_EQ(home(1000), address("10.0.0.1")) << "the connection that is open there keeps its backend";
}

TEST_P(Connections, are_established_by_syn_syn_ack_and_ack) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  EXPECT_EQ(state_of(1000), FlowState::half_open);
  world().send(from_client(1000, kAck));
  EXPECT_EQ(state_of(1000), FlowState::half_open) << "a client alone can say that";
  world().send(from_backend(1000, kSyn | kAck));
  EXPECT_EQ(state_of(1000), FlowState::answered);
  world().send(from_client(1000, kAck));
  EXPECT_EQ(state_of(1000), FlowState::established);
  world().send(from_backend(1000, kFin | kAck));
  EXPECT_EQ(state_of(1000), FlowState::closing);
  world().send(from_backend(1000, kRst));
  EXPECT_EQ(state_of(1000), FlowState::closed);
}

TEST_P(Connections, live_on_when_data_follows_a_forged_reset) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().send(from_client(1000, kRst));
  world().send(from_client(1000, kAck));
  EXPECT_EQ(state_of(1000), FlowState::closed);
  world().send(from_client(1000, kAck).payload(1));
  EXPECT_EQ(state_of(1000), FlowState::half_open);
  world().let_pass(1);
  world().send(from_client(1000, kAck).payload(1));
  EXPECT_EQ(state_of(1000), FlowState::established);
  world().send(from_client(1000, kFin | kAck));
  world().send(from_backend(1000, kAck).payload(1));
  EXPECT_EQ(state_of(1000), FlowState::established) << "half closed";
}

TEST_P(Connections, are_established_by_packets_in_two_ticks_where_replies_are_not_seen) {
  world().publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  world().let_pass(1);
  world().send(from_client(1000, kAck));
  EXPECT_EQ(state_of(1000), FlowState::established);
  EXPECT_EQ(flow(1000).age, 0U) << "and its age is that of the last packet";
}

TEST_P(Connections, of_one_service_are_not_those_of_another) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1"), Service(kVip, 81).nat().backend("10.0.0.2")});
  world().send(from_client(1000, kSyn));
  world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(1000, 81, kSyn));
  EXPECT_EQ(home(1000), address("10.0.0.1"));
  EXPECT_EQ(world().backend_address(world().flow(kClient, 1000, kVip, 81)->backend), address("10.0.0.2"));
}

TEST_P(Connections, are_not_made_by_a_reset) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  EXPECT_EQ(world().send(from_client(1000, kRst)).reason, kSent);
  EXPECT_FALSE(world().flow(kClient, 1000, kVip, 80));
}

TEST_P(Connections, unknown_in_mid_stream_are_forwarded_and_remembered_but_not_counted_as_new) {
  const auto published = world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  EXPECT_EQ(world().send(from_client(1000, kAck)).reason, kSent);
  EXPECT_EQ(home(1000), address("10.0.0.1"));
  EXPECT_EQ(world().tables().sum_counter(published.services[0].backends[0]).connections, 0U);
}

TEST_P(Connections, write_down_the_clients_end) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1")});
  world().send(from_client(1000, kSyn));
  int found = 0;
  for (const core::FlowLine& line : world().tables().flows()) {
    for (const core::FlowKey& key : line.keys) {
      if (key == core::FlowKey{.client = ip(kClient), .client_port = core::be16(1000), .service_port = core::be16(80)})
        ++found;
    }
  }
  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace astil::test
