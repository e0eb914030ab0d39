// Every way from a client to a backend: both versions of IP, TCP and UDP, VLAN tags, and each forwarding with all that
// a tunnel can put in front. One sentence for all: what leaves is what came, as the way says.
#include <tuple>

#include "tests/packets/complaint.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

enum class Version { ipv4, ipv6 };
enum class Transport { tcp, udp };
enum class Tags { none, one, two };
enum class Route { nat, direct, ipip4, ipip6, gue4, gue6 };

using Way = std::tuple<EngineKind, Version, Transport, Tags, Route>;

constexpr std::uint16_t kClientPort = 40000;
constexpr std::uint16_t kPort = 443;
constexpr std::uint16_t kBackendPort = 8443;
constexpr std::uint8_t kClass = 0x28;

std::string name_of(const testing::TestParamInfo<Way>& way) {
  const auto [engine, version, transport, tags, route] = way.param;
  static constexpr std::array kRoutes{"nat", "direct", "ipip4", "ipip6", "gue4", "gue6"};
  static constexpr std::array kTags{"untagged", "tagged", "tagged_twice"};
  return std::string(name_of(engine)) + "_" + (version == Version::ipv4 ? "ipv4" : "ipv6") + "_" +
         (transport == Transport::tcp ? "tcp" : "udp") + "_" + kTags[static_cast<std::size_t>(tags)] + "_" +
         kRoutes[static_cast<std::size_t>(route)];
}

class Ways : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    world_ = make_world(std::get<0>(GetParam()));
    if (!world_) GTEST_SKIP() << "no kernel engine here";
  }

  [[nodiscard]] Version version() const { return std::get<1>(GetParam()); }
  [[nodiscard]] bool is_udp() const { return std::get<2>(GetParam()) == Transport::udp; }
  [[nodiscard]] Tags tags() const { return std::get<3>(GetParam()); }
  [[nodiscard]] Route route() const { return std::get<4>(GetParam()); }

  [[nodiscard]] std::string_view vip() const { return version() == Version::ipv4 ? "198.51.100.1" : "2001:db8::1"; }
  [[nodiscard]] std::string_view client() const { return version() == Version::ipv4 ? kClient : kClient6; }
  [[nodiscard]] bool outer_is_ipv6() const { return route() == Route::ipip6 || route() == Route::gue6; }
  [[nodiscard]] bool is_tunnel() const { return route() != Route::nat && route() != Route::direct; }
  [[nodiscard]] std::string_view backend() const {
    const bool ipv6 = is_tunnel() ? outer_is_ipv6() : version() == Version::ipv6;
    return ipv6 ? "2001:db8:b::1" : "10.0.0.1";
  }

  [[nodiscard]] Service service() const {
    Service service(vip(), kPort);
    if (is_udp()) service.udp();
    if (route() == Route::nat) service.nat();
    if (route() == Route::direct) service.direct();
    if (route() == Route::ipip4 || route() == Route::ipip6) service.tunnel();
    if (route() == Route::gue4 || route() == Route::gue6) service.gue();
    return service.backend(backend(), {.port = route() == Route::nat ? kBackendPort : std::uint16_t{0}});
  }

  Packet& address(Packet& packet, std::string_view from, std::string_view to) const {
    return version() == Version::ipv4 ? packet.ipv4(from, to) : packet.ipv6(from, to);
  }
  Packet& transport(Packet& packet, std::uint16_t from, std::uint16_t to) const {
    return is_udp() ? packet.udp(from, to) : packet.tcp(from, to, kSyn);
  }
  /// What the client sent, when it has so many hops left, without its Ethernet header.
  [[nodiscard]] Packet datagram(std::uint8_t hops, std::string_view to, std::uint16_t port) const {
    Packet packet;
    address(packet, client(), to).time_to_live(hops).type_of_service(kClass);
    return transport(packet, kClientPort, port).payload(77);
  }
  [[nodiscard]] Packet with_tags(Packet packet) const {
    if (tags() == Tags::two) packet.vlan(300);
    if (tags() != Tags::none) packet.vlan(20);
    return packet;
  }
  [[nodiscard]] Packet incoming() const {
    return with_tags(datagram(64, vip(), kPort).ethernet(kBalancerMac, kClientMac));
  }

  [[nodiscard]] std::uint32_t tag() const {
    return world_->flow(client(), kClientPort, vip(), kPort, is_udp() ? core::kProtocolUdp : core::kProtocolTcp)
        .value_or(core::FlowEntry{})
        .tag;
  }
  [[nodiscard]] Packet outer() const {
    Packet packet;
    if (outer_is_ipv6()) return packet.ipv6(kBalancerAddress6, backend()).flow_label(tag() & 0xfffffU);
    packet.ipv4(kBalancerAddress, backend());
    if (version() == Version::ipv6) packet.identification(0);
    return packet;
  }
  [[nodiscard]] Packet expected() const {
    if (route() == Route::nat) return datagram(63, backend(), kBackendPort).ethernet(mac(0xb1), kBalancerMac);
    if (route() == Route::direct) return datagram(63, vip(), kPort).ethernet(mac(0xb1), kBalancerMac);
    Packet packet = outer().ethernet(mac(0xb1), kBalancerMac).type_of_service(kClass);
    if (route() == Route::gue4 || route() == Route::gue6)
      packet.gue(static_cast<std::uint16_t>(0xc000U | tag()), core::kGuePort);
    return packet.carrying(datagram(63, vip(), kPort));
  }

  std::unique_ptr<World> world_;
};

