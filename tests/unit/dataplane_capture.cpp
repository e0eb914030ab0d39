// Captures on running hooks, in a network namespace of its own: the programs come and go, packets are given out
// meanwhile. Needs root.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "dataplane/publisher.hpp"
#include "dataplane/xdp/tc_filter.hpp"
#include "dataplane/xdp/xdp_dataplane.hpp"
#include "tests/packets/world.hpp"

namespace astil::xdp {
namespace {

using dataplane::Hook;
using test::kOutside;
using test::Packet;
using test::Service;

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::uint32_t kLoopback = 1;

core::CaptureFilter everything() {
  core::CaptureFilter filter{};
  filter.service = core::kNoService;
  filter.snap = core::kMaxSnap;
  filter.per_second = 1'000'000;
  return filter;
}

struct Kept {
  core::Reason reason;
  test::Bytes arrived;
  test::Bytes left;
};

class LiveCapture : public testing::TestWithParam<Hook> {
 protected:
  void SetUp() override {
    // Which also moves this thread to the namespace that has the interfaces.
    if (auto able = test::tc_engine(test::small_sizes()); able.has_error())
      GTEST_SKIP() << "no kernel engine here: " << able.error().text();
    ASSERT_TRUE(remove_instance(options_.instance).has_value());
    engine_ = open();
    attach(kOutside, GetParam());
  }
  void TearDown() override {
    engine_.reset();
    (void)remove_instance(options_.instance);
  }

  std::unique_ptr<XdpDataplane> open() {
    auto engine = XdpDataplane::open(options_);
    if (engine.has_error()) throw std::runtime_error(engine.error().text());
    dataplane::Publisher publisher(**engine);
    dataplane::DesiredState state = test::desired({Service(kVip, 80).direct().backend("10.0.0.1")});
    state.interfaces.push_back({.ifindex = kOutside, .mac = test::kOutsideMac});
    auto published = publisher.publish(state);
    if (published.has_error()) throw std::runtime_error(published.error().text());
    return std::move(*engine);
  }
  void attach(std::uint32_t ifindex, Hook hook) {
    const auto attached = engine_->attach(ifindex, hook);
    ASSERT_TRUE(attached.has_value()) << attached.error().text();
  }
  void start() {
    const auto started = engine_->start_capture(everything(), [this](const dataplane::CapturedFrames& captured) {
      kept_.push_back({static_cast<core::Reason>(captured.packet.reason),
                       {captured.arrived.begin(), captured.arrived.end()},
                       {captured.left.begin(), captured.left.end()}});
    });
    ASSERT_TRUE(started.has_value()) << started.error().text();
  }

  /// The kernel's id of the attached program.
  [[nodiscard]] std::uint32_t program(std::uint32_t ifindex = kOutside) const {
    if (const auto id = TcFilter(options_.instance, ifindex).program_id(); id != 0) return id;
    const auto pin = options_.bpffs / "astil" / options_.instance / ("link-" + std::to_string(ifindex));
    const base::Descriptor link(::bpf_obj_get(pin.c_str()));
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    return ::bpf_obj_get_info_by_fd(link.get(), &info, &length) == 0 ? info.prog_id : 0;
  }
  [[nodiscard]] bool has_events() const {
    pollfd descriptor{.fd = engine_->event_descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&descriptor, 1, 0) == 1;
  }
  void take() {
    engine_->take_events({.neighbour = [](const core::NeighbourWanted&) {},
                          .fragment = [](std::uint32_t, std::span<const std::byte>) {},
                          .drop = [](const core::DropEvent&) {}});
  }
  test::Bytes send(std::uint16_t port = 1000) {
    const Packet packet =
        Packet().ethernet(test::kOutsideMac, test::kClientMac).ipv4(test::kClient, kVip).tcp(port, 80, test::kSyn);
    EXPECT_TRUE(engine_->inject(kOutside, packet.bytes()).has_value());
    return packet.bytes();
  }

