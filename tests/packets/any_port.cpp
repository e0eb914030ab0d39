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

TEST_P(AnyPort, is_of_one_protocol) {
  world().publish({Service(kVip, 0).nat().backend("10.0.0.1")});
  const Packet datagram = from_client().udp(40000, 80);
  EXPECT_TRUE(passed_untouched(world().send(datagram), datagram));
}

}  // namespace
}  // namespace astil::test
