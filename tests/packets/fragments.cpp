// Fragments of both versions: all of a datagram go to one backend, and their replies to the client, whatever the
// forwarding; one that comes before the first is held.
#include "tests/packets/complaint.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::Reason;

enum class Version { ipv4, ipv6 };
using Kind = std::tuple<EngineKind, Version>;

constexpr std::uint32_t kIdentification = 0x1234;

class Fragments : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    world_ = make_world(std::get<0>(GetParam()));
    if (!world_) GTEST_SKIP() << "no kernel engine here";
  }
  [[nodiscard]] bool ipv6() const { return std::get<1>(GetParam()) == Version::ipv6; }
  [[nodiscard]] std::string_view vip() const { return ipv6() ? "2001:db8::1" : "198.51.100.1"; }
  [[nodiscard]] std::string_view backend() const { return ipv6() ? "2001:db8:b::1" : "10.0.0.1"; }
  [[nodiscard]] std::string_view client() const { return ipv6() ? kClient6 : kClient; }

  [[nodiscard]] Packet packet(std::string_view from, std::string_view to, std::uint8_t hops = 64) const {
    Packet packet;
    return ipv6() ? packet.ipv6(from, to).hop_limit(hops) : packet.ipv4(from, to).fragment(0).time_to_live(hops);
  }
  /// The first 64 bytes of a datagram.
  [[nodiscard]] Packet first(Packet packet, std::uint16_t from, std::uint16_t to) const {
    if (ipv6()) packet.fragment_header(0, Following::more, kIdentification);
    if (!ipv6()) packet.fragment(kMoreFragmentsBit).identification(kIdentification);
    return packet.udp(from, to).payload(56);
  }
  [[nodiscard]] static Packet later(Packet packet) {
    return packet.identification(kIdentification).later_fragment(core::kProtocolUdp, 64, 100);
  }
  [[nodiscard]] static Packet from_client(Packet packet) { return packet.ethernet(kBalancerMac, kClientMac); }
  [[nodiscard]] static Packet to_backend(Packet packet) { return packet.ethernet(mac(0xb1), kBalancerMac); }
  [[nodiscard]] static Packet from_backend(Packet packet) { return packet.ethernet(kBalancerMac, mac(0xb1)); }
  [[nodiscard]] static Packet to_client(Packet packet) { return packet.ethernet(kClientMac, kOutsideMac); }

  std::unique_ptr<World> world_;
};

TEST_P(Fragments, later_ones_follow_the_first_under_nat) {
  world_->publish({Service(vip(), 53).udp().nat().backend(backend(), {.port = 5353})});
  EXPECT_EQ(world_->send(from_client(first(packet(client(), vip()), 40000, 53))).reason, kSent);
  const Outcome outcome = world_->send(from_client(later(packet(client(), vip()))));
  EXPECT_EQ(outcome.reason, kSent);
  EXPECT_EQ(outcome.bytes, to_backend(later(packet(client(), backend(), 63))).bytes());
  EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
}

TEST_P(Fragments, of_replies_get_the_services_address) {
  world_->publish({Service(vip(), 53).udp().nat().backend(backend(), {.port = 5353})});
  world_->send(from_client(packet(client(), vip()).udp(40000, 53)));
  EXPECT_EQ(world_->send(from_backend(first(packet(backend(), client()), 5353, 40000))).reason, kSent);
  const Outcome outcome = world_->send(from_backend(later(packet(backend(), client()))));
  EXPECT_EQ(outcome.exit, Exit::other_interface);
  EXPECT_EQ(outcome.bytes, to_client(later(packet(vip(), client(), 63))).bytes());
  EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
}

TEST_P(Fragments, later_ones_follow_the_first_through_a_tunnel_and_by_direct_forwarding) {
  world_->publish(
      {Service(vip(), 53).udp().direct().backend(backend()), Service(vip(), 54).udp().tunnel().backend(backend())});
  world_->send(from_client(first(packet(client(), vip()), 40000, 53)));
  EXPECT_EQ(world_->send(from_client(later(packet(client(), vip())))).bytes,
            to_backend(later(packet(client(), vip(), 63))).bytes());
  world_->send(from_client(first(packet(client(), vip()), 40000, 54)));
  const Outcome outcome = world_->send(from_client(later(packet(client(), vip()))));
  EXPECT_EQ(outcome.reason, kSent);
  EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  EXPECT_GT(outcome.bytes.size(), from_client(later(packet(client(), vip()))).bytes().size());
}

