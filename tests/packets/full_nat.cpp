// Full NAT: both ends of a connection change, and replies, fragments and errors find their way back.
#include "tests/packets/full_nat.hpp"

namespace astil::test {
namespace {

using core::Reason;

TEST_P(FullNat, gives_a_connection_a_port_of_the_source_address) {
  world_->publish({one_backend()});
  const Outcome outcome = world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 80, kSyn).payload(9)));
  const Port given = port();
  EXPECT_EQ(outcome.reason, kSent);
  EXPECT_EQ(outcome.exit, Exit::back_out);
  EXPECT_TRUE(given.source == address(source()));
  EXPECT_GE(given.number, core::kFirstPort);
  EXPECT_EQ(outcome.bytes,
            to_backend(packet(source(), backend(), 63).tcp(given.number, 8080, kSyn).payload(9)).bytes());
}

TEST_P(FullNat, keeps_the_port_as_long_as_the_connection_lasts) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  for (std::uint32_t i = 0; i < 6; ++i) {
    expect(from_client(packet(client(), vip()).tcp(kClientPort, 80, kAck).payload(100)), kSent,
           to_backend(packet(source(), backend(), 63).tcp(number, 8080, kAck).payload(100)));
    world_->let_pass(2);
  }
}

TEST_P(FullNat, gives_a_reply_both_ends_of_the_service) {
  world_->publish({one_backend()});
  from_client(kSyn);
  const std::uint16_t number = port().number;
  expect(from_backend(packet(backend(), source()).tcp(8080, number, kSyn | kAck).payload(3)), kSent,
         to_client(packet(vip(), client(), 63).tcp(80, kClientPort, kSyn | kAck).payload(3)));
}

TEST_P(FullNat, leaves_what_comes_to_a_port_of_nobody_to_the_kernel) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  const auto expect_pass = [&](const Packet& packet) {
    const Outcome outcome = world_->send(packet);
    EXPECT_EQ(outcome.reason, Reason::unknown_reply);
    EXPECT_TRUE(passed_untouched(outcome, packet));
  };
  const auto other = static_cast<std::uint16_t>(number ^ 1U);
  expect_pass(from_backend(packet(backend(), source()).tcp(8080, other, kAck)));
  expect_pass(from_backend(packet(backend(), source()).tcp(8081, number, kAck)));
  expect_pass(from_backend(packet(other_backend(), source()).tcp(8080, number, kAck)));
  expect_pass(from_backend(packet(backend(), source()).udp(8080, number)));
  expect_pass(from_backend(packet(backend(), source()).tcp(8080, 22, kSyn)));
}

TEST_P(FullNat, leaves_other_services_of_its_address_their_known_flows) {
  const Service beside = Service(vip(), 81).direct();
  const Packet request = from_client(packet(client(), vip()).tcp(kClientPort, 81, kAck));
  const Packet forwarded = to_backend(packet(client(), vip(), 63).tcp(kClientPort, 81, kAck));
  world_->publish({one_backend(), Service(beside).backend(other_backend())});
  EXPECT_EQ(world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 81, kSyn))).reason, kSent);
  expect(request, kSent, forwarded);
  // Where its flow is known by, and not by the ring.
  world_->publish({one_backend(), Service(beside).backend(backend(), {.mac = mac(0xb7)})});
  expect(request, kSent, forwarded);
  open();  // and its own connections still have ports
}

TEST_P(FullNat, of_a_service_on_any_port_keeps_the_services_port) {
  world_->publish({Service(vip(), 0).full_nat().backend(backend())});
  EXPECT_EQ(world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 8443, kSyn))).reason, kSent);
  const std::uint16_t number = port().number;
  expect(from_backend(packet(backend(), source()).tcp(8443, number, kSyn | kAck)), kSent,
         to_client(packet(vip(), client(), 63).tcp(8443, kClientPort, kSyn | kAck)));
  expect(from_client(packet(client(), vip()).tcp(kClientPort, 8443, kAck)), kSent,
         to_backend(packet(source(), backend(), 63).tcp(number, 8443, kAck)));
}

TEST_P(FullNat, connection_goes_on_though_it_is_forgotten_and_no_backend_is_in_rotation) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  for (core::FlowLine& line : world_->tables().flows()) line = {};
  world_->publish({tcp_service().backend(backend(), {.port = 8080, .rotation = dataplane::Rotation::down})});
  world_->let_pass(1);
  expect(from_client(packet(client(), vip()).tcp(kClientPort, 80, kAck)), kSent,
         to_backend(packet(source(), backend(), 63).tcp(number, 8080, kAck)));
  EXPECT_EQ(from_client(kSyn, 777).reason, Reason::no_backend);
  EXPECT_EQ(from_client(kAck, 778).reason, Reason::no_backend);
}

TEST_P(FullNat, connection_of_a_lost_backend_goes_to_another_from_the_same_port) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  world_->publish({tcp_service()
                       .backend(backend(), {.port = 8080, .rotation = dataplane::Rotation::lost})
                       .backend(other_backend(), {.port = 8080})});
  const Outcome outcome = from_client(kAck);
  EXPECT_EQ(outcome.reason, kSent);
  EXPECT_EQ(port().number, number);
  EXPECT_EQ(world_->backend_address(port().record.entry.backend), address(other_backend()));
}

