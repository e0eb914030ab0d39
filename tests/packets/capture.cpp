// What is captured of packets: the frames as the path saw and sent them, byte for byte, and its decision; only what the
// filter wants and the rate lets through. And a packet path that is watched does what it does unwatched.
#include <arpa/inet.h>

#ifdef ASTIL_DPDK
#include "tests/packets/dpdk_world.hpp"
#endif
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::CapturedBy;
using core::CapturedFlow;
using core::CapturedPacket;
using core::CaptureFilter;
using core::Reason;

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::string_view kVip6 = "2001:db8::1";

struct Captured {
  CapturedPacket packet{};
  Bytes arrived;
  Bytes left;
};

Captured read(const Bytes& record) {
  Captured captured;
  EXPECT_GE(record.size(), core::kCapturedHeader);
  std::memcpy(&captured.packet, record.data(), core::kCapturedHeader);
  const auto frames = record.begin() + core::kCapturedHeader;
  EXPECT_GE(record.size(), core::kCapturedHeader + captured.packet.bytes + captured.packet.left_bytes);
  captured.arrived.assign(frames, frames + captured.packet.bytes);
  captured.left.assign(frames + captured.packet.bytes, frames + captured.packet.bytes + captured.packet.left_bytes);
  return captured;
}

CaptureFilter everything() {
  CaptureFilter filter{};
  filter.service = core::kNoService;
  filter.snap = core::kMaxSnap;
  filter.per_second = 1'000'000;
  return filter;
}

enum class On { xdp, tc, dpdk };

Result<std::unique_ptr<TestEngine>> engine_on(On on) {
#ifdef ASTIL_DPDK
  if (on == On::dpdk) return std::unique_ptr<TestEngine>(dpdk_burst_engine(small_sizes()));
#endif
  return capturing_engine(on == On::tc, small_sizes());
}

std::vector<On> engines() {
#ifdef ASTIL_DPDK
  return {On::xdp, On::tc, On::dpdk};
#else
  return {On::xdp, On::tc};
#endif
}

class Capture : public testing::TestWithParam<On> {
 protected:
  void SetUp() override {
    auto engine = engine_on(GetParam());
    if (engine.has_error() && ::geteuid() != 0) GTEST_SKIP() << "loading a program needs root";
    ASSERT_TRUE(engine.has_value()) << engine.error().text();
    world_ = std::make_unique<World>(std::move(*engine));
    world_->engine().capture(everything());
  }
  static Packet packet(std::string_view from, std::string_view to) {
    const bool ipv6 = to.find(':') != std::string_view::npos;
    const Packet frame = Packet().ethernet(kBalancerMac, kClientMac);
    return ipv6 ? Packet(frame).ipv6(from, to) : Packet(frame).ipv4(from, to);
  }
  /// Sends, and takes what was captured of it.
  Outcome send(const Packet& sent) {
    const Outcome outcome = world_->send(sent);
    captured_.clear();
    for (const Bytes& record : world_->engine().take_captured()) captured_.push_back(read(record));
    return outcome;
  }
  /// The one packet was captured, as it came and as it left.
  void expect_both_frames(const Packet& sent) {
    const Outcome outcome = send(sent);
    ASSERT_EQ(captured_.size(), 1U);
    const Captured& captured = captured_[0];
    EXPECT_EQ(captured.arrived, sent.bytes());
    EXPECT_EQ(captured.packet.length, sent.bytes().size());
    EXPECT_EQ(captured.packet.ingress, kIngress);
    ASSERT_TRUE(outcome.exit == Exit::back_out || outcome.exit == Exit::other_interface);
    EXPECT_EQ(captured.left, outcome.bytes);
    EXPECT_EQ(captured.packet.left_length, outcome.bytes.size());
    EXPECT_EQ(captured.packet.egress, outcome.exit == Exit::back_out ? kIngress : kOutside);
  }

  std::unique_ptr<World> world_;
  std::vector<Captured> captured_;
};