TEST_P(Ways, lead_a_packet_to_the_backend) {
  world_->publish({service()});
  for (int times = 0; times < 2; ++times) {  // of a new flow, then of a known one
    const Outcome outcome = world_->send(incoming());
    EXPECT_EQ(outcome.reason, kSent);
    EXPECT_EQ(outcome.exit, Exit::back_out);
    EXPECT_EQ(outcome.bytes, expected().bytes());
    EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  }
}

TEST_P(Ways, give_the_kernel_what_is_for_no_service_as_it_came) {
  world_->publish({service()});
  const Packet packet = with_tags(datagram(64, vip(), kPort + 1).ethernet(kBalancerMac, kClientMac));
  EXPECT_TRUE(passed_untouched(world_->send(packet), packet));
}

INSTANTIATE_TEST_SUITE_P(
    all, Ways,
    testing::Combine(kEveryEngine, testing::Values(Version::ipv4, Version::ipv6),
                     testing::Values(Transport::tcp, Transport::udp), testing::Values(Tags::none, Tags::one, Tags::two),
                     testing::Values(Route::nat, Route::direct, Route::ipip4, Route::ipip6, Route::gue4, Route::gue6)),
    name_of);

/// What is of IPv6, of tunnels and of VLANs beyond the one sentence.
class Way6 : public PacketCase {
 protected:
  static constexpr std::string_view kVip = "2001:db8::1";
  static constexpr std::string_view kBackend = "2001:db8:b::1";

  static Packet from_client() { return Packet().ethernet(kBalancerMac, kClientMac).ipv6(kClient6, kVip); }
  void expect(const Packet& in, Exit exit, const Packet& out) {
    const Outcome outcome = world().send(in);
    EXPECT_EQ(outcome.reason, kSent);
    EXPECT_EQ(outcome.exit, exit);
    EXPECT_EQ(outcome.bytes, out.bytes());
    EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  }
};
ASTIL_ON_EVERY_ENGINE(Way6);