TEST_P(FullNat, resets_that_anyone_can_send_do_not_end_an_established_connection) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  from_client(kRst);
  EXPECT_EQ(world_->send(from_backend(packet(backend(), source()).tcp(8080, number, kAck).payload(10))).reason, kSent);
  EXPECT_EQ(port().record.entry.state, core::FlowState::established);
}

TEST_P(FullNat, fragments_follow_the_first_both_ways) {
  world_->publish({Service(vip(), 53).udp().full_nat().backend(backend(), {.port = 5353})});
  EXPECT_EQ(world_->send(from_client(first(packet(client(), vip()), kClientPort, 53))).reason, kSent);
  const std::uint16_t number = port().number;
  expect(from_client(later(packet(client(), vip()))), kSent, to_backend(later(packet(source(), backend(), 63))));
  EXPECT_EQ(world_->send(from_backend(first(packet(backend(), source()), 5353, number))).reason, kSent);
  expect(from_backend(later(packet(backend(), source()))), kSent, to_client(later(packet(vip(), client(), 63))));
}

TEST_P(FullNat, errors_about_requests_reach_the_client_and_hide_the_backend) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  const Packet forwarded = packet(source(), backend(), 63).tcp(number, 8080, kAck).payload(40);
  const Packet original = packet(client(), vip(), 63).tcp(kClientPort, 80, kAck).payload(40);
  expect(from_backend(error(packet(backend(), source()), forwarded)), Reason::relayed,
         to_client(error(packet(vip(), client(), 63), original)));
  expect(from_backend(error(packet(router(), source()), forwarded)), Reason::relayed,
         to_client(error(packet(router(), client(), 63), original)));
}

TEST_P(FullNat, errors_about_connections_that_nobody_has_pass) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  const auto expect_pass = [&](const Packet& packet) { EXPECT_TRUE(passed_untouched(world_->send(packet), packet)); };
  expect_pass(from_client(error(packet(router(), vip()), packet(vip(), client()).tcp(80, 777, kAck))));
  const auto other = static_cast<std::uint16_t>(number ^ 1U);
  expect_pass(from_backend(error(packet(router(), source()), packet(source(), backend()).tcp(other, 8080, kAck))));
  expect_pass(
      from_backend(error(packet(router(), source()), packet(source(), other_backend()).tcp(number, 8080, kAck))));
}

TEST_P(FullNat, tells_the_sender_of_what_the_way_to_the_backend_does_not_carry) {
  world_->publish({tcp_service().backend(backend(), {.port = 8080, .mtu = 1300})});
  open();
  const Outcome outcome = world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 80, kAck).payload(1400)));
  EXPECT_EQ(outcome.reason, Reason::told_too_big);
  EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
}

TEST_P(FullNat, flow_table_learns_from_replies_as_under_nat) {
  world_->publish({one_backend()});
  from_client(kSyn);
  reply(kSyn | kAck, port().number);
  EXPECT_EQ(world_->flow(client(), kClientPort, vip(), 80)->state, core::FlowState::answered);
  from_client(kAck);
  EXPECT_EQ(world_->flow(client(), kClientPort, vip(), 80)->state, core::FlowState::established);
  EXPECT_EQ(port().record.entry.state, core::FlowState::established);
}

TEST_P(FullNat, counts_packets_both_ways) {
  const auto published = world_->publish({one_backend()});
  const std::uint16_t number = open();
  world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 80, kAck).payload(1000)));
  reply(kAck, number);
  const core::Counter counter = world_->tables().sum_counter(published.services[0].backends[0]);
  EXPECT_EQ(counter.packets, 5U);
  EXPECT_EQ(counter.connections, 1U);
}

TEST_P(FullNat, connections_keep_the_forwarding_that_they_began_with) {
  const Service as_nat = Service(vip(), 80).nat().backend(backend(), {.port = 8080});
  world_->publish({as_nat});
  from_client(kSyn, 1111);
  world_->publish({one_backend()});
  expect(from_client(packet(client(), vip()).tcp(1111, 80, kAck)), kSent,
         to_backend(packet(client(), backend(), 63).tcp(1111, 8080, kAck)));
  expect(from_backend(packet(backend(), client()).tcp(8080, 1111, kAck)), kSent,
         to_client(packet(vip(), client(), 63).tcp(80, 1111, kAck)));
  const std::uint16_t number = open(2222);
  world_->publish({as_nat});
  expect(from_client(packet(client(), vip()).tcp(2222, 80, kAck)), kSent,
         to_backend(packet(source(), backend(), 63).tcp(number, 8080, kAck)));
  expect(from_backend(packet(backend(), source()).tcp(8080, number, kAck)), kSent,
         to_client(packet(vip(), client(), 63).tcp(80, 2222, kAck)));
  expect(from_client(packet(client(), vip()).tcp(3333, 80, kSyn)), kSent,
         to_backend(packet(client(), backend(), 63).tcp(3333, 8080, kSyn)));
}

ASTIL_ON_EVERY_ENGINE_AND_VERSION(FullNat);

}  // namespace
}  // namespace astil::test
