// Lists of sources and limits of a source's new flows: who is let in, how fast, and that known flows stay.
#include "dataplane/core/sources.hpp"

#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::Reason;

enum class Version { ipv4, ipv6 };
using Kind = std::tuple<EngineKind, Version>;

class Sources : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    world_ = make_world(std::get<0>(GetParam()));
    if (!world_) GTEST_SKIP() << "no kernel engine here";
  }
  [[nodiscard]] bool ipv6() const { return std::get<1>(GetParam()) == Version::ipv6; }
  [[nodiscard]] std::string_view vip() const { return ipv6() ? "2001:db8::1" : "198.51.100.1"; }
  [[nodiscard]] Service service(std::uint16_t port = 80) const {
    return Service(vip(), port).direct().backend(ipv6() ? "2001:db8:b::1" : "10.0.0.1");
  }
  /// One of some clients, of which 256 in a row have a /24, or a /120, in common.
  [[nodiscard]] std::string client(unsigned number) const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    if (!ipv6()) return "203.0.113." + std::to_string(number);
    return std::string("2001:db8:c::") + kDigits[number / 16] + kDigits[number % 16];
  }
  /// The length of a prefix that leaves so many bits.
  [[nodiscard]] std::uint8_t but(unsigned bits) const { return static_cast<std::uint8_t>((ipv6() ? 128 : 32) - bits); }
  [[nodiscard]] std::string net() const { return ipv6() ? "2001:db8:c::" : "203.0.113.0"; }

  Reason send(unsigned from, std::uint16_t port, std::uint8_t flags, std::uint16_t to_port = 80) {
    Packet packet = Packet().ethernet(kBalancerMac, kClientMac);
    (ipv6() ? packet.ipv6(client(from), vip()) : packet.ipv4(client(from), vip())).tcp(port, to_port, flags);
    return world_->send(packet).reason;
  }
  Reason datagram(unsigned from, std::uint16_t port, std::uint16_t to_port) {
    Packet packet = Packet().ethernet(kBalancerMac, kClientMac);
    (ipv6() ? packet.ipv6(client(from), vip()) : packet.ipv4(client(from), vip())).udp(port, to_port);
    return world_->send(packet).reason;
  }
  [[nodiscard]] bool knows(unsigned from, std::uint16_t port) const {
    return world_->flow(client(from), port, vip(), 80).has_value();
  }
  /// How many of so many new flows of a client are let in.
  unsigned let_in(unsigned from, unsigned flows, std::uint16_t to_port = 80) {
    unsigned count = 0;
    for (unsigned i = 0; i < flows; ++i) count += send(from, next_port_++, kSyn, to_port) == kSent ? 1 : 0;
    return count;
  }
  /// The clock stands still: time goes by as well when the buckets' goes back.
  void let_pass(std::uint64_t units) {
    for (core::SourceBucket& bucket : world_->tables().source_buckets()) {
      if (bucket.value == 0) continue;
      bucket.value = (bucket.value & ~core::kSourceTimeMask) | ((bucket.value - units) & core::kSourceTimeMask);
    }
  }

  std::unique_ptr<World> world_;
  std::uint16_t next_port_ = 2000;
};

TEST_P(Sources, without_lists_are_all_let_in) {
  world_->publish({service()});
  EXPECT_EQ(send(1, 1000, kSyn), kSent);
}

TEST_P(Sources, that_deny_has_are_kept_out) {
  world_->publish({service().deny(client(16), but(4))});
  EXPECT_EQ(send(15, 1000, kSyn), kSent);
  EXPECT_EQ(send(16, 1000, kSyn), Reason::source_denied);
  EXPECT_EQ(send(25, 1000, kSyn), Reason::source_denied);
  EXPECT_EQ(send(31, 1000, kSyn), Reason::source_denied);
  EXPECT_EQ(send(32, 1000, kSyn), kSent);
  EXPECT_FALSE(knows(16, 1000));
}

TEST_P(Sources, that_allow_does_not_have_are_kept_out) {
  world_->publish({service().allow(client(16), but(4))});
  EXPECT_EQ(send(15, 1000, kSyn), Reason::source_denied);
  EXPECT_EQ(send(16, 1000, kSyn), kSent);
  EXPECT_EQ(send(31, 1000, kSyn), kSent);
  EXPECT_EQ(send(32, 1000, kSyn), Reason::source_denied);
}

TEST_P(Sources, are_judged_by_the_longest_prefix) {
  world_->publish({service().allow(net(), but(8)).deny(client(32), but(5)).allow(client(40), but(0))});
  EXPECT_EQ(send(31, 1000, kSyn), kSent);
  EXPECT_EQ(send(39, 1000, kSyn), Reason::source_denied);
  EXPECT_EQ(send(40, 1000, kSyn), kSent);
  EXPECT_EQ(send(41, 1000, kSyn), Reason::source_denied);
  EXPECT_EQ(send(64, 1000, kSyn), kSent);
}

TEST_P(Sources, that_are_denied_do_not_get_in_by_a_packet_without_syn) {
  world_->publish({service().deny(client(7), but(0))});
  for (const std::uint8_t flags : {kAck, kSyn, std::uint8_t{kFin | kAck}, kRst})
    EXPECT_EQ(send(7, 1000, flags), Reason::source_denied);
  EXPECT_FALSE(knows(7, 1000));
}

