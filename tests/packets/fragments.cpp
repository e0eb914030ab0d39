// Fragments of both versions: all of a datagram go to one backend, and their replies to the client, whatever the
// forwarding; one that comes before the first is held.
#include "tests/packets/both_versions.hpp"
#include "tests/packets/complaint.hpp"

namespace astil::test {
namespace {

using core::Reason;

class Fragments : public BothVersions {};

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

TEST_P(Fragments, with_options_and_tags_follow_the_first_through_gue) {
  world_->publish({Service(vip(), 53).udp().gue().backend(backend())});
  const auto tagged = [&] {
    Packet in = from_client(packet(client(), vip()).vlan(300).vlan(20));
    return ipv6() ? in.hop_by_hop(1) : in.options(3);
  };
  for (const Packet& part : {first(tagged(), 40000, 53), later(tagged())}) {
    const Outcome outcome = world_->send(part);
    EXPECT_EQ(outcome.reason, kSent);
    EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
    const Bytes inner = part.datagram();
    ASSERT_GT(outcome.bytes.size(), inner.size());
    EXPECT_TRUE(std::equal(inner.begin() + 12, inner.end(), outcome.bytes.end() - std::ssize(inner) + 12))
        << "it is whole, but for its hops and header checksum";
  }
}

/// RFC 8200, section 4.5: what follows the fragment header differs between fragments, and does not tell datagrams
/// apart.
TEST_P(Fragments, of_ipv6_follow_the_first_whatever_extension_headers_are_in_it) {
  if (!ipv6()) return;
  world_->publish({Service(vip(), 53).udp().direct().backend(backend())});
  constexpr std::uint8_t kDestinationOptions = 60;
  EXPECT_EQ(world_
                ->send(from_client(packet(client(), vip())
                                       .fragment_header(0, Following::more, kIdentification)
                                       .destination_options()
                                       .udp(40000, 53)
                                       .payload(48)))
                .reason,
            kSent);
  const auto rest = [&](std::uint8_t hops) {
    return packet(client(), vip(), hops).identification(kIdentification).later_fragment(kDestinationOptions, 64, 100);
  };
  EXPECT_EQ(world_->send(from_client(rest(64))).bytes, to_backend(rest(63)).bytes());
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

ASTIL_ON_EVERY_ENGINE_AND_VERSION(Fragments);

}  // namespace
}  // namespace astil::test
