// ICMP of both versions: errors reach whoever the connection is with and speak of what that one sent; senders of what
// is too long are told how long it may be; echo to a service address is answered where that is set.
#include "tests/packets/both_versions.hpp"
#include "tests/packets/complaint.hpp"

namespace astil::test {
namespace {

using core::Reason;

constexpr std::uint16_t kClientPort = 40000;

class Icmp : public BothVersions {
 protected:
  /// As most are: not to be fragmented.
  [[nodiscard]] Packet packet(std::string_view from, std::string_view to, std::uint8_t hops = 64) const {
    Packet packet;
    return ipv6() ? packet.ipv6(from, to).hop_limit(hops) : packet.ipv4(from, to).time_to_live(hops);
  }
  [[nodiscard]] std::size_t header_and_8_bytes() const { return (ipv6() ? 40 : 20) + 8; }

  void expect(const Packet& in, Reason reason, const Packet& out) {
    const Outcome outcome = world_->send(in);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.bytes, out.bytes());
    EXPECT_EQ(complaint_of_frame(outcome.bytes), complaint_of_frame(in.bytes()));
  }
  void open(std::uint8_t protocol = core::kProtocolTcp, std::uint16_t port = 80) {
    Packet opening = from_client(packet(client(), vip()));
    EXPECT_EQ(world_
                  ->send(protocol == core::kProtocolTcp ? opening.tcp(kClientPort, port, kSyn)
                                                        : opening.udp(kClientPort, port))
                  .reason,
              kSent);
  }
};

TEST_P(Icmp, errors_about_replies_reach_the_backend_under_nat) {
  world_->publish({Service(vip(), 80).nat().backend(backend(), {.port = 8080})});
  open();
  const Packet sent_to_client = packet(vip(), client(), 60).tcp(80, kClientPort, kAck).payload(200);
  const Packet sent_by_backend = packet(backend(), client(), 60).tcp(8080, kClientPort, kAck).payload(200);
  expect(from_client(error(packet(router(), vip()), sent_to_client)), Reason::relayed,
         to_backend(error(packet(router(), backend(), 63), sent_by_backend)));
}

TEST_P(Icmp, errors_that_quote_8_bytes_reach_the_backend_under_nat) {
  world_->publish({Service(vip(), 80).nat().backend(backend(), {.port = 8080}),
                   Service(vip(), 53).udp().nat().backend(backend(), {.port = 5353})});
  open();
  open(core::kProtocolUdp, 53);
  const std::size_t bytes = header_and_8_bytes();
  expect(from_client(error(packet(router(), vip()), packet(vip(), client()).tcp(80, kClientPort, kAck), bytes)),
         Reason::relayed,
         to_backend(
             error(packet(router(), backend(), 63), packet(backend(), client()).tcp(8080, kClientPort, kAck), bytes)));
  expect(from_client(error(packet(router(), vip()), packet(vip(), client()).udp(53, kClientPort).payload(5), bytes)),
         Reason::relayed,
         to_backend(error(packet(router(), backend(), 63),
                          packet(backend(), client()).udp(5353, kClientPort).payload(5), bytes)));
}

TEST_P(Icmp, errors_about_datagrams_without_a_checksum_leave_it_out) {
  if (ipv6()) return;  // there is no such thing
  world_->publish({Service(vip(), 53).udp().nat().backend(backend(), {.port = 5353})});
  open(core::kProtocolUdp, 53);
  expect(from_client(error(packet(router(), vip()), packet(vip(), client()).udp(53, kClientPort).without_checksum())),
         Reason::relayed,
         to_backend(error(packet(router(), backend(), 63),
                          packet(backend(), client()).udp(5353, kClientPort).without_checksum())));
}

TEST_P(Icmp, errors_about_requests_reach_the_client_and_hide_the_backend) {
  world_->publish({Service(vip(), 53).udp().nat().backend(backend(), {.port = 5353})});
  open(core::kProtocolUdp, 53);
  const Packet forwarded = packet(client(), backend(), 63).udp(kClientPort, 5353).payload(40);
  const Packet original = packet(client(), vip(), 63).udp(kClientPort, 53).payload(40);
  expect(from_backend(error(packet(backend(), client()), forwarded)), Reason::relayed,
         to_client(error(packet(vip(), client(), 63), original)));
  expect(from_backend(error(packet(router(), client()), forwarded)), Reason::relayed,
         to_client(error(packet(router(), client(), 63), original)));
}

TEST_P(Icmp, errors_of_every_kind_are_relayed_and_nothing_else_that_quotes) {
  world_->publish({Service(vip(), 80).nat().backend(backend(), {.port = 8080})});
  open();
  struct Kind {
    std::uint8_t type, code;
    std::uint32_t rest;
  };
  // Unreachable, too big, time exceeded, parameter problem, and of ICMPv6 one that is not known yet (RFC 4443, 2.1).
  const std::vector<Kind> errors =
      ipv6() ? std::vector<Kind>{{1, 0, 0}, {1, 4, 0}, {2, 0, 1280}, {3, 0, 0}, {3, 1, 0}, {4, 1, 6}, {100, 0, 7}}
             : std::vector<Kind>{{3, 0, 0},  {3, 1, 0},  {3, 3, 0},  {3, 4, 1400},
                                 {3, 13, 0}, {11, 0, 0}, {11, 1, 0}, {12, 0, 0x14000000}};
  for (const Kind& kind : errors) {
    const auto about = [&](std::string_view host, const Packet& quoted, std::uint8_t hops) {
      return packet(router(), host, hops).icmp_error(kind.type, kind.code, kind.rest, quoted);
    };
    expect(from_client(about(vip(), packet(vip(), client(), 60).tcp(80, kClientPort, kAck), 64)), Reason::relayed,
           to_backend(about(backend(), packet(backend(), client(), 60).tcp(8080, kClientPort, kAck), 63)));
  }
  for (const std::uint8_t type : ipv6() ? std::vector<std::uint8_t>{128, 200} : std::vector<std::uint8_t>{4, 5, 8}) {
    const Packet other =
        from_client(packet(router(), vip()).icmp_error(type, 0, 0, packet(vip(), client()).tcp(80, kClientPort, kAck)));
    EXPECT_TRUE(passed_untouched(world_->send(other), other)) << int{type};
  }
}

TEST_P(Icmp, errors_reach_the_backend_through_a_tunnel_and_by_direct_forwarding) {
  world_->publish({Service(vip(), 80).direct().backend(backend()), Service(vip(), 81).tunnel().backend(backend())});
  open();
  const Packet about = packet(vip(), client()).tcp(80, kClientPort, kAck).payload(99);
  expect(from_client(error(packet(router(), vip()), about)), Reason::relayed,
         to_backend(error(packet(router(), vip(), 63), about)));
  open(core::kProtocolTcp, 81);
  const Outcome outcome =
      world_->send(from_client(error(packet(router(), vip()), packet(vip(), client()).tcp(81, kClientPort, kAck))));
  EXPECT_EQ(outcome.reason, Reason::relayed);
  EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
}

TEST_P(Icmp, errors_about_flows_that_are_not_known_go_where_the_ring_says) {
  world_->publish({Service(vip(), 80).direct().backend(backend())});
  const Packet about = packet(vip(), client()).tcp(80, 12345, kAck);
  EXPECT_EQ(world_->send(from_client(error(packet(router(), vip()), about))).reason, Reason::relayed);
  EXPECT_FALSE(world_->flow(client(), 12345, vip(), 80)) << "an error opens no flow";
}

TEST_P(Icmp, errors_change_no_flow) {
  world_->publish({Service(vip(), 80).nat().backend(backend())});
  open();
  const auto before = world_->flow(client(), kClientPort, vip(), 80);
  world_->send(from_client(error(packet(router(), vip()), packet(vip(), client()).tcp(80, kClientPort, kRst))));
  EXPECT_EQ(core::pack(*world_->flow(client(), kClientPort, vip(), 80)), core::pack(*before));
}

TEST_P(Icmp, errors_about_anything_else_pass_untouched) {
  world_->publish({Service(vip(), 80).nat().backend(backend(), {.port = 8080})});
  open();
  const auto expect_pass = [&](const Packet& packet) { EXPECT_TRUE(passed_untouched(world_->send(packet), packet)); };
  expect_pass(from_client(error(packet(router(), vip()), packet(vip(), client()).tcp(22, kClientPort, kAck))));
  expect_pass(from_client(error(packet(router(), router()), packet(vip(), client()).tcp(80, kClientPort, kAck))));
  expect_pass(from_client(error(packet(router(), client()), packet(client(), backend()).tcp(kClientPort, 8081, kAck))));
  expect_pass(from_client(error(packet(router(), client()), packet(client(), backend()).tcp(9, 8080, kAck))));
  const Packet an_error = error(packet(vip(), client()), packet(client(), vip()).tcp(kClientPort, 80, kAck));
  expect_pass(from_client(error(packet(router(), vip()), an_error)));
}

TEST_P(Icmp, errors_cut_short_anywhere_pass_or_leave_whole) {
  world_->publish({Service(vip(), 80).nat().backend(backend(), {.port = 8080})});
  open();
  const Bytes whole =
      from_client(error(packet(router(), vip()), packet(vip(), client()).tcp(80, kClientPort, kAck))).bytes();
  for (std::size_t bytes = 14; bytes < whole.size(); ++bytes) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
    if (!world_->engine().takes(cut)) continue;
    const Outcome outcome = world_->send(cut);
    if (outcome.exit == Exit::pass) {
      ASSERT_EQ(outcome.bytes, cut) << bytes;
    } else {
      ASSERT_EQ(outcome.reason, Reason::relayed) << bytes;
    }
  }
}

