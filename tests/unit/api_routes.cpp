// What each path of the API answers, without sockets.
#include "control/api/routes.hpp"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

#include "control/api/json.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::api {
namespace {

using test::FakeDaemon;
using test::ip_of;
using testing::HasSubstr;

class Routes : public testing::Test {
 protected:
  Answer get(const std::string& target, Access access = Access::everything) {
    Answer reply = answer(daemon, {"GET", target, "", access});
    while (reply.unfinished) go_on(reply);
    return reply;
  }
  Answer post(const std::string& target, const std::string& body = "") {
    return answer(daemon, {"POST", target, body, Access::everything});
  }
  template <class View>
  View view_of(const Answer& a) {
    return from_json<View>(boost::json::parse(a.body)).value();
  }

  FakeDaemon daemon;
};

TEST_F(Routes, status_is_the_daemons_status) {
  const auto reply = get("/v1/status");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.content_type, "application/json");
  const auto status = view_of<StatusView>(reply);
  EXPECT_EQ(status.instance, "main");
  ASSERT_EQ(status.services.size(), 1U);
  EXPECT_EQ(status.services[0].backends[1].health.last_error, "connect: Connection refused");
}

TEST_F(Routes, version_tells_the_build_and_the_layout) {
  const auto version = view_of<VersionView>(get("/v1/version"));
  EXPECT_EQ(version.version, "1.2.3");
  EXPECT_EQ(version.layout_version, 4U);
}

TEST_F(Routes, drops_can_be_asked_for_and_followed_by_service_and_reason) {
  EXPECT_EQ(get("/v1/drops?service=web&reason=no_backend").status, 200U);
  EXPECT_EQ(daemon.drop_filter.service, "web");
  EXPECT_EQ(daemon.drop_filter.reason, "no_backend");
  const auto followed = get("/v1/drops/follow?reason=ttl_expired");
  EXPECT_EQ(followed.status, 200U);
  EXPECT_TRUE(followed.feed != nullptr);
  EXPECT_EQ(daemon.drop_filter.service, std::nullopt);
  EXPECT_EQ(daemon.drop_filter.reason, "ttl_expired");
  daemon.follow_refusal = Error{"there is no service 'wbe'", {}};
  EXPECT_EQ(get("/v1/drops/follow?service=wbe").status, 422U);
}

TEST_F(Routes, a_capture_passes_on_what_is_asked_for) {
  const auto reply =
      get("/v1/capture?service=web&backend=b1&client=2001:db8::/32&rate=5&count=10&size=4096&duration=7&snap=9216");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.content_type, "application/x-pcapng");
  ASSERT_TRUE(reply.feed != nullptr);
  const CaptureQuery& query = daemon.capture_query;
  EXPECT_EQ(query.service, "web");
  EXPECT_EQ(query.backend, "b1");
  EXPECT_EQ(query.client->address, ip_of("2001:db8::"));
  EXPECT_EQ(query.client->bits, 32U);
  EXPECT_EQ(query.rate, 5U);
  EXPECT_EQ(query.count, 10U);
  EXPECT_EQ(query.size, 4096U);
  EXPECT_EQ(query.seconds, 7U);
  EXPECT_EQ(query.snap, 9216U);
}

TEST_F(Routes, a_capture_of_all_is_limited) {
  EXPECT_EQ(get("/v1/capture").status, 200U);
  const CaptureQuery& query = daemon.capture_query;
  EXPECT_FALSE(query.service || query.backend || query.client || query.count);
  EXPECT_EQ(query.rate, 1000U);
  EXPECT_EQ(query.size, 100'000'000U);
  EXPECT_EQ(query.seconds, 60U);
  EXPECT_EQ(query.snap, 192U);
}

TEST_F(Routes, a_capture_is_refused_where_it_makes_no_sense) {
  for (const auto* wrong :
       {"rate=0", "rate=1000001", "count=0", "size=4095", "duration=0", "duration=3601", "snap=63", "snap=9217",
        "snap=x", "client=web", "client=192.0.2.0/0", "client=192.0.2.0/33", "client=2001:db8::/129",
        "client=192.0.2.0/", "client=::ffff:192.0.2.1", "client=fe80::1%25eth0", "port=80"}) {
    EXPECT_EQ(get(std::string("/v1/capture?") + wrong).status, 400U) << wrong;
  }
  daemon.capture_refusal = Error{"a capture runs already", {}};
  EXPECT_EQ(get("/v1/capture").status, 422U);
  EXPECT_EQ(get("/v1/capture", Access::metrics).status, 403U);
}

