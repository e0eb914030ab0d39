// `astil why` and `astil events`.
#include "tests/unit/cli_commands.hpp"

namespace astil::cli {
namespace {

using test::Commands;
using test::sample_event;

class EventCommands : public Commands {};

TEST_F(EventCommands, why_tells_how_a_backend_is_and_what_led_there) {
  daemon.why_view = api::WhyView{{{.service = "web",
                                   .backend = "b2",
                                   .configured = true,
                                   .in_rotation = false,
                                   .reason = "its checks fail: connect: Connection refused",
                                   .events = {sample_event(7), sample_event(8, "up")}},
                                  {.service = "old", .backend = "b2", .reason = "not in the configuration"}}};
  const auto outcome = ask({"why", "b2"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.out,
            "backend b2 of service web: not in rotation: its checks fail: connect: Connection refused\n"
            "  TIME                         WHAT    FROM  TO    WHY\n"
            "  2026-01-31T12:00:00.123456Z  health  up    down  connect: Connection refused\n"
            "  2026-01-31T12:00:00.123456Z  health  down  up    its checks succeed\n"
            "backend b2 of service old: removed: not in the configuration\n"
            "  nothing has changed since the history began\n");
  EXPECT_EQ(ask({"why", "b2", "--service", "web"}).code, kDone);
  EXPECT_EQ(daemon.backend_filter.service, "web");
  EXPECT_EQ(ask({"why", "b2", "-o", "json"}).out.substr(0, 13), "{\"backends\":[");
}

TEST_F(EventCommands, past_events_are_a_line_each) {
  daemon.past_events.events = {sample_event(7),
                               {.number = 8,
                                .time = "2026-01-31T12:00:01.000000Z",
                                .kind = api::EventKind::interface,
                                .interface = "eth0",
                                .before = "up",
                                .after = "down"}};
  const auto outcome = ask({"events", "--limit", "2", "--backend", "b2"});
  EXPECT_EQ(outcome.out,
            "2026-01-31T12:00:00.123456Z  health  web/b2  up to down: connect: Connection refused\n"
            "2026-01-31T12:00:01.000000Z  interface  eth0  up to down\n");
  EXPECT_EQ(daemon.event_limit, 2U);
  EXPECT_EQ(daemon.event_filter.backend, "b2");
}

TEST_F(EventCommands, following_prints_events_until_the_daemon_ends) {
  daemon.events_to_come->waiting = {sample_event(7), sample_event(8, "up")};
  daemon.events_to_come->behind = true;
  const auto outcome = ask({"events", "--follow", "--after", "6"});
  EXPECT_EQ(daemon.followed_after, 6U);
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_NE(outcome.out.find("health  web/b2  down to up: its checks succeed\n"), std::string::npos);
  EXPECT_NE(outcome.err.find("could not keep up"), std::string::npos);
}

TEST_F(EventCommands, what_makes_no_sense_is_said_without_a_daemon) {
  for (const auto& [words, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"events", "--after", "3"}, "--after needs --follow"},
           {{"events", "--follow", "--limit", "3"}, "--limit makes no sense with --follow"},
           {{"events", "--limit", "x"}, "--limit: 'x' is not a number"},
           {{"events", "--service", ""}, "--service needs a name"},
           {{"why"}, "why needs a BACKEND"}}) {
    const auto outcome = ask_nobody(words);
    EXPECT_EQ(outcome.code, kInvalid);
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace astil::cli
