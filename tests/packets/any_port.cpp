// A service on any port of its address: the port stays as the client chose it, and a service of that very port comes
// first.
#include "tests/packets/complaint.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kVip = "198.51.100.1";

Packet from_client() { return Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip); }

class AnyPort : public PacketCase {
 protected:
  void expect(const Packet& in, Exit exit, const Packet& out) {
    const Outcome outcome = world().send(in);
    EXPECT_EQ(outcome.reason, kSent);
    EXPECT_EQ(outcome.exit, exit);
    EXPECT_EQ(outcome.bytes, out.bytes());
    EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  }
  static Packet to_backend(std::string_view backend) {
    return Packet().ethernet(mac(0xb1), kBalancerMac).ipv4(kClient, backend).time_to_live(63);
  }
};
ASTIL_ON_EVERY_ENGINE(AnyPort);

TEST_P(AnyPort, takes_every_port_and_keeps_it) {
  world().publish({Service(kVip, 0).nat().backend("10.0.0.1")});
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{1, 80, 443, 65535})
    expect(from_client().tcp(40000, port, kSyn), Exit::back_out, to_backend("10.0.0.1").tcp(40000, port, kSyn));
}

TEST_P(AnyPort, leaves_a_port_to_the_service_that_names_it) {
  world().publish(
      {Service(kVip, 0).nat().backend("10.0.0.1"), Service(kVip, 80).nat().backend("10.0.0.2", {.port = 8080})});
  expect(from_client().tcp(40000, 80, kSyn), Exit::back_out, to_backend("10.0.0.2").tcp(40000, 8080, kSyn));
  expect(from_client().tcp(40000, 81, kSyn), Exit::back_out, to_backend("10.0.0.1").tcp(40000, 81, kSyn));
}

TEST_P(AnyPort, keeps_a_connection_when_its_port_gets_a_service_of_its_own) {
  const Service any = Service(kVip, 0).nat().backend("10.0.0.1");
  world().publish({any});
  world().send(from_client().tcp(40000, 80, kSyn));
  world().publish({any, Service(kVip, 80).nat().backend("10.0.0.2")});
  expect(from_client().tcp(40000, 80, kAck), Exit::back_out, to_backend("10.0.0.1").tcp(40000, 80, kAck));
  expect(from_client().tcp(40001, 80, kSyn), Exit::back_out, to_backend("10.0.0.2").tcp(40001, 80, kSyn));
}

TEST_P(AnyPort, takes_up_what_a_removed_service_of_one_port_had) {
  const Service any = Service(kVip, 0).nat().backend("10.0.0.1");
  world().publish({any, Service(kVip, 80).nat().backend("10.0.0.2")});
  world().send(from_client().tcp(40000, 80, kSyn));
  world().publish({any});
  expect(from_client().tcp(40000, 80, kAck), Exit::back_out, to_backend("10.0.0.1").tcp(40000, 80, kAck));
}

TEST_P(AnyPort, gives_replies_of_every_port_the_services_address) {
  world().publish({Service(kVip, 0).nat().backend("10.0.0.1")});
  world().send(from_client().tcp(40000, 443, kSyn));
  expect(Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4("10.0.0.1", kClient).tcp(443, 40000, kSyn | kAck),
         Exit::other_interface,
         Packet().ethernet(kClientMac, kOutsideMac).ipv4(kVip, kClient).time_to_live(63).tcp(443, 40000, kSyn | kAck));
  const Packet direct_access =
      Packet().ethernet(kBalancerMac, mac(0xb1)).ipv4("10.0.0.1", kClient).tcp(22, 40000, kSyn | kAck);
  EXPECT_TRUE(passed_untouched(world().send(direct_access), direct_access));
}

TEST_P(AnyPort, is_told_from_one_port_in_fragments_and_errors_too) {
  world().publish({Service(kVip, 0).udp().nat().backend("10.0.0.1"),
                   Service(kVip, 53).udp().nat().backend("10.0.0.2", {.port = 5353})});
  const auto first = [](Packet packet, std::uint16_t from, std::uint16_t to, std::uint16_t identification) {
    return packet.identification(identification).fragment(kMoreFragmentsBit).udp(from, to).payload(56);
  };
  const auto later = [](Packet packet, std::uint16_t identification) {
    return packet.fragment(0).identification(identification).later_fragment(core::kProtocolUdp, 64, 40);
  };
  EXPECT_EQ(world().send(first(from_client(), 40000, 53, 1)).reason, kSent);
  EXPECT_EQ(world().send(first(from_client(), 40000, 54, 2)).reason, kSent);
  EXPECT_EQ(world().send(later(from_client(), 1)).bytes, later(to_backend("10.0.0.2"), 1).bytes());
  EXPECT_EQ(world().send(later(from_client(), 2)).bytes, later(to_backend("10.0.0.1"), 2).bytes());
  const auto error = [](std::string_view to, Packet about) {
    return Packet().ipv4("198.18.0.7", to).icmp_error(3, 4, 1400, about);
  };
  const auto reply = [](std::string_view from, std::uint16_t port) {
    return Packet().ipv4(from, kClient).udp(port, 40000).payload(9);
  };
  EXPECT_EQ(world().send(error(kVip, reply(kVip, 53)).ethernet(kBalancerMac, kClientMac)).bytes,
            error("10.0.0.2", reply("10.0.0.2", 5353)).ethernet(mac(0xb1), kBalancerMac).time_to_live(63).bytes());
  EXPECT_EQ(world().send(error(kVip, reply(kVip, 54)).ethernet(kBalancerMac, kClientMac)).bytes,
            error("10.0.0.1", reply("10.0.0.1", 54)).ethernet(mac(0xb1), kBalancerMac).time_to_live(63).bytes());
}

TEST_P(AnyPort, is_of_one_protocol) {
  world().publish({Service(kVip, 0).nat().backend("10.0.0.1")});
  const Packet datagram = from_client().udp(40000, 80);
  EXPECT_TRUE(passed_untouched(world().send(datagram), datagram));
}

}  // namespace
}  // namespace astil::test