TEST_P(Fragments, of_one_datagram_reach_one_backend_whatever_the_ring_says_later) {
  const Service two = Service(vip(), 53).udp().direct().backend(backend(), {.mac = mac(0xb1)});
  world_->publish({two});
  world_->send(from_client(first(packet(client(), vip()), 40000, 53)));
  world_->publish({Service(vip(), 53)
                       .udp()
                       .direct()
                       .backend(backend(), {.mac = mac(0xb1), .rotation = dataplane::Rotation::down})
                       .backend(ipv6() ? "2001:db8:b::2" : "10.0.0.2", {.mac = mac(0xb2)})});
  EXPECT_EQ(world_->send(from_client(later(packet(client(), vip())))).bytes,
            to_backend(later(packet(client(), vip(), 63))).bytes());
}

TEST_P(Fragments, ahead_of_their_first_are_held) {
  world_->publish({Service(vip(), 53).udp().nat().backend(backend())});
  const Packet early = from_client(later(packet(client(), vip())));
  EXPECT_EQ(world_->send(early).reason, Reason::fragment_held);
  EXPECT_EQ(world_->send(early).exit, Exit::drop);
  EXPECT_EQ(world_->send(from_backend(later(packet(backend(), client())))).reason, Reason::fragment_held);
}

TEST_P(Fragments, of_another_datagram_do_not_follow) {
  world_->publish({Service(vip(), 53).udp().nat().backend(backend())});
  world_->send(from_client(first(packet(client(), vip()), 40000, 53)));
  const Packet other =
      from_client(packet(client(), vip()).identification(0x4321).later_fragment(core::kProtocolUdp, 64, 9));
  EXPECT_EQ(world_->send(other).reason, Reason::fragment_held);
}

TEST_P(Fragments, of_what_is_not_ours_pass_untouched) {
  world_->publish({Service(vip(), 53).udp().nat().backend(backend(), {.port = 5353})});
  const std::string_view stranger = ipv6() ? "2001:db8:9::9" : "198.51.100.99";
  const Packet elsewhere = from_client(later(packet(client(), stranger)));
  EXPECT_TRUE(passed_untouched(world_->send(elsewhere), elsewhere));
  const Packet other_port = from_client(first(packet(client(), vip()), 40000, 99));
  EXPECT_TRUE(passed_untouched(world_->send(other_port), other_port));
  const Packet its_rest = from_client(later(packet(client(), vip())));
  EXPECT_TRUE(passed_untouched(world_->send(its_rest), its_rest));
  const Packet direct_access = from_backend(first(packet(backend(), client()), 2049, 700));
  EXPECT_TRUE(passed_untouched(world_->send(direct_access), direct_access));
  const Packet rest_of_access = from_backend(later(packet(backend(), client())));
  EXPECT_TRUE(passed_untouched(world_->send(rest_of_access), rest_of_access));
}

TEST_P(Fragments, of_a_used_identification_follow_the_last_datagram_with_it) {
  world_->publish({Service(vip(), 53).udp().direct().backend(backend(), {.mac = mac(0xb1)}),
                   Service(vip(), 54).udp().direct().backend(backend(), {.mac = mac(0xb2)})});
  world_->send(from_client(first(packet(client(), vip()), 40000, 53)));
  world_->send(from_client(first(packet(client(), vip()), 40000, 54)));
  EXPECT_EQ(world_->send(from_client(later(packet(client(), vip())))).bytes,
            later(packet(client(), vip(), 63)).ethernet(mac(0xb2), kBalancerMac).bytes());
}

INSTANTIATE_TEST_SUITE_P(all, Fragments, testing::Combine(kEveryEngine, testing::Values(Version::ipv4, Version::ipv6)),
                         [](const testing::TestParamInfo<Kind>& kind) {
                           return std::string(name_of(std::get<0>(kind.param))) +
                                  (std::get<1>(kind.param) == Version::ipv4 ? "_ipv4" : "_ipv6");
                         });

}  // namespace
}  // namespace astil::test
