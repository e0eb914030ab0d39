// Closed addresses, of virtual routers with Accept_Mode False: what is for no service there is dropped, and nothing
// else is (RFC 9568 section 6.4.3).
#include "tests/packets/both_versions.hpp"

namespace astil::test {
namespace {

using core::Reason;

constexpr std::uint16_t kClientPort = 40000;
constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kEchoRequest6 = 128;

class Closed : public BothVersions {
 protected:
  void publish(const std::vector<Service>& services, const std::vector<std::string_view>& closed) {
    auto state = desired(services);
    for (const std::string_view host : closed) state.closed_addresses.push_back(address(host));
    ASSERT_TRUE(world_->publisher().publish(state).has_value());
  }
  [[nodiscard]] Packet packet(std::string_view from, std::string_view to) const {
    Packet packet;
    return ipv6() ? packet.ipv6(from, to) : packet.ipv4(from, to);
  }
  [[nodiscard]] Packet to(std::string_view host) const { return from_client(packet(client(), host)); }
  [[nodiscard]] Service web() const { return Service(vip(), 80).nat().backend(backend(), {.port = 8080}); }

  void expect_dropped(const Packet& in) {
    const Outcome outcome = world_->send(in);
    EXPECT_EQ(outcome.exit, Exit::drop);
    EXPECT_EQ(outcome.reason, Reason::not_accepted);
  }
  void expect_passed(const Packet& in) { EXPECT_TRUE(passed_untouched(world_->send(in), in)); }
};

TEST_P(Closed, what_is_for_no_service_is_dropped) {
  publish({web()}, {vip()});
  expect_dropped(to(vip()).tcp(kClientPort, 22, kSyn));
  expect_dropped(to(vip()).udp(kClientPort, 80).payload(10));
  expect_dropped(to(vip()).carrying(to(vip()).tcp(kClientPort, 80, kSyn)));
  expect_dropped(to(vip()).echo_request(77, 3));
  expect_dropped(to(vip()).vlan(7).tcp(kClientPort, 22, kSyn));
  expect_dropped(to(vip()).vlan(7).echo_request(77, 3));
}

TEST_P(Closed, an_address_of_no_service_is_closed_too) {
  publish({web()}, {router()});
  expect_dropped(to(router()).tcp(kClientPort, 80, kSyn));
  expect_dropped(from_backend(packet(backend(), router())).echo_request(77, 3));
  expect_passed(to(vip()).tcp(kClientPort, 22, kSyn));
}

TEST_P(Closed, its_services_are_reached_as_before) {
  publish({web()}, {vip()});
  EXPECT_EQ(world_->send(to(vip()).tcp(kClientPort, 80, kSyn)).reason, kSent);
  EXPECT_EQ(world_->send(to(vip()).tcp(kClientPort, 80, kAck)).reason, kSent);
  const Packet reply = from_backend(packet(backend(), client())).tcp(8080, kClientPort, kSyn | kAck);
  EXPECT_EQ(world_->send(reply).reason, kSent);
}

TEST_P(Closed, other_addresses_are_the_hosts) {
  publish({web()}, {vip()});
  expect_passed(to(router()).tcp(kClientPort, 22, kSyn));
  expect_passed(to(router()).echo_request(77, 3));
  expect_passed(from_backend(packet(backend(), client())).tcp(22, kClientPort, kAck));
}

TEST_P(Closed, what_only_looks_like_a_reply_is_dropped) {
  publish({web()}, {vip()});
  expect_dropped(from_backend(packet(backend(), vip())).tcp(8080, kClientPort, kAck));
  expect_dropped(from_backend(packet(backend(), vip())).tcp(22, kClientPort, kAck));
}

TEST_P(Closed, neighbours_are_answered_all_the_same) {
  if (!ipv6()) return;  // ARP is not IP
  publish({web()}, {vip()});
  // The 16 bytes behind the header are the address that it is about (RFC 4861, section 4.3): any.
  const auto icmp = [&](std::uint8_t type) {
    return to(vip()).icmp_error(type, 0, 0, packet(vip(), client()).tcp(80, kClientPort, kAck), 16);
  };
  expect_passed(icmp(kSolicitation));
  expect_passed(icmp(kAdvertisement));
  expect_dropped(icmp(kEchoRequest6));
}

TEST_P(Closed, echo_is_answered_where_that_is_set) {
  auto state = desired({web()});
  state.closed_addresses.push_back(address(vip()));
  state.answers_echo = true;
  ASSERT_TRUE(world_->publisher().publish(state).has_value());
  EXPECT_EQ(world_->send(to(vip()).echo_request(77, 3)).reason, Reason::echo_answered);
}

TEST_P(Closed, frames_for_other_stations_are_left_alone) {
  publish({web()}, {vip()});
  expect_passed(to(vip()).ethernet(mac(0x77), kClientMac).tcp(kClientPort, 22, kSyn));
}

TEST_P(Closed, an_address_can_be_opened_again) {
  publish({web()}, {vip()});
  expect_dropped(to(vip()).tcp(kClientPort, 22, kSyn));
  publish({web()}, {});
  expect_passed(to(vip()).tcp(kClientPort, 22, kSyn));
}

ASTIL_ON_EVERY_ENGINE_AND_VERSION(Closed);

}  // namespace
}  // namespace astil::test