TEST_P(Icmp, tells_the_sender_of_what_is_too_long_how_long_it_may_be) {
  world_->publish({Service(vip(), 80).nat().backend(backend(), {.mtu = 1400}),
                   Service(vip(), 81).tunnel().backend(backend(), {.mtu = 1500})});
  const std::uint16_t told = ipv6() ? 1460 : 1480;
  const auto expect_told = [&](const Packet& packet_in, std::uint16_t mtu) {
    const Outcome outcome = world_->send(packet_in);
    const std::size_t quoted = (ipv6() ? 1280 - 40 : 576 - 20) - 8;
    Packet answer = packet(vip(), client()).ethernet(kClientMac, kBalancerMac);
    if (ipv6()) answer.icmp_error(2, 0, mtu, packet_in, quoted);
    if (!ipv6()) answer.identification(0).fragment(0).icmp_error(3, 4, mtu, packet_in, quoted);
    EXPECT_EQ(outcome.reason, Reason::told_too_big);
    EXPECT_EQ(outcome.exit, Exit::back_out);
    EXPECT_EQ(outcome.bytes, answer.bytes());
    EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  };
  const std::size_t headers = ipv6() ? 60 : 40;
  const auto of_length = [&](std::size_t length, std::uint16_t port) {
    return from_client(packet(client(), vip())).tcp(kClientPort, port, kAck).payload(length - headers);
  };
  expect_told(of_length(1401, 80), 1400);
  expect_told(of_length(told + 1U, 81), told);
  EXPECT_EQ(world_->send(of_length(1400, 80)).reason, kSent);
  EXPECT_EQ(world_->send(of_length(told, 81)).reason, kSent);
}

