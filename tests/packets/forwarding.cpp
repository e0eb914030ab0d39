// What each forwarding makes of a packet, byte by byte. The packet that should come out is built from scratch.
#include "tests/packets/complaint.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::string_view kBackend = "10.0.0.1";

Packet from_client() { return Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip); }

class Forwarding : public PacketCase {
 protected:
  /// Sends `in`, and expects `out` to leave.
  void expect(const Packet& in, core::Reason reason, Exit exit, const Packet& out) {
    const Outcome outcome = world().send(in);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.exit, exit);
    EXPECT_EQ(outcome.bytes, out.bytes());
    const std::size_t padding = in.bytes().size() - 14 - in.datagram().size();
    EXPECT_EQ(complaint(std::span(outcome.bytes).subspan(14, outcome.bytes.size() - 14 - padding)), "");
  }
};
ASTIL_ON_EVERY_ENGINE(Forwarding);

TEST_P(Forwarding, nat_gives_the_packet_the_backends_address_and_port) {
  world().publish({Service(kVip, 80).nat().backend(kBackend, {.port = 8080})});
  expect(from_client().tcp(40000, 80, kSyn), kSent, Exit::back_out,
         Packet().ethernet(mac(0xb1), kBalancerMac).ipv4(kClient, kBackend).time_to_live(63).tcp(40000, 8080, kSyn));
}

TEST_P(Forwarding, nat_keeps_options_payload_and_every_other_field) {
  world().publish({Service(kVip, 80).nat().backend(kBackend, {.port = 8080})});
  const auto shaped = [](Packet packet) {
    return packet.options(3).type_of_service(0xb8).identification(0xbeef).fragment(0).payload(333);
  };
  expect(
      shaped(from_client().time_to_live(17).tcp(40001, 80, kAck)), kSent, Exit::back_out,
      shaped(
          Packet().ethernet(mac(0xb1), kBalancerMac).ipv4(kClient, kBackend).time_to_live(16).tcp(40001, 8080, kAck)));
}

TEST_P(Forwarding, nat_checksums_are_right_for_every_kind_of_port) {
  world().publish({Service(kVip, 80).nat().backend("255.255.255.254", {.port = 65535})});
  for (unsigned port = 1; port < 65536; port += 257) {
    const auto client = static_cast<std::uint16_t>(port);
    expect(from_client().time_to_live(static_cast<std::uint8_t>(2 + port % 254)).tcp(client, 80, kSyn), kSent,
           Exit::back_out,
           Packet()
               .ethernet(mac(0xb1), kBalancerMac)
               .ipv4(kClient, "255.255.255.254")
               .time_to_live(static_cast<std::uint8_t>(1 + port % 254))
               .tcp(client, 65535, kSyn));
  }
}

TEST_P(Forwarding, nat_gives_a_reply_the_services_address_and_port) {
  world().publish({Service(kVip, 80).nat().backend(kBackend, {.port = 8080})});
  world().send(from_client().tcp(40000, 80, kSyn));
  expect(Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4(kBackend, kClient).tcp(8080, 40000, kSyn | kAck).payload(7),
         kSent, Exit::other_interface,
         Packet()
             .ethernet(kClientMac, kOutsideMac)
             .ipv4(kVip, kClient)
             .time_to_live(63)
             .tcp(80, 40000, kSyn | kAck)
             .payload(7));
}

TEST_P(Forwarding, tunnel_puts_a_header_to_the_backend_in_front) {
  world().publish({Service(kVip, 80).tunnel().backend(kBackend)});
  const auto inner = [](std::uint8_t hops) {
    return from_client()
        .type_of_service(0x28)
        .identification(0x7777)
        .time_to_live(hops)
        .tcp(40000, 80, kSyn)
        .payload(99);
  };
  expect(inner(64), kSent, Exit::back_out,
         Packet()
             .ethernet(mac(0xb1), kBalancerMac)
             .ipv4("10.0.0.254", kBackend)
             .type_of_service(0x28)
             .identification(0x7777)
             .time_to_live(64)
             .carrying(inner(63)));
}

TEST_P(Forwarding, tunnel_copies_do_not_fragment_as_it_is) {
  world().publish({Service(kVip, 80).tunnel().backend(kBackend)});
  const auto inner = [](std::uint8_t hops) {
    return from_client().fragment(0).options(2).time_to_live(hops).tcp(1, 80, kSyn);
  };
  expect(inner(2), kSent, Exit::back_out,
         Packet().ethernet(mac(0xb1), kBalancerMac).ipv4("10.0.0.254", kBackend).fragment(0).carrying(inner(1)));
}

TEST_P(Forwarding, direct_changes_mac_addresses_and_time_to_live_alone) {
  world().publish({Service(kVip, 80).direct().backend(kBackend)});
  expect(
      from_client().tcp(40000, 80, kSyn).payload(5), kSent, Exit::back_out,
      Packet().ethernet(mac(0xb1), kBalancerMac).ipv4(kClient, kVip).time_to_live(63).tcp(40000, 80, kSyn).payload(5));
}

TEST_P(Forwarding, goes_out_of_the_backends_interface) {
  world().publish({Service(kVip, 80).direct().backend(kBackend, {.interface = kOutside})});
  EXPECT_EQ(world().send(from_client().tcp(40000, 80, kSyn)).exit, Exit::other_interface);
}

TEST_P(Forwarding, leaves_ethernet_padding_behind_the_datagram) {
  world().publish({Service(kVip, 80).tunnel().backend(kBackend)});
  Bytes padded = from_client().tcp(40000, 80, kSyn).bytes();
  padded.resize(60);
  Bytes expected = Packet()
                       .ethernet(mac(0xb1), kBalancerMac)
                       .ipv4("10.0.0.254", kBackend)
                       .carrying(from_client().time_to_live(63).tcp(40000, 80, kSyn))
                       .bytes();
  expected.resize(80);
  EXPECT_EQ(world().send(padded).bytes, expected);
}

TEST_P(Forwarding, counts_packets_bytes_and_connections_of_the_backend) {
  const auto published = world().publish({Service(kVip, 80).nat().backend(kBackend)});
  const std::uint32_t number = published.services[0].backends[0];
  world().send(from_client().tcp(40000, 80, kSyn));
  world().send(from_client().tcp(40000, 80, kAck).payload(1000));
  world().send(Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4(kBackend, kClient).tcp(80, 40000, kAck).payload(500));
  const core::Counter counter = world().tables().sum_counter(number);
  EXPECT_EQ(counter.packets, 3U);
  EXPECT_EQ(counter.bytes, 40U + 1040U + 540U);
  EXPECT_EQ(counter.connections, 1U);
}

}  // namespace
}  // namespace astil::test
