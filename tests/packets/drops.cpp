// Drops: each is counted with the service that the packet was for, and told to whoever follows.
#include "tests/packets/sense.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::DropEvent;
using core::Reason;
using dataplane::Rotation;

enum class Version { ipv4, ipv6 };
using Kind = std::tuple<EngineKind, Version>;

class Drops : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    world_ = make_world(std::get<0>(GetParam()));
    if (!world_) GTEST_SKIP() << "no kernel engine here";
  }
  [[nodiscard]] bool ipv6() const { return std::get<1>(GetParam()) == Version::ipv6; }
  [[nodiscard]] std::string_view vip() const { return ipv6() ? "2001:db8::1" : "198.51.100.1"; }
  [[nodiscard]] std::string_view backend() const { return ipv6() ? "2001:db8:b::1" : "10.0.0.1"; }
  [[nodiscard]] std::string_view client() const { return ipv6() ? kClient6 : kClient; }
  [[nodiscard]] std::string_view silent() const { return ipv6() ? kSilentClient6 : kSilentClient; }
  [[nodiscard]] std::string_view unreachable() const { return ipv6() ? kUnreachableClient6 : kUnreachableClient; }

  [[nodiscard]] Packet packet(std::string_view from, std::string_view to, std::uint8_t hops = 64) const {
    Packet packet = Packet().ethernet(kBalancerMac, kClientMac);
    return ipv6() ? packet.ipv6(from, to).hop_limit(hops) : packet.ipv4(from, to).time_to_live(hops);
  }
  void publish(const std::vector<Service>& services) { placed_ = world_->publish(services).services; }
  void follow() { world_->tables().settings().shared.drop_followers = 1; }

  /// What the service at a place in the last `publish` has of a reason.
  [[nodiscard]] std::uint64_t dropped(std::size_t service, Reason reason) const {
    return world_->tables().sum_drops(placed_[service].id).counts[core::drop_place(reason)];
  }
  /// The packet is dropped for a reason, and counted with this service and no other.
  void expect_drop_of(std::size_t service, const Packet& packet, Reason reason) {
    std::vector<std::uint64_t> before;
    for (std::size_t i = 0; i < placed_.size(); ++i) before.push_back(dropped(i, reason));
    const Outcome outcome = world_->send(packet);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.exit, Exit::drop);
    for (std::size_t i = 0; i < placed_.size(); ++i)
      EXPECT_EQ(dropped(i, reason), before[i] + (i == service ? 1 : 0)) << i;
  }
  [[nodiscard]] DropEvent only_event() {
    const auto drops = world_->engine().take_drops();
    EXPECT_EQ(drops.size(), 1U);
    return drops.empty() ? DropEvent{} : drops[0];
  }

  std::unique_ptr<World> world_;
  std::vector<dataplane::PlacedService> placed_;
};

TEST_P(Drops, of_new_and_known_flows_count_with_their_service) {
  publish({Service(vip(), 80).nat().backend(backend(), {.port = 8080}),
           Service(vip(), 81).tunnel().backend(backend(), {.rotation = Rotation::out}),
           Service(vip(), 82).direct().backend(backend(), {.mac = 0}),
           Service(vip(), 83).tunnel().affinity(300, ipv6() ? 128 : 32).backend(backend(), {.rotation = Rotation::out}),
           Service(vip(), 53).udp().direct().backend(backend(), {.rotation = Rotation::out})});
  expect_drop_of(1, packet(client(), vip()).tcp(40000, 81, kSyn), Reason::no_backend);
  expect_drop_of(1, packet(client(), vip()).tcp(40000, 81, kAck), Reason::no_backend);
  expect_drop_of(2, packet(client(), vip()).tcp(40000, 82, kSyn), Reason::no_next_hop);
  expect_drop_of(3, packet(client(), vip()).tcp(40000, 83, kSyn), Reason::no_backend);
  expect_drop_of(4, packet(client(), vip()).udp(40000, 53), Reason::no_backend);
  ASSERT_EQ(world_->send(packet(client(), vip()).tcp(40000, 80, kSyn)).reason, kSent);
  expect_drop_of(0, packet(client(), vip(), 1).tcp(40000, 80, kAck), Reason::ttl_expired);
}

TEST_P(Drops, of_replies_count_with_the_service_that_they_answer_for) {
  publish({Service(vip(), 80).nat().backend(backend(), {.port = 8080}),
           Service(vip(), 81).nat().backend(backend(), {.port = 8081})});
  ASSERT_EQ(world_->send(packet(silent(), vip()).tcp(40000, 81, kSyn)).reason, kSent);
  expect_drop_of(1, packet(backend(), silent()).tcp(8081, 40000, kSyn | kAck), Reason::no_neighbour);
  ASSERT_EQ(world_->send(packet(unreachable(), vip()).tcp(40000, 80, kSyn)).reason, kSent);
  expect_drop_of(0, packet(backend(), unreachable()).tcp(8080, 40000, kSyn | kAck), Reason::no_route);
}

TEST_P(Drops, of_what_is_too_long_count_with_the_service_once_senders_are_told_no_more) {
  publish({Service(vip(), 80).nat().backend("10.0.0.9"), Service(vip(), 81).nat().backend(backend(), {.mtu = 1300})});
  for (core::CpuRow& row : world_->tables().cpu_rows())
    row.limits[static_cast<std::size_t>(core::LimitKind::icmp)] = {.unit = 0, .count = 1U << 30U};
  expect_drop_of(1, packet(client(), vip()).tcp(40000, 81, kAck).payload(1400), Reason::too_big);
}