/// RFC 1122, section 3.2.2, and RFC 4443, section 2.4 (e): who may not be told.
TEST_P(Icmp, tells_nobody_of_the_length_of_an_error_or_of_what_comes_from_no_single_host) {
  world_->publish({Service(vip(), 80).tunnel().backend(backend(), {.mtu = 700})});
  open();
  const Packet about = packet(vip(), client()).tcp(80, kClientPort, kAck).payload(1200);
  EXPECT_EQ(world_->send(from_client(error(packet(router(), vip()), about))).reason, Reason::too_big);
  for (const std::string_view from :
       ipv6() ? std::vector<std::string_view>{"ff02::1", "::", "::1"}
              : std::vector<std::string_view>{"224.0.0.1", "0.0.0.0", "127.0.0.1", "255.255.255.255"}) {
    const Packet long_one = from_client(packet(from, vip())).tcp(kClientPort, 80, kAck).payload(1400);
    EXPECT_EQ(world_->send(long_one).reason, Reason::too_big) << from;
  }
}

TEST_P(Icmp, tells_senders_of_fragments_once_and_not_for_each) {
  if (ipv6()) return;  // RFC 4443 does not say so
  world_->publish({Service(vip(), 53).udp().tunnel().backend(backend(), {.mtu = 700})});
  const Packet fragmented = from_client(packet(client(), vip()).fragment(kMoreFragmentsBit));
  EXPECT_EQ(world_->send(Packet(fragmented).udp(40000, 53).payload(1192)).reason, Reason::told_too_big);
  const Packet rest = from_client(packet(client(), vip()).later_fragment(core::kProtocolUdp, 1200, 1200));
  EXPECT_EQ(world_->send(rest).reason, Reason::too_big);
}