TEST_P(Sources, that_are_denied_keep_the_connections_that_they_have) {
  world_->publish({service()});
  ASSERT_EQ(send(7, 1000, kSyn), kSent);
  ASSERT_EQ(send(7, 1000, kAck), kSent);
  world_->publish({service().deny(client(7), but(0))});
  EXPECT_EQ(send(7, 1000, kAck), kSent);
  EXPECT_EQ(send(7, 1001, kSyn), Reason::source_denied);
  EXPECT_EQ(send(7, 1000, kFin | kAck), kSent);
  EXPECT_EQ(send(7, 1000, kSyn), Reason::source_denied) << "another connection from the same port";
  world_->publish({service()});
  EXPECT_EQ(send(7, 1001, kSyn), kSent);
}

TEST_P(Sources, that_are_denied_do_not_get_in_by_their_affinity) {
  const auto sticky = [&] { return service().affinity(300, but(0)); };
  world_->publish({sticky()});
  ASSERT_EQ(send(17, 1000, kSyn), kSent);
  world_->publish({sticky().deny(client(17), but(0))});
  EXPECT_EQ(send(17, 1001, kSyn), Reason::source_denied);
  EXPECT_EQ(send(17, 1000, kAck), kSent) << "what is open stays";
}

TEST_P(Sources, of_one_service_are_not_those_of_another) {
  world_->publish({service(80).deny(client(7), but(0)), service(81)});
  EXPECT_EQ(send(7, 1000, kSyn, 80), Reason::source_denied);
  EXPECT_EQ(send(7, 1000, kSyn, 81), kSent);
  const auto& placed = world_->tables();
  EXPECT_EQ(placed.sum_reason(Reason::source_denied), 1U);
}

TEST_P(Sources, of_udp_are_checked_too) {
  world_->publish({Service(vip(), 53)
                       .udp()
                       .direct()
                       .deny(client(7), but(0))
                       .limit(1, 2, but(0))
                       .backend(ipv6() ? "2001:db8:b::1" : "10.0.0.1")});
  EXPECT_EQ(datagram(7, 1000, 53), Reason::source_denied);
  EXPECT_EQ(datagram(8, 1000, 53), kSent);
  EXPECT_EQ(datagram(8, 1001, 53), kSent);
  EXPECT_EQ(datagram(8, 1002, 53), Reason::source_limited);
  EXPECT_EQ(datagram(8, 1000, 53), kSent) << "a flow that is known";
}

TEST_P(Sources, of_a_thousand_prefixes_are_each_found) {
  Service many = service();
  for (unsigned i = 0; i < 120; ++i) many.deny(client(2 * i), but(0));
  world_->publish({many});
  for (unsigned i = 0; i < 240; ++i) EXPECT_EQ(send(i, 1000, kSyn), i % 2 == 0 ? Reason::source_denied : kSent) << i;
}

TEST_P(Sources, have_so_many_new_flows_at_once_and_a_second) {
  world_->publish({service().limit(4, 10, but(0))});
  EXPECT_EQ(let_in(1, 15), 10U);
  EXPECT_EQ(let_in(2, 15), 10U) << "each for itself";
  let_pass(core::kSourceUnitsPerSecond);
  EXPECT_EQ(let_in(1, 15), 4U);
  let_pass(3600ULL * core::kSourceUnitsPerSecond);
  EXPECT_EQ(let_in(1, 15), 10U) << "no more than that is saved";
  let_pass(core::kSourceTimeMask / 2 + 1000);
  EXPECT_EQ(let_in(1, 15), 10U) << "the clock has gone round half";
}

TEST_P(Sources, of_one_prefix_share_a_limit) {
  world_->publish({service().limit(1, 6, but(4))});
  EXPECT_EQ(let_in(16, 4), 4U);
  EXPECT_EQ(let_in(31, 4), 2U);
  EXPECT_EQ(let_in(32, 4), 4U);
}

TEST_P(Sources, have_a_limit_at_each_service) {
  world_->publish({service(80).limit(1, 3, but(0)), service(81).limit(1, 5, but(0))});
  EXPECT_EQ(let_in(1, 9, 80), 3U);
  EXPECT_EQ(let_in(1, 9, 81), 5U);
}

TEST_P(Sources, that_are_limited_keep_the_connections_that_they_have) {
  world_->publish({service().limit(1, 1, but(0))});
  ASSERT_EQ(send(1, 1000, kSyn), kSent);
  EXPECT_EQ(send(1, 1001, kSyn), Reason::source_limited);
  EXPECT_EQ(send(1, 1000, kSyn), kSent) << "the same SYN again";
  EXPECT_EQ(send(1, 1000, kAck), kSent);
  EXPECT_EQ(send(1, 1002, kAck), kSent) << "in mid-connection: it opens none";
}

TEST_P(Sources, that_are_too_many_to_be_told_apart_are_let_in) {
  world_->publish({service().limit(1, 1, but(0))});
  for (unsigned i = 0; i < 250; ++i) EXPECT_EQ(send(i, 1000, kSyn), kSent) << "never another's limit: " << i;
}

TEST_P(Sources, keep_their_limits_while_others_come) {
  world_->publish({service().limit(1, 1, but(0))});
  send(1, 1000, kSyn);
  for (unsigned i = 2; i < 10; ++i) send(i, 1000, kSyn);
  EXPECT_EQ(send(1, 1001, kSyn), Reason::source_limited);
}

INSTANTIATE_TEST_SUITE_P(all, Sources, testing::Combine(kEveryEngine, testing::Values(Version::ipv4, Version::ipv6)),
                         [](const testing::TestParamInfo<Kind>& kind) {
                           return std::string(name_of(std::get<0>(kind.param))) +
                                  (std::get<1>(kind.param) == Version::ipv4 ? "_ipv4" : "_ipv6");
                         });

}  // namespace
}  // namespace astil::test