TEST_P(Capture, holds_frames_of_every_forwarding_as_they_came_and_as_they_left) {
  for (const std::string_view vip : {kVip, kVip6}) {
    const bool ipv6 = vip == kVip6;
    const std::string_view backend = ipv6 ? "2001:db8:b::1" : "10.0.0.1";
    const std::string_view client = ipv6 ? kClient6 : kClient;
    world_->publish({Service(vip, 80).nat().backend(backend, {.port = 8080}),
                     Service(vip, 81).tunnel().backend(backend), Service(vip, 82).gue().backend(backend),
                     Service(vip, 83).direct().backend(backend),
                     Service(vip, 84).direct().backend(backend, {.vlan = 7}),
                     Service(vip, 85).direct().backend(backend, {.vlan = 7, .outer_vlan = 8})});
    for (const auto port : std::initializer_list<std::uint16_t>{80, 81, 82, 83, 84, 85}) {
      expect_both_frames(packet(client, vip).tcp(40000, port, kSyn).payload(100));
      EXPECT_EQ(captured_.at(0).packet.flow, CapturedFlow::fresh);
      EXPECT_EQ(captured_.at(0).packet.by, CapturedBy::ring);
      expect_both_frames(packet(client, vip).tcp(40000, port, kAck).payload(1000));
      EXPECT_EQ(captured_.at(0).packet.flow, CapturedFlow::known);
      EXPECT_EQ(captured_.at(0).packet.reason, static_cast<std::uint8_t>(Reason::forwarded));
    }
    expect_both_frames(packet(backend, client).tcp(8080, 40000, kSyn | kAck));
    EXPECT_EQ(captured_.at(0).packet.reason, static_cast<std::uint8_t>(Reason::replied));
    EXPECT_EQ(captured_.at(0).packet.flow, CapturedFlow::known);
  }
}

TEST_P(Capture, keeps_the_tag_that_a_frame_came_with) {
  world_->publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  expect_both_frames(Packet().ethernet(kBalancerMac, kClientMac).vlan(7).ipv4(kClient, kVip).tcp(40000, 80, kSyn));
}

TEST_P(Capture, names_service_and_backend) {
  const auto placed =
      world_->publish({Service(kVip, 80).direct().backend("10.0.0.1"), Service(kVip, 81).direct().backend("10.0.0.2")});
  send(packet(kClient, kVip).tcp(40000, 81, kSyn));
  ASSERT_EQ(captured_.size(), 1U);
  EXPECT_EQ(captured_[0].packet.service, placed.services[1].id);
  EXPECT_EQ(world_->backend_address(captured_[0].packet.backend), address("10.0.0.2"));
}

TEST_P(Capture, has_dropped_packets_without_a_second_frame) {
  const auto placed = world_->publish({Service(kVip, 80).direct().backend("10.0.0.1", {.mac = 0})});
  const Packet sent = packet(kClient, kVip).tcp(40000, 80, kSyn);
  send(sent);
  ASSERT_EQ(captured_.size(), 1U);
  EXPECT_EQ(captured_[0].packet.reason, static_cast<std::uint8_t>(Reason::no_next_hop));
  EXPECT_EQ(captured_[0].packet.service, placed.services[0].id);
  EXPECT_EQ(captured_[0].arrived, sent.bytes());
  EXPECT_TRUE(captured_[0].left.empty());
  EXPECT_EQ(captured_[0].packet.egress, 0U);
}

TEST_P(Capture, leaves_out_packets_of_no_service) {
  world_->publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  send(packet(kClient, kVip).tcp(40000, 9999, kSyn));
  EXPECT_TRUE(captured_.empty());
  EXPECT_EQ(world_->engine().capture_counts().over_rate, 0U);
}

TEST_P(Capture, keeps_no_more_of_a_frame_than_was_asked_for) {
  world_->publish({Service(kVip, 80).tunnel().backend("10.0.0.1")});
  CaptureFilter filter = everything();
  filter.snap = core::kMinSnap;
  world_->engine().capture(filter);
  const Packet sent = packet(kClient, kVip).tcp(40000, 80, kSyn).payload(500);
  send(sent);
  ASSERT_EQ(captured_.size(), 1U);
  const Bytes whole = sent.bytes();
  EXPECT_EQ(captured_[0].arrived, Bytes(whole.begin(), whole.begin() + core::kMinSnap));
  EXPECT_EQ(captured_[0].left.size(), core::kMinSnap);
  EXPECT_EQ(captured_[0].packet.length, whole.size());
  EXPECT_EQ(captured_[0].packet.left_length, whole.size() + sizeof(core::Ipv4Header));
}