TEST_P(Way6, nat_gives_a_reply_the_services_address_and_port) {
  world().publish({Service(kVip, 80).nat().backend(kBackend, {.port = 8080})});
  world().send(from_client().tcp(40000, 80, kSyn));
  expect(Packet().ethernet(kBalancerMac, mac(0xb1)).ipv6(kBackend, kClient6).tcp(8080, 40000, kSyn | kAck).payload(7),
         Exit::other_interface,
         Packet()
             .ethernet(kClientMac, kOutsideMac)
             .ipv6(kVip, kClient6)
             .hop_limit(63)
             .tcp(80, 40000, kSyn | kAck)
             .payload(7));
}

TEST_P(Way6, a_reply_to_a_client_without_a_known_mac_address_asks_for_it) {
  world().publish({Service(kVip, 80).nat().backend(kBackend)});
  world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv6(kSilentClient6, kVip).tcp(40000, 80, kSyn));
  const Packet reply =
      Packet().ethernet(kBalancerMac, mac(0xb1)).ipv6(kBackend, kSilentClient6).tcp(80, 40000, kSyn | kAck);
  EXPECT_EQ(world().send(reply).reason, core::Reason::no_neighbour);
  world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv6(kUnreachableClient6, kVip).tcp(40000, 80, kSyn));
  const Packet lost =
      Packet().ethernet(kBalancerMac, mac(0xb1)).ipv6(kBackend, kUnreachableClient6).tcp(80, 40000, kSyn | kAck);
  EXPECT_EQ(world().send(lost).reason, core::Reason::no_route);
}

TEST_P(Way6, nat_skips_extension_headers_and_keeps_them) {
  world().publish({Service(kVip, 80).nat().backend(kBackend, {.port = 8080})});
  const auto extended = [](Packet packet) {
    return packet.hop_by_hop(1).destination_options(2).routing(1).authentication(2).destination_options();
  };
  expect(extended(from_client()).tcp(40000, 80, kSyn).payload(50), Exit::back_out,
         extended(Packet().ethernet(mac(0xb1), kBalancerMac).ipv6(kClient6, kBackend).hop_limit(63))
             .tcp(40000, 8080, kSyn)
             .payload(50));
}

/// The kernel would answer in the service's name.
TEST_P(Way6, more_extension_headers_than_anyone_sends_drop_by_name_where_they_go_to_a_service) {
  world().publish({Service(kVip, 80).nat().backend(kBackend)});
  const auto with_nine = [](Packet packet) {
    for (int i = 0; i < 9; ++i) packet.destination_options();
    return packet.tcp(40000, 80, kSyn);
  };
  EXPECT_EQ(world().send(with_nine(from_client())).reason, core::Reason::malformed);
  const Packet elsewhere = with_nine(Packet().ethernet(kBalancerMac, kClientMac).ipv6(kClient6, "2001:db8:9::9"));
  EXPECT_TRUE(passed_untouched(world().send(elsewhere), elsewhere));
}

TEST_P(Way6, an_address_that_stands_for_ipv4_in_the_tables_is_no_packets) {
  world().publish({Service("198.51.100.1", 80).nat().backend("10.0.0.1"), Service(kVip, 80).nat().backend(kBackend)});
  const auto send = [this](std::string_view source, std::string_view destination, std::uint8_t flags) {
    const Packet packet = Packet().ethernet(kBalancerMac, kClientMac).ipv6(source, destination).tcp(40000, 80, flags);
    EXPECT_TRUE(passed_untouched(world().send(packet), packet)) << source << " to " << destination;
  };
  send(kClient6, "::ffff:198.51.100.1", kSyn);
  send("::ffff:192.0.2.10", "::ffff:198.51.100.1", kSyn);
  send("::ffff:192.0.2.10", "::ffff:198.51.100.1", kAck);
  send("::ffff:10.0.0.1", "::ffff:192.0.2.10", kAck);
  send("::ffff:192.0.2.10", kVip, kSyn);
}