TEST_F(Routes, a_client_is_an_address_or_a_prefix) {
  EXPECT_EQ(parse_client("192.0.2.1")->bits, 32U);
  EXPECT_EQ(parse_client("2001:db8::1")->bits, 128U);
  EXPECT_EQ(parse_client("192.0.2.77/24")->bits, 24U);
  EXPECT_EQ(parse_client("192.0.2.77/24")->address, ip_of("192.0.2.77"));
}

TEST_F(Routes, drops_are_listed_with_their_descriptions) {
  const auto drops = view_of<DropsView>(get("/v1/drops"));
  ASSERT_EQ(drops.drops.size(), 3U);
  EXPECT_EQ(drops.drops[2].count, 12U);
  ASSERT_EQ(drops.drops[0].services.size(), 1U);
  EXPECT_EQ(drops.drops[0].services[0].service, "web");
  EXPECT_EQ(drops.drops[0].services[0].count, 4U);
}

TEST_F(Routes, flows_passes_the_filter_on) {
  daemon.flows_view = FlowsView{1, {{"web", {ip_of("2001:db8::9"), 4000}, {ip_of("2001:db8::1"), 80}, "b1"}}};
  const auto flows = view_of<FlowsView>(get("/v1/flows?service=web&backend=b1&client=2001:db8::9&limit=5"));
  EXPECT_EQ(daemon.flow_filter.service, "web");
  EXPECT_EQ(daemon.flow_filter.backend, "b1");
  EXPECT_EQ(daemon.flow_filter.client, ip_of("2001:db8::9"));
  EXPECT_EQ(daemon.flow_filter.limit, 5U);
  ASSERT_EQ(flows.flows.size(), 1U);
  EXPECT_EQ(flows.flows[0].client.port, 4000);
}

TEST_F(Routes, flows_without_a_filter_lists_the_first_thousand) {
  EXPECT_EQ(get("/v1/flows").status, 200U);
  EXPECT_FALSE(daemon.flow_filter.service.has_value());
  EXPECT_EQ(daemon.flow_filter.limit, 1000U);
}

TEST_F(Routes, flows_refuses_a_client_or_limit_that_is_none) {
  EXPECT_EQ(get("/v1/flows?client=web").status, 400U);
  for (const auto* limit : {"0", "-1", "1x", "100001", "99999999999999999999"}) {
    EXPECT_EQ(get(std::string("/v1/flows?limit=") + limit).status, 400U) << limit;
  }
}

TEST_F(Routes, what_the_daemon_refuses_is_answered_with_its_reason) {
  daemon.flows_view = Error{"there is no service 'wbe'", "did you mean web?"};
  const auto reply = get("/v1/flows?service=wbe");
  EXPECT_EQ(reply.status, 422U);
  EXPECT_EQ(view_of<FailureView>(reply).error, "there is no service 'wbe'");
  EXPECT_EQ(view_of<FailureView>(reply).remedy, "did you mean web?");
}

TEST_F(Routes, trace_asks_for_the_packet_that_is_meant) {
  TraceView trace;
  trace.steps = {{"parse", "IPv4 TCP, 54 bytes", {{"ttl", "64"}, {"flags", "SYN"}}}};
  trace.verdict = Verdict::transmit;
  trace.ring_slot = 17;
  daemon.trace_view = trace;
  const auto reply = get("/v1/trace?from=198.51.100.7:40000&to=192.0.2.1:80");
  EXPECT_EQ(daemon.trace_query.protocol, "tcp");
  EXPECT_EQ(daemon.trace_query.from.address, ip_of("198.51.100.7"));
  EXPECT_EQ(daemon.trace_query.to.port, 80);
  EXPECT_THAT(reply.body, HasSubstr(R"("fields":{"ttl":"64","flags":"SYN"})"));
  EXPECT_THAT(reply.body, HasSubstr(R"("verdict":"transmit")"));
  EXPECT_EQ(view_of<TraceView>(reply).ring_slot, 17U);
}