TEST_P(Capture, goes_by_service_and_by_backend) {
  const auto placed =
      world_->publish({Service(kVip, 80).direct().backend("10.0.0.1"), Service(kVip, 81).direct().backend("10.0.0.2")});
  CaptureFilter filter = everything();
  filter.service = placed.services[1].id;
  world_->engine().capture(filter);
  send(packet(kClient, kVip).tcp(40000, 80, kSyn));
  EXPECT_TRUE(captured_.empty());
  send(packet(kClient, kVip).tcp(40000, 81, kSyn));
  ASSERT_EQ(captured_.size(), 1U);
  filter = everything();
  filter.by_backend = 1;
  filter.backends = 2;
  filter.numbers[0] = core::kNobody;
  filter.numbers[1] = captured_[0].packet.backend;
  world_->engine().capture(filter);
  send(packet(kClient, kVip).tcp(40001, 80, kSyn));
  EXPECT_TRUE(captured_.empty());
  send(packet(kClient, kVip).tcp(40001, 81, kSyn));
  EXPECT_EQ(captured_.size(), 1U);
}

TEST_P(Capture, goes_by_the_client_in_both_directions_and_in_errors) {
  world_->publish({Service(kVip, 80).nat().backend("10.0.0.1", {.port = 8080})});
  CaptureFilter filter = everything();
  filter.client = address("192.0.2.8");
  filter.client_mask = core::Address{{core::Be32{~0U}, core::Be32{~0U}, core::Be32{~0U}, core::be32(~7U)}};
  world_->engine().capture(filter);
  send(packet("192.0.2.16", kVip).tcp(40000, 80, kSyn));
  EXPECT_TRUE(captured_.empty());
  send(packet(kClient, kVip).tcp(40000, 80, kSyn));
  EXPECT_EQ(captured_.size(), 1U);
  send(packet("10.0.0.1", kClient).tcp(8080, 40000, kSyn | kAck));
  EXPECT_EQ(captured_.size(), 1U);
  const Packet quoted = packet(kVip, kClient).tcp(80, 40000, kAck);
  send(packet("203.0.113.1", kVip).icmp_error(3, 4, 1400, quoted));
  EXPECT_EQ(captured_.size(), 1U);
  send(Packet().ethernet(kBalancerMac, kClientMac).vlan(7).ipv4(kClient, kVip).tcp(40000, 80, kAck));
  EXPECT_EQ(captured_.size(), 1U);
}

TEST_P(Capture, counts_what_its_rate_leaves_out) {
  world_->publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  CaptureFilter filter = everything();
  filter.per_second = 0;
  world_->engine().capture(filter);
  // The first of a second is let through, whatever the rate.
  for (int i = 0; i < 3; ++i) world_->send(packet(kClient, kVip).tcp(40000, 80, kSyn));
  const core::CaptureCounts counts = world_->engine().capture_counts();
  EXPECT_EQ(counts.captured + counts.over_rate, 3U);
  EXPECT_GE(counts.over_rate, 1U);
}

TEST_P(Capture, counts_what_nobody_took) {
  world_->publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  constexpr std::uint64_t kSent = 5000;  // of two times 600 bytes and more: more than the ring holds
  const Packet sent = packet(kClient, kVip).tcp(40000, 80, kSyn).payload(600);
  for (std::uint64_t i = 0; i < kSent; ++i) world_->send(sent);
  const core::CaptureCounts counts = world_->engine().capture_counts();
  EXPECT_GE(counts.no_room, 1U);
  EXPECT_EQ(counts.captured + counts.no_room, kSent);
}

INSTANTIATE_TEST_SUITE_P(on, Capture, testing::ValuesIn(engines()), [](const auto& on) {
  return on.param == On::xdp ? "xdp" : on.param == On::tc ? "tc" : "dpdk";
});

}  // namespace
}  // namespace astil::test