TEST_P(Way6, an_atomic_fragment_is_a_whole_packet) {
  world().publish({Service(kVip, 80).direct().backend(kBackend)});
  const auto atomic = [](Packet packet) {
    return packet.fragment_header(0, Following::nothing, 77).tcp(40000, 80, kSyn);
  };
  expect(atomic(from_client()), Exit::back_out,
         atomic(Packet().ethernet(mac(0xb1), kBalancerMac).ipv6(kClient6, kVip).hop_limit(63)));
}

TEST_P(Way6, a_packet_cut_short_anywhere_passes_untouched_or_drops_by_name) {
  world().publish({Service(kVip, 80).nat().backend(kBackend)});
  const Bytes whole = from_client().hop_by_hop().authentication(2).tcp(40000, 80, kSyn).bytes();
  for (std::size_t bytes = 14; bytes < whole.size(); ++bytes) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
    if (!world().engine().takes(cut)) continue;
    const Outcome outcome = world().send(cut);
    ASSERT_TRUE(outcome.exit == Exit::pass || outcome.reason == core::Reason::malformed) << bytes;
    ASSERT_EQ(outcome.bytes, cut) << bytes;
  }
}

TEST_P(Way6, used_up_hop_limits_drop) {
  world().publish({Service(kVip, 80).nat().backend(kBackend), Service(kVip, 81).tunnel().backend(kBackend)});
  EXPECT_EQ(world().send(from_client().hop_limit(1).tcp(40000, 80, kSyn)).reason, core::Reason::ttl_expired);
  EXPECT_EQ(world().send(from_client().hop_limit(1).tcp(40000, 81, kSyn)).reason, core::Reason::ttl_expired);
}

TEST_P(Way6, a_datagrams_checksum_that_comes_to_zero_has_all_ones) {
  world().publish({Service(kVip, 53).udp().nat().backend(kBackend, {.port = 5353})});
  int all_ones = 0;
  for (std::uint32_t port = 1; port < 65536; port += 3) {
    const Packet packet = from_client().udp(static_cast<std::uint16_t>(port), 53).payload(2);
    const Outcome outcome = world().send(packet);
    ASSERT_EQ(complaint_of_frame(outcome.bytes), "") << port;
    all_ones += outcome.bytes[14 + 40 + 6] == std::byte{0xff} && outcome.bytes[14 + 40 + 7] == std::byte{0xff} ? 1 : 0;
    if (all_ones == 1) break;
  }
}

TEST_P(Way6, flows_of_clients_that_differ_in_any_word_are_apart) {
  world().publish({Service(kVip, 80).nat().backend(kBackend)});
  const std::vector<std::string_view> clients{"2001:db8:1::10", "2001:db8:1::11", "2001:db8:1:0:0:1:0:10",
                                              "2001:db8:1:1::10", "2001:db9:1::10"};
  for (const std::string_view client : clients) {
    EXPECT_FALSE(world().flow(client, 40000, kVip, 80));
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv6(client, kVip).tcp(40000, 80, kSyn));
    EXPECT_TRUE(world().flow(client, 40000, kVip, 80));
  }
}

TEST_P(Way6, outer_sources_are_made_up_in_the_net_that_is_set) {
  world().publish({Service("198.51.100.1", 80).tunnel().varied_source("10.200.0.0", 0xffff).backend("10.0.0.1"),
                   Service(kVip, 80).tunnel().varied_source("2001:db8:5::", 0xffffffff).backend(kBackend)});
  std::set<Bytes> sources4;
  std::set<Bytes> sources6;
  for (std::uint16_t port = 1000; port < 1050; ++port) {
    const Outcome four =
        world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, "198.51.100.1").tcp(port, 80, kSyn));
    ASSERT_EQ(complaint_of_frame(four.bytes), "");
    ASSERT_EQ(four.bytes[14 + 12], std::byte{10});
    ASSERT_EQ(four.bytes[14 + 13], std::byte{200});
    sources4.insert({four.bytes.begin() + 14 + 12, four.bytes.begin() + 14 + 16});
    const Outcome six = world().send(from_client().tcp(port, 80, kSyn));
    ASSERT_EQ(complaint_of_frame(six.bytes), "");
    sources6.insert({six.bytes.begin() + 14 + 8, six.bytes.begin() + 14 + 24});
  }
  EXPECT_GT(sources4.size(), 45U);
  EXPECT_GT(sources6.size(), 45U);
}

