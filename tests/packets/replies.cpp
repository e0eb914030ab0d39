// Replies whose way to the client was found a moment ago, by a reply before: they come out as that one did, and no more
// is taken for a reply than without it.
#include "tests/packets/both_versions.hpp"

namespace astil::test {
namespace {

using core::FlowState;
using core::Reason;

constexpr std::uint16_t kClientPort = 40000;
constexpr std::uint16_t kNobodysPort = 40001;

class KeptWays : public BothVersions {
 protected:
  [[nodiscard]] Service service() const { return Service(vip(), 80).nat().backend(backend(), {.port = 8080}); }
  [[nodiscard]] Packet request(std::uint8_t flags) const {
    return from_client(packet(client(), vip()).tcp(kClientPort, 80, flags));
  }
  [[nodiscard]] Packet reply(std::uint8_t flags, std::uint16_t to = kClientPort) const {
    return from_backend(packet(backend(), client()).tcp(8080, to, flags));
  }
  [[nodiscard]] FlowState state() const {
    return world_->flow(client(), kClientPort, vip(), 80).value_or(core::FlowEntry{}).state;
  }
  void open() const {
    EXPECT_EQ(world_->send(request(kSyn)).reason, kSent);
    EXPECT_EQ(world_->send(reply(kSyn | kAck)).reason, kSent);
    EXPECT_EQ(world_->send(request(kAck)).reason, kSent);
  }
};
ASTIL_ON_EVERY_ENGINE_AND_VERSION(KeptWays);

TEST_P(KeptWays, give_every_reply_the_services_end) {
  world_->publish({service()});
  open();
  const Packet out = to_client(packet(vip(), client(), 63).tcp(80, kClientPort, kAck));
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = world_->send(reply(kAck));
    EXPECT_EQ(outcome.reason, kSent);
    EXPECT_EQ(outcome.bytes, out.bytes());
  }
}

TEST_P(KeptWays, carry_what_a_reply_says_of_its_connection) {
  world_->publish({service()});
  open();
  EXPECT_EQ(state(), FlowState::established);
  world_->send(reply(kFin | kAck));
  EXPECT_EQ(state(), FlowState::closing);
  world_->send(reply(kRst));
  EXPECT_EQ(state(), FlowState::closed);
}

TEST_P(KeptWays, are_not_for_what_is_of_no_connection) {
  world_->publish({service()});
  open();
  const Packet strange = reply(kAck, kNobodysPort);
  const Outcome outcome = world_->send(strange);
  EXPECT_EQ(outcome.reason, Reason::unknown_reply);
  EXPECT_TRUE(passed_untouched(outcome, strange));
}

TEST_P(KeptWays, are_not_for_what_a_backend_under_full_nat_sends_its_client_itself) {
  world_->publish({service(), Service(vip(), 81).full_nat().backend(backend(), {.port = 8080})});
  world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 81, kSyn)));
  const std::vector<Port> ports = world_->ports();
  ASSERT_EQ(ports.size(), 1U);
  const std::string_view source = ipv6() ? kPortSource6 : kPortSource;
  const Packet answer = from_backend(packet(backend(), source).tcp(8080, ports[0].number, kSyn | kAck));
  EXPECT_EQ(world_->send(answer).reason, kSent);
  const Packet direct = from_backend(packet(backend(), client()).tcp(8080, kClientPort, kAck));
  EXPECT_TRUE(passed_untouched(world_->send(direct), direct));
}

TEST_P(KeptWays, are_not_for_frames_of_other_stations) {
  world_->publish({service()});
  open();
  const Packet flooded = reply(kAck).ethernet(mac(0x77), mac(0xb1));
  EXPECT_TRUE(passed_untouched(world_->send(flooded), flooded));
}

TEST_P(KeptWays, end_with_their_backends_service) {
  world_->publish({service()});
  open();
  world_->publish({Service(vip(), 81).nat().backend(backend(), {.port = 8081})});
  EXPECT_TRUE(passed_untouched(world_->send(reply(kAck)), reply(kAck)));
}

}  // namespace
}  // namespace astil::test