TEST_P(Drops, of_errors_about_connections_count_with_their_service) {
  publish({Service(vip(), 80).direct().backend(backend()), Service(vip(), 81).direct().backend(backend(), {.mac = 0})});
  const Packet about = packet(vip(), client()).tcp(81, 40000, kAck);
  const Packet error = ipv6() ? packet("2001:db8:7::7", vip()).icmp_error(2, 0, 1400, about, 0)
                              : packet("198.18.0.7", vip()).icmp_error(3, 4, 1400, about, 0);
  expect_drop_of(1, error, Reason::no_next_hop);
}

TEST_P(Drops, for_an_address_and_no_service_count_with_none) {
  publish({Service(vip(), 80).nat().backend(backend())});
  constexpr std::size_t kNone = 7;
  expect_drop_of(kNone, packet(client(), vip()).protocol(core::kProtocolTcp).payload(12), Reason::malformed);
}

TEST_P(Drops, are_told_while_somebody_follows) {
  publish({Service(vip(), 80).nat().backend("10.0.0.9"),
           Service(vip(), 81).tunnel().backend(backend(), {.rotation = Rotation::out})});
  const Packet lost = packet(client(), vip()).tcp(40000, 81, kSyn).payload(9);
  world_->send(lost);
  EXPECT_TRUE(world_->engine().take_drops().empty()) << "nobody follows";
  follow();
  world_->send(lost);
  world_->send(packet(client(), vip()).tcp(40000, 99, kSyn));
  const DropEvent event = only_event();
  EXPECT_EQ(event.reason, static_cast<std::uint8_t>(Reason::no_backend));
  EXPECT_EQ(event.service, placed_[1].id);
  EXPECT_EQ(event.protocol, core::kProtocolTcp);
  EXPECT_EQ(event.source, address(client()));
  EXPECT_EQ(event.destination, address(vip()));
  EXPECT_EQ(host(event.source_port), 40000);
  EXPECT_EQ(host(event.destination_port), 81);
  EXPECT_EQ(event.length, (ipv6() ? 40U : 20U) + 20U + 9U);
  EXPECT_EQ(event.interface, kIngress);
}

TEST_P(Drops, of_tagged_frames_and_of_icmp_are_told_as_far_as_they_can_be_read) {
  publish({Service(vip(), 80).nat().backend("10.0.0.9"), Service(vip(), 81).direct().backend(backend(), {.mac = 0})});
  follow();
  const Packet about = packet(vip(), client()).tcp(81, 40000, kAck);
  world_->send(ipv6() ? packet("2001:db8:7::7", vip()).icmp_error(2, 0, 1400, about, 0)
                      : packet("198.18.0.7", vip()).icmp_error(3, 4, 1400, about, 0));
  const DropEvent icmp = only_event();
  EXPECT_EQ(icmp.protocol, ipv6() ? core::kProtocolIcmpv6 : core::kProtocolIcmp);
  EXPECT_EQ(icmp.source, address(ipv6() ? "2001:db8:7::7" : "198.18.0.7"));
  EXPECT_EQ(raw(icmp.source_port) | raw(icmp.destination_port), 0);
  EXPECT_EQ(icmp.service, placed_[1].id);
  world_->send(packet(client(), vip()).vlan(7).tcp(40000, 81, kSyn));
  const DropEvent tagged = only_event();
  EXPECT_EQ(tagged.source, address(client()));
  EXPECT_EQ(host(tagged.destination_port), 81);
  world_->send(packet(client(), vip()).protocol(core::kProtocolTcp).payload(2));
  const DropEvent shortened = only_event();
  EXPECT_EQ(shortened.destination, address(vip()));
  EXPECT_EQ(raw(shortened.source_port), 0);
  EXPECT_EQ(shortened.service, core::kNoService);
}

TEST_P(Drops, are_told_no_more_than_so_often) {
  stay_on_this_cpu();
  publish({Service(vip(), 81).tunnel().backend(backend(), {.rotation = Rotation::out})});
  follow();
  for (std::uint16_t port = 1000; port < 1100; ++port) world_->send(packet(client(), vip()).tcp(port, 81, kSyn));
  EXPECT_EQ(dropped(0, Reason::no_backend), 100U);
  EXPECT_EQ(world_->engine().take_drops().size(), core::kDropEventsPerSecond / core::kUnitsPerSecond);
}

TEST_P(Drops, of_a_service_that_goes_are_not_the_next_ones) {
  const Service gone = Service(vip(), 81).tunnel().backend(backend(), {.rotation = Rotation::out});
  publish({gone});
  expect_drop_of(0, packet(client(), vip()).tcp(40000, 81, kSyn), Reason::no_backend);
  const std::uint32_t id = placed_[0].id;
  publish({});
  world_->publisher().release([](std::uint32_t) { return false; });
  publish({Service(vip(), 82).tunnel().backend(backend())});
  ASSERT_EQ(placed_[0].id, id) << "the id is used again";
  EXPECT_EQ(dropped(0, Reason::no_backend), 0U);
  EXPECT_EQ(world_->tables().sum_drops(world_->tables().sizes.services).counts[core::drop_place(Reason::no_backend)],
            1U)
      << "and what it counted stays";
}

INSTANTIATE_TEST_SUITE_P(all, Drops, testing::Combine(kEveryEngine, testing::Values(Version::ipv4, Version::ipv6)),
                         [](const testing::TestParamInfo<Kind>& kind) {
                           return std::string(name_of(std::get<0>(kind.param))) +
                                  (std::get<1>(kind.param) == Version::ipv4 ? "_ipv4" : "_ipv6");
                         });

}  // namespace
}  // namespace astil::test