TEST_P(Icmp, tells_of_lengths_through_vlans) {
  world_->publish({Service(vip(), 80).nat().backend(backend(), {.mtu = 1400})});
  const Packet in = from_client(packet(client(), vip())).vlan(7).tcp(kClientPort, 80, kAck).payload(1450);
  const Outcome outcome = world_->send(in);
  EXPECT_EQ(outcome.reason, Reason::told_too_big);
  EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  EXPECT_EQ(outcome.bytes[12], std::byte{0x81});
  EXPECT_EQ(outcome.bytes[15], std::byte{7});
  EXPECT_EQ(outcome.bytes[5], std::byte{0xc1});
}

TEST_P(Icmp, answers_echo_to_a_service_address_where_that_is_set) {
  auto state = desired({Service(vip(), 80).nat().backend(backend())});
  state.answers_echo = true;
  ASSERT_TRUE(world_->publisher().publish(state).has_value());
  const Packet request = from_client(packet(client(), vip(), 9).echo_request(77, 3)).payload(56);
  expect(request, Reason::echo_answered,
         packet(vip(), client()).ethernet(kClientMac, kBalancerMac).echo_reply(77, 3).payload(56));
  const Packet elsewhere = from_client(packet(client(), router()).echo_request(77, 3));
  EXPECT_TRUE(passed_untouched(world_->send(elsewhere), elsewhere));
  const Packet of_many = from_client(packet(ipv6() ? "ff02::1" : "224.0.0.1", vip()).echo_request(77, 3));
  EXPECT_TRUE(passed_untouched(world_->send(of_many), of_many));
  state.answers_echo = false;
  ASSERT_TRUE(world_->publisher().publish(state).has_value());
  EXPECT_TRUE(passed_untouched(world_->send(request), request));
}

TEST_P(Icmp, tcp_cut_short_for_a_service_is_dropped_by_name) {
  world_->publish({Service(vip(), 80).nat().backend(backend())});
  const Packet shortened = from_client(packet(client(), vip()).protocol(core::kProtocolTcp).payload(12));
  EXPECT_EQ(world_->send(shortened).reason, Reason::malformed);
  const Packet elsewhere = from_client(packet(client(), router()).protocol(core::kProtocolTcp).payload(12));
  EXPECT_TRUE(passed_untouched(world_->send(elsewhere), elsewhere));
}

ASTIL_ON_EVERY_ENGINE_AND_VERSION(Icmp);

}  // namespace
}  // namespace astil::test
