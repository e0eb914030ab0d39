// Full NAT in tests: a client, a service with its backends, and the ports between them.
#pragma once

#include <memory>
#include <string>
#include <tuple>

#include "tests/packets/complaint.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {

enum class IpVersion { ipv4, ipv6 };
using EngineAndVersion = std::tuple<EngineKind, IpVersion>;

class FullNat : public testing::TestWithParam<EngineAndVersion> {
 protected:
  static constexpr std::uint16_t kClientPort = 40000;
  static constexpr std::uint32_t kIdentification = 0x1234;

  void SetUp() override {
    world_ = make_world(std::get<0>(GetParam()));
    if (!world_) GTEST_SKIP() << "no kernel engine here";
  }
  [[nodiscard]] bool ipv6() const { return std::get<1>(GetParam()) == IpVersion::ipv6; }
  [[nodiscard]] std::string_view vip() const { return ipv6() ? "2001:db8::1" : "198.51.100.1"; }
  [[nodiscard]] std::string_view backend() const { return ipv6() ? "2001:db8:b::1" : "10.0.0.1"; }
  [[nodiscard]] std::string_view other_backend() const { return ipv6() ? "2001:db8:b::2" : "10.0.0.2"; }
  [[nodiscard]] std::string_view client() const { return ipv6() ? kClient6 : kClient; }
  [[nodiscard]] std::string_view source() const { return ipv6() ? kPortSource6 : kPortSource; }
  [[nodiscard]] std::string_view other_source() const { return ipv6() ? "2001:db8:b::201" : "10.0.0.201"; }
  [[nodiscard]] std::string_view router() const { return ipv6() ? "2001:db8:7::7" : "198.18.0.7"; }

  [[nodiscard]] Packet packet(std::string_view from, std::string_view to, std::uint8_t hops = 64) const {
    Packet packet;
    return ipv6() ? packet.ipv6(from, to).hop_limit(hops) : packet.ipv4(from, to).fragment(0).time_to_live(hops);
  }
  [[nodiscard]] static Packet from_client(Packet packet) { return packet.ethernet(kBalancerMac, kClientMac); }
  [[nodiscard]] static Packet to_backend(Packet packet) { return packet.ethernet(mac(0xb1), kBalancerMac); }
  [[nodiscard]] static Packet from_backend(Packet packet) { return packet.ethernet(kBalancerMac, mac(0xb1)); }
  [[nodiscard]] static Packet to_client(Packet packet) { return packet.ethernet(kClientMac, kOutsideMac); }
  [[nodiscard]] Packet error(Packet packet, const Packet& quoted, std::size_t quoted_bytes = 0) const {
    return ipv6() ? packet.icmp_error(2, 0, 1400, quoted, quoted_bytes)
                  : packet.icmp_error(3, 4, 1400, quoted, quoted_bytes);
  }
  /// The first 64 bytes of a datagram, and what follows.
  [[nodiscard]] Packet first(Packet packet, std::uint16_t from, std::uint16_t to) const {
    if (ipv6()) packet.fragment_header(0, Following::more, kIdentification);
    if (!ipv6()) packet.fragment(kMoreFragmentsBit).identification(kIdentification);
    return packet.udp(from, to).payload(56);
  }
  [[nodiscard]] static Packet later(Packet packet) {
    return packet.identification(kIdentification).later_fragment(core::kProtocolUdp, 64, 100);
  }

  [[nodiscard]] Service tcp_service() const { return Service(vip(), 80).full_nat(); }
  [[nodiscard]] Service one_backend() const { return tcp_service().backend(backend(), {.port = 8080}); }

  Outcome from_client(std::uint8_t flags, std::uint16_t port = kClientPort) {
    return world_->send(from_client(packet(client(), vip()).tcp(port, 80, flags)));
  }
  Outcome reply(std::uint8_t flags, std::uint16_t to) {
    return world_->send(from_backend(packet(backend(), source()).tcp(8080, to, flags)));
  }
  /// The only port that a client's port has.
  [[nodiscard]] Port port(std::uint16_t client_port = kClientPort) const {
    Port found;
    std::size_t count = 0;
    for (const Port& port : world_->ports()) {
      if (host(port.record.flow.client_port) != client_port) continue;
      found = port;
      ++count;
    }
    EXPECT_EQ(count, 1U) << "ports of the client's port " << client_port;
    return found;
  }
  std::uint16_t open(std::uint16_t client_port = kClientPort) {
    EXPECT_EQ(from_client(kSyn, client_port).reason, kSent);
    const std::uint16_t number = port(client_port).number;
    EXPECT_EQ(reply(kSyn | kAck, number).reason, kSent);
    EXPECT_EQ(from_client(kAck, client_port).reason, kSent);
    return number;
  }
  void expect(const Packet& in, core::Reason reason, const Packet& out) {
    const Outcome outcome = world_->send(in);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.bytes, out.bytes());
    EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  }
  void publish_sources(const std::vector<std::string_view>& sources, const Service& service) {
    dataplane::DesiredState state = desired({service});
    state.port_sources.clear();
    for (const std::string_view text : sources) state.port_sources.push_back(address(text));
    ASSERT_TRUE(world_->publisher().publish(state).has_value());
  }
  void settle() {
    const dataplane::Census census = dataplane::take_census(world_->tables(), 0);
    world_->publisher().release([&](std::uint32_t number) { return census.named[number] != 0; });
    world_->publisher().settle_sources(census.ports);
  }

  std::unique_ptr<World> world_;
};

[[nodiscard]] inline std::string engine_and_version(const testing::TestParamInfo<EngineAndVersion>& kind) {
  return std::string(name_of(std::get<0>(kind.param))) +
         (std::get<1>(kind.param) == IpVersion::ipv6 ? "_ipv6" : "_ipv4");
}

inline const auto kEveryEngineAndVersion =
    testing::Combine(kEveryEngine, testing::Values(IpVersion::ipv4, IpVersion::ipv6));

}  // namespace astil::test