TEST_F(Routes, trace_refuses_what_is_no_packet) {
  const std::string to = "&to=192.0.2.1:80";
  EXPECT_EQ(get("/v1/trace").status, 400U);
  EXPECT_EQ(get("/v1/trace?from=198.51.100.7:40000").status, 400U);
  EXPECT_EQ(get("/v1/trace?from=198.51.100.7" + to).status, 400U);
  EXPECT_EQ(get("/v1/trace?from=[2001:db8::9]:40000" + to).status, 400U);
  EXPECT_EQ(get("/v1/trace?from=198.51.100.7:40000&protocol=icmp" + to).status, 400U);
}

TEST_F(Routes, apply_hands_over_the_file_and_its_name) {
  daemon.apply_view = ApplyView{{"service web added"}, {{"web", 503, 503, 503}}, {}};
  const auto reply = post("/v1/apply?file=dir%2Fa%20b.yaml", "services: []\n");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(daemon.applied.yaml, "services: []\n");
  EXPECT_EQ(daemon.applied.file, "dir/a b.yaml");
  EXPECT_EQ(view_of<ApplyView>(reply).rings[0].moved, 503U);
}

TEST_F(Routes, plan_hands_over_the_file_and_applies_nothing) {
  daemon.apply_view = ApplyView{{"service web added"}, {}, {}};
  const auto reply = post("/v1/plan?file=a.yaml", "services: []\n");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(daemon.planned.yaml, "services: []\n");
  EXPECT_EQ(daemon.planned.file, "a.yaml");
  EXPECT_EQ(daemon.applied.yaml, "");
  daemon.apply_view = Refusal{{"eth0: no such interface", "create it"}, {}};
  EXPECT_EQ(post("/v1/plan", "x").status, 422U);
}

TEST_F(Routes, apply_takes_a_time_to_confirm_in_seconds_up_to_a_day) {
  EXPECT_EQ(post("/v1/apply?confirm=60", "x").status, 200U);
  EXPECT_EQ(daemon.applied.confirm, std::chrono::seconds(60));
  EXPECT_EQ(post("/v1/apply", "x").status, 200U);
  EXPECT_EQ(daemon.applied.confirm, std::nullopt);
  for (const char* wrong : {"0", "86401", "1m"})
    EXPECT_EQ(post(std::string("/v1/apply?confirm=") + wrong, "x").status, 400U) << wrong;
}

TEST_F(Routes, rollback_takes_a_number_or_none) {
  EXPECT_EQ(post("/v1/rollback?number=3", "").status, 200U);
  EXPECT_EQ(daemon.rolled_back_to, 3U);
  EXPECT_EQ(post("/v1/rollback", "").status, 200U);
  EXPECT_EQ(daemon.rolled_back_to, std::nullopt);
  EXPECT_EQ(post("/v1/rollback?number=0", "").status, 400U);
  daemon.apply_view = Refusal{{"there is no configuration 3 in the history", {}}, {}};
  EXPECT_EQ(post("/v1/rollback?number=3", "").status, 422U);
}

TEST_F(Routes, a_confirmation_that_takes_its_time_is_answered_and_counted_when_it_is_written) {
  daemon.confirm_takes = 3;
  daemon.confirm_result = Error{"the disk is full", {}};
  Tally tally;
  Answer answer = api::answer(
      daemon, {.method = "POST", .target = "/v1/confirm", .body = {}, .access = Access::everything}, &tally);
  ASSERT_TRUE(answer.unfinished);
  EXPECT_GT(answer.pause.count(), 0);
  EXPECT_EQ(tally.changes_ok + tally.changes_refused, 0U);
  for (int looks = 0; answer.unfinished; ++looks) {
    ASSERT_LT(looks, 10);
    go_on(answer);
  }
  EXPECT_EQ(answer.status, 422U);
  EXPECT_EQ(tally.changes_refused, 1U);
}