TEST_P(Way6, backends_behind_a_vlan_get_its_tags) {
  world().publish({Service(kVip, 80).nat().backend(kBackend, {.vlan = 0x2064}),
                   Service(kVip, 81).tunnel().backend("10.0.0.1", {.vlan = 100, .outer_vlan = 7})});
  expect(from_client().tcp(40000, 80, kSyn), Exit::back_out,
         Packet()
             .ethernet(mac(0xb1), kBalancerMac)
             .vlan(0x2064)
             .ipv6(kClient6, kBackend)
             .hop_limit(63)
             .tcp(40000, 80, kSyn));
  expect(from_client().vlan(5).tcp(40000, 81, kSyn), Exit::back_out,
         Packet()
             .ethernet(mac(0xb1), kBalancerMac)
             .vlan(7)
             .vlan(100)
             .ipv4(kBalancerAddress, "10.0.0.1")
             .identification(0)
             .carrying(Packet().ipv6(kClient6, kVip).hop_limit(63).tcp(40000, 81, kSyn)));
}

TEST_P(Way6, replies_that_leave_by_a_vlan_device_leave_by_what_carries_it) {
  auto state = desired({Service(kVip, 80).nat().backend(kBackend)});
  state.interfaces.push_back(
      {.ifindex = kOutside, .mac = core::tagged(kOutsideMac, core::be16(42)), .parent = kIngress});
  ASSERT_TRUE(world().publisher().publish(state).has_value());
  world().send(from_client().tcp(40000, 80, kSyn));
  expect(Packet().ethernet(kBalancerMac, mac(0xb1)).ipv6(kBackend, kClient6).tcp(80, 40000, kSyn | kAck),
         Exit::back_out,
         Packet()
             .ethernet(kClientMac, kOutsideMac)
             .vlan(42)
             .ipv6(kVip, kClient6)
             .hop_limit(63)
             .tcp(80, 40000, kSyn | kAck));
}

TEST_P(Way6, replies_that_leave_by_a_vlan_device_over_another_have_both_tags) {
  auto state = desired({Service(kVip, 80).nat().backend(kBackend)});
  constexpr std::uint32_t kBetween = 101;
  state.interfaces.push_back(
      {.ifindex = kOutside, .mac = core::tagged(kOutsideMac, core::be16(42)), .parent = kBetween});
  state.interfaces.push_back({.ifindex = kBetween, .mac = core::tagged(mac(0x77), core::be16(7)), .parent = kIngress});
  ASSERT_TRUE(world().publisher().publish(state).has_value());
  world().send(from_client().tcp(40000, 80, kSyn));
  expect(Packet().ethernet(kBalancerMac, mac(0xb1)).ipv6(kBackend, kClient6).tcp(80, 40000, kSyn | kAck),
         Exit::back_out,
         Packet()
             .ethernet(kClientMac, kOutsideMac)
             .vlan(7)
             .vlan(42)
             .ipv6(kVip, kClient6)
             .hop_limit(63)
             .tcp(80, 40000, kSyn | kAck));
}

TEST_P(Way6, three_tags_pass_untouched) {
  world().publish({Service(kVip, 80).nat().backend(kBackend)});
  Bytes frame = from_client().vlan(1).vlan(2).tcp(40000, 80, kSyn).bytes();
  const Bytes tag{std::byte{0x81}, std::byte{0}, std::byte{0}, std::byte{3}};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  const Outcome outcome = world().send(frame);
  EXPECT_EQ(outcome.exit, Exit::pass);
  EXPECT_EQ(outcome.bytes, frame);
}

}  // namespace
}  // namespace astil::test
