// Cases that are true of every engine and of both versions of IP: who takes part, and the frames between them.
#pragma once

#include <memory>
#include <string>
#include <tuple>

#include "tests/packets/world.hpp"

namespace astil::test {

enum class IpVersion { ipv4, ipv6 };
using EngineAndVersion = std::tuple<EngineKind, IpVersion>;

class BothVersions : public testing::TestWithParam<EngineAndVersion> {
 protected:
  static constexpr std::uint32_t kIdentification = 0x1234;  ///< of datagrams in fragments

  void SetUp() override {
    world_ = make_world(std::get<0>(GetParam()));
    if (!world_) GTEST_SKIP() << "no kernel engine here";
  }
  [[nodiscard]] bool ipv6() const { return std::get<1>(GetParam()) == IpVersion::ipv6; }
  [[nodiscard]] std::string_view vip() const { return ipv6() ? "2001:db8::1" : "198.51.100.1"; }
  [[nodiscard]] std::string_view backend() const { return ipv6() ? "2001:db8:b::1" : "10.0.0.1"; }
  [[nodiscard]] std::string_view client() const { return ipv6() ? kClient6 : kClient; }
  [[nodiscard]] std::string_view router() const { return ipv6() ? "2001:db8:7::7" : "198.18.0.7"; }

  /// One that may be fragmented.
  [[nodiscard]] Packet packet(std::string_view from, std::string_view to, std::uint8_t hops = 64) const {
    Packet packet;
    return ipv6() ? packet.ipv6(from, to).hop_limit(hops) : packet.ipv4(from, to).fragment(0).time_to_live(hops);
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
  /// "Too big", as routers have it.
  [[nodiscard]] Packet error(Packet packet, const Packet& quoted, std::size_t quoted_bytes = 0) const {
    return ipv6() ? packet.icmp_error(2, 0, 1400, quoted, quoted_bytes)
                  : packet.icmp_error(3, 4, 1400, quoted, quoted_bytes);
  }

  [[nodiscard]] static Packet from_client(Packet packet) { return packet.ethernet(kBalancerMac, kClientMac); }
  [[nodiscard]] static Packet to_backend(Packet packet) { return packet.ethernet(mac(0xb1), kBalancerMac); }
  [[nodiscard]] static Packet from_backend(Packet packet) { return packet.ethernet(kBalancerMac, mac(0xb1)); }
  [[nodiscard]] static Packet to_client(Packet packet) { return packet.ethernet(kClientMac, kOutsideMac); }

  std::unique_ptr<World> world_;
};

[[nodiscard]] inline std::string engine_and_version(const testing::TestParamInfo<EngineAndVersion>& kind) {
  return std::string(name_of(std::get<0>(kind.param))) +
         (std::get<1>(kind.param) == IpVersion::ipv6 ? "_ipv6" : "_ipv4");
}

#define ASTIL_ON_EVERY_ENGINE_AND_VERSION(Case) \
  INSTANTIATE_TEST_SUITE_P(                     \
      on, Case, testing::Combine(kEveryEngine, testing::Values(IpVersion::ipv4, IpVersion::ipv6)), engine_and_version)

}  // namespace astil::test