TEST_F(Routes, confirm_and_history_answer_entries_of_the_history) {
  daemon.confirm_result = HistoryEntry{.number = 4, .by = ChangedBy::apply, .result = ChangeResult::confirmed};
  EXPECT_THAT(post("/v1/confirm", "").body, HasSubstr(R"("number":4)"));
  daemon.confirm_result = Error{"no change waits for a confirmation", {}};
  EXPECT_EQ(post("/v1/confirm", "").status, 422U);
  daemon.history_view.entries = {HistoryEntry{.number = 1, .result = ChangeResult::taken_back}};
  EXPECT_THAT(get("/v1/history").body, HasSubstr(R"("result":"taken-back")"));
}

TEST_F(Routes, a_handover_lasts_for_an_hour_or_as_long_as_is_asked_for) {
  EXPECT_THAT(post("/v1/ha/handover", "").body, HasSubstr(R"("groups":["web"])"));
  EXPECT_EQ(daemon.handed_over.for_so_long, std::chrono::hours(1));
  EXPECT_EQ(post("/v1/ha/handover?for=60", "").status, 200U);
  EXPECT_EQ(daemon.handed_over.for_so_long, std::chrono::minutes(1));
  EXPECT_EQ(post("/v1/ha/handover?for=0", "").status, 400U);
  EXPECT_EQ(post("/v1/ha/handover?for=86401", "").status, 400U);
  daemon.handover_result = Error{"this node is not active", "say it to the node that has the addresses"};
  EXPECT_EQ(post("/v1/ha/handover", "").status, 422U);
}

TEST_F(Routes, a_handover_answers_when_it_has_ended) {
  daemon.handover_takes = 3;
  Answer answer = post("/v1/ha/handover", "");
  int looks = 0;
  for (; answer.unfinished; ++looks) go_on(answer);
  EXPECT_EQ(looks, 3);
  EXPECT_EQ(answer.status, 200U);
}

TEST_F(Routes, a_move_is_of_an_address_to_a_node_and_without_a_time) {
  EXPECT_THAT(post("/v1/ha/move?address=192.0.2.10&to=lb2", "").body, HasSubstr(R"("addresses":["192.0.2.10"])"));
  EXPECT_EQ(daemon.handed_over.address, boost::asio::ip::make_address("192.0.2.10"));
  EXPECT_EQ(daemon.handed_over.to, "lb2");
  EXPECT_FALSE(daemon.handed_over.with_group);
  EXPECT_EQ(daemon.handed_over.for_so_long, std::nullopt);
  EXPECT_EQ(post("/v1/ha/move?address=192.0.2.10&to=lb2&with_group=1", "").status, 200U);
  EXPECT_TRUE(daemon.handed_over.with_group);
  for (const char* wrong :
       {"address=192.0.2.10", "to=lb2", "address=here&to=lb2", "address=192.0.2.10&to=lb2&with_group=yes"})
    EXPECT_EQ(post("/v1/ha/move?" + std::string(wrong), "").status, 400U) << wrong;
}

TEST_F(Routes, apply_of_a_wrong_file_answers_every_mistake) {
  config::Diagnostic mistake;
  mistake.file = "a.yaml";
  mistake.line = 3;
  mistake.message = "port 70000";
  mistake.source_line = "...: 70000";
  mistake.caret = 6;
  daemon.apply_view = Refusal{{"a.yaml: 1 mistake", {}}, {mistake}};
  const auto reply = post("/v1/apply", "x");
  EXPECT_EQ(reply.status, 422U);
  EXPECT_EQ(view_of<FailureView>(reply).diagnostics, config::Diagnostics{mistake});
}

TEST_F(Routes, apply_that_is_refused_on_a_right_file_is_told_so) {
  daemon.apply_view = Refusal{{"eth0: no such interface", "create it"}, {}};
  const auto reply = post("/v1/apply", "x");
  EXPECT_EQ(reply.status, 422U);
  EXPECT_TRUE(view_of<FailureView>(reply).diagnostics.empty());
}

TEST_F(Routes, detach_is_told_to_the_server_only_when_it_worked) {
  EXPECT_TRUE(post("/v1/detach").detached);
  daemon.detach_result = Error{"unpin: Operation not permitted", {}};
  const auto reply = post("/v1/detach");
  EXPECT_FALSE(reply.detached);
  EXPECT_EQ(reply.status, 500U);
}

