// Full NAT in tests: a client, a service with its backends, and the ports between them.
#pragma once

#include "tests/packets/both_versions.hpp"
#include "tests/packets/complaint.hpp"

namespace astil::test {

class FullNat : public BothVersions {
 protected:
  static constexpr std::uint16_t kClientPort = 40000;

  using BothVersions::from_client;

  [[nodiscard]] std::string_view other_backend() const { return ipv6() ? "2001:db8:b::2" : "10.0.0.2"; }
  [[nodiscard]] std::string_view source() const { return ipv6() ? kPortSource6 : kPortSource; }
  [[nodiscard]] std::string_view other_source() const { return ipv6() ? "2001:db8:b::201" : "10.0.0.201"; }

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
};

}  // namespace astil::test
