// What followers of drops hear, and what becomes of those who are too slow.
#include "control/app/drop_feed.hpp"

#include <gtest/gtest.h>

#include "dataplane/core/headers.hpp"
#include "tests/packets/packet.hpp"

namespace astil::app {
namespace {

api::DropEventView drop_of(const std::string& service, const std::string& reason, std::uint32_t length = 60) {
  return {.reason = reason, .service = service, .length = length};
}

class Feed : public testing::Test {
 protected:
  std::uint32_t followers = 0;
  DropFeed feed{[this](std::uint32_t count) { followers = count; }};
};

TEST_F(Feed, tells_the_packet_path_while_somebody_follows) {
  auto one = feed.follow({});
  EXPECT_EQ(followers, 1U);
  auto other = feed.follow({});
  EXPECT_EQ(followers, 2U);
  one->reset();
  other->reset();
  EXPECT_EQ(followers, 0U);
}

TEST_F(Feed, gives_each_follower_what_it_asked_for) {
  auto all = *feed.follow({});
  auto web = *feed.follow({.service = "web", .reason = {}});
  auto expired = *feed.follow({.service = {}, .reason = "ttl_expired"});
  feed.publish(drop_of("web", "no_backend"));
  feed.publish(drop_of("dns", "ttl_expired"));
  EXPECT_EQ(all->take().size(), 2U);
  EXPECT_EQ(all->take().size(), 0U) << "once";
  const auto of_web = web->take();
  ASSERT_EQ(of_web.size(), 1U);
  EXPECT_EQ(of_web[0].service, "web");
  const auto of_expired = expired->take();
  ASSERT_EQ(of_expired.size(), 1U);
  EXPECT_EQ(of_expired[0].service, "dns");
}

TEST_F(Feed, wakes_a_follower_once_for_what_comes_while_it_has_nothing) {
  auto follower = *feed.follow({});
  int woken = 0;
  follower->on_ready([&] { ++woken; });
  feed.publish(drop_of("web", "no_backend"));
  feed.publish(drop_of("web", "no_backend"));
  EXPECT_EQ(woken, 1);
  (void)follower->take();
  feed.publish(drop_of("web", "no_backend"));
  EXPECT_EQ(woken, 2);
}

TEST_F(Feed, loses_the_oldest_for_a_slow_follower_and_says_how_many) {
  auto slow = *feed.follow({});
  auto quick = *feed.follow({});
  for (std::uint32_t i = 0; i < DropFeed::kHeld + 7; ++i) {
    feed.publish(drop_of("web", "no_backend", i));
    ASSERT_EQ(quick->take().front().lost, 0U);
  }
  const auto left = slow->take();
  ASSERT_EQ(left.size(), DropFeed::kHeld);
  EXPECT_EQ(left.front().length, 7U);
  EXPECT_EQ(left.front().lost, 7U);
  EXPECT_EQ(left.back().lost, 0U);
  feed.publish(drop_of("web", "no_backend"));
  EXPECT_EQ(slow->take().front().lost, 0U) << "told once";
}

TEST_F(Feed, has_so_many_followers_and_no_more) {
  std::vector<std::unique_ptr<api::DropFollower>> many;
  for (std::size_t i = 0; i < DropFeed::kMostFollowers; ++i) many.push_back(*feed.follow({}));
  EXPECT_TRUE(feed.follow({}).has_error());
  many.pop_back();
  EXPECT_FALSE(feed.follow({}).has_error());
}

TEST(DropFeed, may_go_before_its_followers) {
  std::unique_ptr<api::DropFollower> follower;
  {
    DropFeed feed([](std::uint32_t) {});
    follower = *feed.follow({});
    feed.publish(drop_of("web", "no_backend"));
  }
  EXPECT_EQ(follower->take().size(), 1U);
}

TEST(DropFeed, shows_a_drop_with_names_and_the_time_on_the_wall) {
  const core::DropEvent event{.time = 5'000'000'000,
                              .source = test::address("203.0.113.7"),
                              .destination = test::address("2001:db8::1"),
                              .interface = 3,
                              .service = 0,
                              .length = 60,
                              .source_port = core::be16(40000),
                              .destination_port = core::be16(80),
                              .protocol = core::kProtocolTcp,
                              .reason = static_cast<std::uint8_t>(core::Reason::no_backend),
                              .reserved = {}};
  const api::TimePoint now(std::chrono::seconds(1'000'000'000));
  const auto view = view_of(event, {.service = "web", .interface = "eth0"}, now, 5'250'000'000);
  EXPECT_EQ(view.time, "2001-09-09T01:46:39.750000Z");
  EXPECT_EQ(view.reason, "no_backend");
  EXPECT_EQ(view.service, "web");
  EXPECT_EQ(view.protocol, "tcp");
  EXPECT_EQ(view.source.address.to_string(), "203.0.113.7");
  EXPECT_EQ(view.source.port, 40000);
  EXPECT_EQ(view.destination.address.to_string(), "2001:db8::1");
  EXPECT_EQ(view.interface, "eth0");
}

}  // namespace
}  // namespace astil::app