TEST_F(Routes, metrics_are_prometheus_text) {
  const auto reply = get("/metrics");
  EXPECT_EQ(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(reply.body, HasSubstr("astil_drops_total{service=\"\",reason=\"ttl_expired\"} 12\n"));
}

TEST_F(Routes, a_path_that_is_none_is_404) {
  for (const auto* path : {"/", "/v1", "/v1/status/", "/V1/status", "/../etc/passwd", "/v1/%00"}) {
    EXPECT_EQ(get(path).status, 404U) << path;
  }
}

TEST_F(Routes, a_path_may_be_percent_encoded) { EXPECT_EQ(get("/v1/stat%75s").status, 200U); }

TEST_F(Routes, a_target_that_is_no_path_is_400) {
  for (const auto* target : {"", "status", "*", "http://x/v1/status", "/v1/status?a=%zz", "/v1/ status"}) {
    EXPECT_EQ(get(target).status, 400U) << target;
  }
}

TEST_F(Routes, another_method_is_405_and_tells_the_right_one) {
  EXPECT_EQ(post("/v1/status").status, 405U);
  EXPECT_EQ(post("/v1/status").allow, "GET");
  EXPECT_EQ(get("/v1/apply").allow, "POST");
}

TEST_F(Routes, an_unknown_or_repeated_parameter_is_400) {
  EXPECT_EQ(get("/v1/status?x=1").status, 400U);
  EXPECT_EQ(get("/v1/flows?limit=1&limit=2").status, 400U);
}

TEST_F(Routes, over_tcp_there_are_metrics_and_the_version_only) {
  EXPECT_EQ(get("/metrics", Access::metrics).status, 200U);
  EXPECT_EQ(get("/v1/version", Access::metrics).status, 200U);
  for (const auto* target : {"/v1/status", "/v1/flows", "/v1/drops", "/v1/trace?from=1.2.3.4:5&to=1.2.3.4:5"}) {
    EXPECT_EQ(get(target, Access::metrics).status, 403U) << target;
  }
  EXPECT_EQ(answer(daemon, {"POST", "/v1/apply", "x", Access::metrics}).status, 403U);
  EXPECT_EQ(answer(daemon, {"POST", "/v1/detach", "", Access::metrics}).status, 403U);
  EXPECT_EQ(daemon.applied.yaml, "");
  EXPECT_EQ(daemon.detaches, 0);
  EXPECT_EQ(daemon.drops_asked, 1);  // for the metrics
}

TEST_F(Routes, flows_are_gathered_in_parts) {
  int parts = 3;
  daemon.more_flows = [&] { return --parts > 0; };
  Answer reply = answer(daemon, {"GET", "/v1/flows", "", Access::everything});
  for (const int left : {2, 1, 0}) {
    ASSERT_TRUE(reply.unfinished);
    go_on(reply);
    EXPECT_EQ(parts, left);
  }
  ASSERT_FALSE(reply.unfinished);
  EXPECT_EQ(reply.status, 200U);
}

TEST_F(Routes, an_exception_in_a_part_of_an_answer_becomes_500) {
  daemon.more_flows = []() -> bool { throw std::runtime_error("no memory"); };
  const auto reply = get("/v1/flows");
  EXPECT_EQ(reply.status, 500U);
  EXPECT_THAT(view_of<FailureView>(reply).error, HasSubstr("no memory"));
}

TEST_F(Routes, the_version_does_not_need_the_whole_status) {
  daemon.throws = true;
  EXPECT_EQ(get("/v1/version").status, 200U);
}

TEST_F(Routes, an_exception_in_the_daemon_becomes_500) {
  daemon.throws = true;
  const auto reply = get("/v1/status");
  EXPECT_EQ(reply.status, 500U);
  EXPECT_THAT(view_of<FailureView>(reply).error, HasSubstr("the tables are gone"));
}

TEST(Endpoints, are_an_address_and_a_port) {
  EXPECT_EQ(parse_endpoint("192.0.2.1:80")->port, 80);
  EXPECT_EQ(parse_endpoint("[2001:db8::1]:65535")->address, ip_of("2001:db8::1"));
  for (const auto* text : {"", ":", ":80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:8x",
                           "192.0.2.1:+8", "2001:db8::1:80", "[192.0.2.1]:80", "[2001:db8::1]", "[]:80", "web:80"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

}  // namespace
}  // namespace astil::api
