// Captures on their way to a client: what stands in the file, what ends it, what becomes of packets that nobody takes.
#include <gmock/gmock.h>

#include <cstring>

#include "control/app/capture_feed.hpp"
#include "control/app/capture_filter.hpp"
#include "control/pcapng/reader.hpp"
#include "tests/packets/packet.hpp"

namespace astil::app {
namespace {

using core::Reason;
using testing::HasSubstr;
using testing::Not;

TEST(CaptureFilter, lets_everything_through_where_nothing_is_asked_for) {
  const core::CaptureFilter filter = filter_of({}, {});
  EXPECT_EQ(filter.service, core::kNoService);
  EXPECT_EQ(filter.by_backend, 0U);
  EXPECT_EQ(filter.client_mask, core::Address{});
  EXPECT_EQ(filter.per_second, 1000U);
  EXPECT_EQ(filter.snap, 192U);
}

TEST(CaptureFilter, has_the_numbers_of_service_and_backends) {
  const core::CaptureFilter filter = filter_of({.rate = 5, .snap = 64}, {.service = 7, .backends = {{4, 9}}});
  EXPECT_EQ(filter.service, 7U);
  EXPECT_NE(filter.by_backend, 0U);
  ASSERT_EQ(filter.backends, 2U);
  EXPECT_EQ(filter.numbers[0], 4U);
  EXPECT_EQ(filter.numbers[1], 9U);
  EXPECT_EQ(filter.per_second, 5U);
  EXPECT_EQ(filter.snap, 64U);
}

TEST(CaptureFilter, covers_the_bits_of_a_prefix_of_either_version) {
  const auto client = [](const char* address, unsigned bits) {
    return filter_of({.client = api::ClientPrefix{boost::asio::ip::make_address(address), bits}}, {});
  };
  EXPECT_EQ(client("192.0.2.77", 24).client, test::address("192.0.2.0"));
  EXPECT_EQ(client("192.0.2.77", 24).client_mask, test::address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00"));
  EXPECT_EQ(client("192.0.2.77", 32).client, test::address("192.0.2.77"));
  EXPECT_EQ(client("2001:db8::1", 36).client, test::address("2001:db8::"));
  EXPECT_EQ(client("2001:db8::1", 36).client_mask, test::address("ffff:ffff:f000::"));
}

class Captures : public testing::Test {
 protected:
  /// A packet that was captured as it came in and, where it left, as it left.
  void come(Reason reason, const core::CapturedPacket& known = blank(), std::size_t bytes = 100) {
    core::CapturedPacket packet = known;
    packet.reason = static_cast<std::uint8_t>(reason);
    const std::vector<std::byte> arrived(bytes, std::byte{0xa1});
    const std::vector<std::byte> left(packet.egress != 0 ? bytes : 0, std::byte{0xa2});
    packet.length = packet.left_length = 1500;
    taker_({.packet = packet, .arrived = arrived, .left = left});
  }
  static core::CapturedPacket blank() {
    core::CapturedPacket packet{};
    packet.ingress = 2;
    packet.egress = 3;
    packet.service = core::kNoService;
    packet.backend = core::kNobody;
    return packet;
  }
  std::unique_ptr<api::Capture> begin(const api::CaptureQuery& query = {}) {
    auto capture = feed_.begin(query, filter_of(query, {}));
    if (capture.has_error()) throw std::runtime_error(capture.error().text());
    return std::move(*capture);
  }
  /// Takes all there is, and checks that it is whole blocks.
  std::string take(api::Capture& capture) {
    const std::string bytes = capture.take();
    EXPECT_EQ(reader_.take(bytes), bytes);
    return bytes;
  }

  boost::asio::io_context loop_;
  Result<void> starts_;
  core::CaptureCounts counts_{};
  int stops_ = 0;
  dataplane::CaptureTaker taker_;
  pcapng::Reader reader_;
  CaptureFeed feed_{loop_,
                    {.start =
                         [this](const core::CaptureFilter&, const dataplane::CaptureTaker& take) {
                           if (starts_.has_value()) taker_ = take;
                           return starts_;
                         },
                     .stop = [this]() -> Result<core::CaptureCounts> {
                       ++stops_;
                       return counts_;
                     },
                     .interfaces = [] { return std::vector<std::uint32_t>{2}; }},
                    {.service = [](std::uint32_t id) { return "s" + std::to_string(id); },
                     .backend = [](std::uint32_t number) { return "b" + std::to_string(number); },
                     .interface = [](std::uint32_t ifindex) { return "eth" + std::to_string(ifindex); }}};
};

TEST_F(Captures, begin_with_what_is_captured_and_the_interfaces) {
  const auto capture =
      begin({.service = "web", .client = api::ClientPrefix{boost::asio::ip::make_address("10.0.0.0"), 8}});
  const std::string file = take(*capture);
  EXPECT_THAT(file, HasSubstr("packets of web, of client 10.0.0.0/8; at most 1000 a second"));
  EXPECT_THAT(file, HasSubstr("eth2"));
  EXPECT_THAT(file, Not(HasSubstr("eth3")));
  EXPECT_FALSE(capture->ended());
}

TEST_F(Captures, have_a_packet_before_and_after_with_the_decision) {
  const auto capture = begin();
  core::CapturedPacket packet = blank();
  packet.service = 7;
  packet.backend = 9;
  packet.flow = core::CapturedFlow::fresh;
  packet.by = core::CapturedBy::ring;
  packet.slot = 17;
  come(Reason::forwarded, packet);
  const std::string file = take(*capture);
  EXPECT_EQ(reader_.frames(), 2U);
  EXPECT_THAT(file, HasSubstr("before: reason=forwarded service=s7 backend=b9 flow=new by=ring slot=17"));
  EXPECT_THAT(file, HasSubstr("after: reason=forwarded service=s7 backend=b9 flow=new by=ring slot=17"));
  EXPECT_THAT(file, HasSubstr("eth3")) << "the interface that it left by";
  come(Reason::forwarded, packet);
  EXPECT_THAT(take(*capture), Not(HasSubstr("eth3"))) << "is described once";
}

TEST_F(Captures, say_why_a_packet_did_not_leave) {
  const auto capture = begin();
  core::CapturedPacket packet = blank();
  packet.egress = 0;
  packet.service = 7;
  come(Reason::no_backend, packet);
  come(Reason::unknown_reply, packet);
  come(Reason::fragment_held, packet);
  const std::string file = take(*capture);
  EXPECT_EQ(reader_.frames(), 3U);
  EXPECT_THAT(file, HasSubstr("dropped: reason=no_backend service=s7 (the service has no backend in rotation)"));
  EXPECT_THAT(file, HasSubstr("passed: reason=unknown_reply"));
  EXPECT_THAT(file, HasSubstr("held: reason=fragment_held"));
}

TEST_F(Captures, wake_who_takes_when_there_is_something_and_at_the_end) {
  const auto capture = begin();
  int woken = 0;
  capture->on_ready([&] { ++woken; });
  take(*capture);
  come(Reason::forwarded);
  come(Reason::forwarded);
  EXPECT_EQ(woken, 1);
  take(*capture);
  capture->end();
  EXPECT_EQ(woken, 2);
}

TEST_F(Captures, end_with_what_became_of_the_packets) {
  const auto capture = begin();
  come(Reason::forwarded);
  counts_ = {.captured = 1, .over_rate = 30, .no_room = 4, .window = 0};
  capture->end();
  EXPECT_TRUE(capture->ended());
  take(*capture);
  ASSERT_TRUE(reader_.statistics().has_value());
  EXPECT_EQ(reader_.statistics()->delivered, 1U);
  EXPECT_EQ(reader_.statistics()->over_rate, 30U);
  EXPECT_EQ(reader_.statistics()->lost, 4U);
  EXPECT_EQ(reader_.statistics()->comment, "its client wanted no more");
  EXPECT_EQ(stops_, 1);
}

TEST_F(Captures, end_when_they_have_their_packets) {
  const auto capture = begin({.count = 2});
  for (int i = 0; i < 4; ++i) come(Reason::forwarded);
  EXPECT_EQ(stops_, 0) << "not while packets are given out";
  loop_.poll();
  EXPECT_EQ(stops_, 1);
  take(*capture);
  EXPECT_EQ(reader_.frames(), 4U);
  EXPECT_EQ(reader_.statistics()->delivered, 2U);
  EXPECT_EQ(reader_.statistics()->comment, "it has its packets");
}

TEST_F(Captures, end_before_the_file_is_larger_than_it_may_be) {
  const auto capture = begin({.size = 10'000});
  for (int i = 0; i < 100; ++i) come(Reason::forwarded);
  loop_.poll();
  const std::string file = take(*capture);
  EXPECT_LE(file.size(), 10'000U);
  EXPECT_GT(file.size(), 9'000U);
  EXPECT_EQ(reader_.statistics()->comment, "it has its bytes");
}

TEST_F(Captures, end_when_their_time_is_over) {
  const auto capture = begin({.seconds = 0});
  loop_.run();
  EXPECT_TRUE(capture->ended());
  take(*capture);
  EXPECT_EQ(reader_.statistics()->comment, "its time was over");
}

TEST_F(Captures, are_stopped_when_the_client_leaves) {
  begin().reset();
  EXPECT_EQ(stops_, 1);
  loop_.run();  // no timer is left
  EXPECT_FALSE(feed_.query().has_value());
}

TEST_F(Captures, hold_no_more_than_their_share_for_a_client_that_takes_nothing) {
  const auto capture = begin({.size = 1'000'000'000});
  std::uint64_t came = 0;
  for (; came < 2000; ++came) come(Reason::forwarded, blank(), 9000);
  const std::string file = take(*capture);
  EXPECT_LT(file.size(), CaptureFeed::kHeld + 20'000);
  come(Reason::forwarded);
  ++came;
  capture->end();
  take(*capture);
  EXPECT_GT(reader_.statistics()->lost, 1000U);
  EXPECT_EQ(reader_.statistics()->delivered + reader_.statistics()->lost, came);
}

TEST_F(Captures, are_one_at_a_time) {
  const auto capture = begin({.service = "web"});
  EXPECT_EQ(feed_.query()->service, "web");
  EXPECT_TRUE(feed_.begin({}, filter_of({}, {})).has_error());
  capture->end();
  EXPECT_TRUE(feed_.begin({}, filter_of({}, {})).has_value()) << "though the client has not read to the end";
}

TEST_F(Captures, do_not_begin_where_the_packet_path_refuses) {
  starts_ = Error{"load the packet path: no", {}};
  EXPECT_EQ(feed_.begin({}, filter_of({}, {})).error().what, "load the packet path: no");
  EXPECT_FALSE(feed_.query().has_value());
  EXPECT_EQ(stops_, 0);
}

TEST_F(Captures, may_outlive_their_feed) {
  auto other = std::make_unique<CaptureFeed>(
      loop_,
      CaptureFeed::Path{.start = [](const auto&, const auto&) -> Result<void> { return {}; },
                        .stop = []() -> Result<core::CaptureCounts> { return core::CaptureCounts{}; },
                        .interfaces = [] { return std::vector<std::uint32_t>(); }},
      Names{});
  const auto capture = std::move(*other->begin({}, filter_of({}, {})));
  other.reset();
  EXPECT_TRUE(capture->ended());
  take(*capture);
  EXPECT_EQ(reader_.statistics()->comment, "the daemon ended");
  capture->end();
}

}  // namespace
}  // namespace astil::app