  Options options_{.instance = "test-capture-" + std::to_string(::getpid()),
                   .sizes = test::small_sizes(),
                   .program = embedded_program()};
  std::unique_ptr<XdpDataplane> engine_;
  std::vector<Kept> kept_;
};

TEST_P(LiveCapture, gives_out_packets_while_it_runs_and_leaves_the_program_that_was_there) {
  const std::uint32_t plain = program();
  send(999);
  start();
  EXPECT_NE(program(), plain);
  EXPECT_FALSE(has_events()) << "what came before the start";
  const test::Bytes sent = send(1000);
  ASSERT_TRUE(has_events());
  take();
  EXPECT_FALSE(has_events());
  ASSERT_EQ(kept_.size(), 1U);
  EXPECT_EQ(kept_[0].reason, core::Reason::forwarded);
  EXPECT_EQ(kept_[0].arrived, sent);
  EXPECT_EQ(kept_[0].left.size(), sent.size());
  EXPECT_NE(kept_[0].left, sent) << "as it left it has the backend's MAC address";

  send(1001);
  const auto counts = engine_->stop_capture();
  ASSERT_TRUE(counts.has_value()) << counts.error().text();
  EXPECT_EQ(kept_.size(), 2U) << "what nobody had taken is given out at the end";
  EXPECT_EQ(counts->captured, 2U);
  EXPECT_EQ(counts->over_rate + counts->no_room, 0U);
  EXPECT_EQ(program(), plain);
  send(1002);
  take();
  EXPECT_EQ(kept_.size(), 2U);
  EXPECT_EQ(engine_->stop_capture()->captured, 0U) << "none runs any more";
}

TEST_P(LiveCapture, follows_a_change_of_what_is_wanted) {
  start();
  core::CaptureFilter other = everything();
  other.client = test::address("192.0.2.99");
  std::fill(std::begin(other.client_mask.words), std::end(other.client_mask.words), core::Be32{~0U});
  engine_->change_capture(other);
  send();
  engine_->change_capture(everything());
  send();
  take();
  EXPECT_EQ(kept_.size(), 1U);
}

TEST_P(LiveCapture, is_given_out_in_portions) {
  start();
  for (std::size_t i = 0; i < XdpDataplane::kEventsAtOnce + 1; ++i) send();
  take();
  EXPECT_EQ(kept_.size(), XdpDataplane::kEventsAtOnce);
  ASSERT_TRUE(has_events());
  take();
  EXPECT_EQ(kept_.size(), XdpDataplane::kEventsAtOnce + 1);
}

TEST_P(LiveCapture, of_which_there_is_one_at_a_time) {
  start();
  const std::uint32_t capturing = program();
  EXPECT_TRUE(engine_->start_capture(everything(), [](const dataplane::CapturedFrames&) {}).has_error());
  EXPECT_EQ(program(), capturing);
}

TEST_P(LiveCapture, is_on_interfaces_that_come_while_it_runs) {
  start();
  const std::uint32_t capturing = program();
  const bool tc = GetParam() == Hook::tc;
  attach(kLoopback, tc ? Hook::tc : Hook::xdp_generic);
  EXPECT_EQ(program(kLoopback), capturing);
  ASSERT_TRUE(engine_->stop_capture().has_value());
  EXPECT_NE(program(), capturing);
  EXPECT_EQ(program(kLoopback), program());
}

TEST_P(LiveCapture, leaves_all_programs_where_one_can_not_be_replaced) {
  options_.program.capture_object = {};
  if (GetParam() == Hook::tc) {
    options_.program.capture_object = embedded_program().capture_object;
    options_.program.tc_capture_object = {};
  }
  engine_.reset();
  engine_ = open();
  attach(kLoopback, Hook::xdp_generic);
  const std::uint32_t plain = program();
  const std::uint32_t plain_loopback = program(kLoopback);
  EXPECT_TRUE(engine_->start_capture(everything(), [](const dataplane::CapturedFrames&) {}).has_error());
  EXPECT_EQ(program(), plain);
  EXPECT_EQ(program(kLoopback), plain_loopback);
  EXPECT_FALSE(has_events());
  send();
  EXPECT_EQ(engine_->stop_capture()->captured, 0U);
}

TEST_P(LiveCapture, whose_daemon_was_killed_ends_with_the_next_one) {
  start();
  const std::uint32_t capturing = program();
  engine_.reset();
  EXPECT_EQ(program(), capturing) << "what is attached outlives its maker";
  engine_ = open();
  EXPECT_EQ(engine_->origin().kind, Origin::Kind::adopted);
  const std::uint32_t plain = program();
  EXPECT_NE(plain, capturing);
  start();
  send();
  take();
  EXPECT_EQ(kept_.size(), 1U);
  ASSERT_TRUE(engine_->stop_capture().has_value());
  EXPECT_EQ(program(), plain);
}

TEST_P(LiveCapture, is_over_an_interface_that_has_lost_its_program) {
  ASSERT_TRUE(remove_instance(options_.instance).has_value());
  start();
  EXPECT_EQ(program(), 0U) << "a capture attaches nothing anew";
  EXPECT_TRUE(engine_->stop_capture().has_value());
  EXPECT_EQ(program(), 0U);
}

INSTANTIATE_TEST_SUITE_P(on, LiveCapture, testing::Values(Hook::xdp, Hook::tc),
                         [](const auto& hook) { return hook.param == Hook::tc ? "tc" : "xdp"; });

}  // namespace
}  // namespace astil::xdp
