// The part of the API that tells what has changed: the history of a backend, past events, and events as they happen.
#include <gtest/gtest.h>

#include "control/api/event_feed.hpp"
#include "control/api/json.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::api {
namespace {

class EventRoutes : public testing::Test {
 protected:
  Answer ask(std::string_view target, Access access = Access::everything, std::string_view last_event_id = {}) {
    return answer(daemon,
                  {.method = "GET", .target = target, .body = {}, .access = access, .last_event_id = last_event_id});
  }

  test::FakeDaemon daemon;
};

TEST_F(EventRoutes, why_answers_with_the_history_of_a_backend) {
  daemon.why_view = WhyView{{{.service = "web",
                              .backend = "b2",
                              .configured = true,
                              .in_rotation = false,
                              .reason = "its checks fail",
                              .events = {test::sample_event(7)}}}};
  const Answer told = ask("/v1/why?backend=b2&service=web");
  EXPECT_EQ(told.status, 200U);
  EXPECT_EQ(daemon.backend_filter.service, "web");
  EXPECT_NE(told.body.find("\"reason\":\"its checks fail\""), std::string::npos);
  EXPECT_NE(told.body.find("\"kind\":\"health\",\"service\":\"web\",\"backend\":\"b2\""), std::string::npos);
  EXPECT_EQ(ask("/v1/why").status, 400U);
  EXPECT_EQ(ask("/v1/why?backend=b2", Access::metrics).status, 403U);
  daemon.why_view = Error{"there is no backend 'b9'", {}};
  EXPECT_EQ(ask("/v1/why?backend=b9").status, 422U);
}

TEST_F(EventRoutes, past_events_have_a_filter_and_a_limit) {
  daemon.past_events.events = {test::sample_event(1), test::sample_event(2, "up")};
  const Answer told = ask("/v1/events/past?service=web&backend=b2&limit=2");
  EXPECT_EQ(told.status, 200U);
  EXPECT_EQ(daemon.event_limit, 2U);
  EXPECT_EQ(daemon.event_filter.backend, "b2");
  EXPECT_NE(told.body.find("\"number\":2"), std::string::npos);
  EXPECT_EQ(ask("/v1/events/past?limit=0").status, 400U);
}

TEST_F(EventRoutes, whoever_follows_again_says_after_which_event) {
  EXPECT_EQ(ask("/v1/events?after=12").content_type, "text/event-stream");
  EXPECT_EQ(daemon.followed_after, 12U);
  EXPECT_EQ(ask("/v1/events", Access::everything, "13").status, 200U);
  EXPECT_EQ(daemon.followed_after, 13U);
  EXPECT_EQ(ask("/v1/events", Access::everything, "x").status, 400U);
  EXPECT_EQ(ask("/v1/events?after=x").status, 400U);
  daemon.event_refusal = Error{"16 follow events already", {}};
  EXPECT_EQ(ask("/v1/events").status, 422U);
}

TEST_F(EventRoutes, an_event_is_a_server_sent_event_with_its_number_and_kind) {
  daemon.events_to_come->waiting = {test::sample_event(7)};
  const Answer following = ask("/v1/events");
  EXPECT_EQ(following.feed->take(),
            ": events of astil\n\n"
            "id: 7\nevent: health\n"
            "data: {\"number\":7,\"time\":\"2026-01-31T12:00:00.123456Z\",\"kind\":\"health\",\"service\":\"web\","
            "\"backend\":\"b2\",\"interface\":\"\",\"group\":\"\",\"track\":\"\",\"before\":\"up\",\"after\":\"down\","
            "\"reason\":\"connect: Connection refused\"}\n\n");
  EXPECT_EQ(following.feed->take(), "");
}

TEST_F(EventRoutes, a_client_is_told_what_it_has_missed) {
  daemon.events_to_come->missing = 3;
  const Answer following = ask("/v1/events?after=1");
  EXPECT_NE(following.feed->take().find("event: gap\ndata: {\"missing\":3}\n\n"), std::string::npos);
  daemon.events_to_come->behind = true;
  EXPECT_EQ(following.feed->take(), "event: behind\ndata: {}\n\n");
  EXPECT_EQ(following.feed->take(), "");
  EXPECT_TRUE(following.feed->ended());
}

TEST_F(EventRoutes, events_come_over_the_socket_as_they_happen) {
  test::RunningServer server(daemon);
  test::UnixClient client{boost::asio::local::stream_protocol::endpoint(server.socket())};
  client.send("GET /v1/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 41\r\n\r\n");
  const std::string header = client.receive_until(": events of astil\n\n");
  EXPECT_NE(header.find("Content-Type: text/event-stream\r\n"), std::string::npos);
  EXPECT_EQ(daemon.followed_after, 41U);
  for (const std::uint64_t number : {42U, 43U}) {
    server.on_loop([&] { daemon.events_to_come->publish(test::sample_event(number)); });
    client.receive_until("id: " + std::to_string(number) + "\n");
    client.receive_until("\n\n");
  }
  std::future<void> left;
  server.on_loop([&] { left = daemon.events_to_come->left.emplace().get_future(); });
  client.close();
  left.wait();
}

TEST_F(EventRoutes, a_follower_that_fell_behind_is_told_so_and_closed) {
  test::RunningServer server(daemon);
  test::UnixClient client{boost::asio::local::stream_protocol::endpoint(server.socket())};
  client.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
  client.receive_until(": events of astil\n\n");
  server.on_loop([&] {
    daemon.events_to_come->behind = true;
    daemon.events_to_come->ready();
  });
  EXPECT_NE(client.receive_all().find("event: behind\n"), std::string::npos);
}

}  // namespace
}  // namespace astil::api
