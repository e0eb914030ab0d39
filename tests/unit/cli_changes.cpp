// The commands that plan, make and take back changes of the configuration.
#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/unit/cli_commands.hpp"

namespace astil::cli {
namespace {

using test::Commands;
using testing::HasSubstr;

TEST_F(Commands, apply_tells_what_changed) {
  daemon.apply_view = api::ApplyView{{"service web: backend b3 added", "service web: backend b1 weight 1 -> 2"},
                                     {{"web", 1000, 260, 250}},
                                     {"add 192.0.2.1/32 to eth0: No buffer space available"}};
  const auto file = write("a.yaml", "services: []\n");
  const auto outcome = ask({"apply", file});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.out, file +
                             " applied: 2 changes\n"
                             "  service web: backend b3 added\n"
                             "  service web: backend b1 weight 1 -> 2\n"
                             "  ring of web: 1000 slots, 260 (26.0 %) moved, the least possible is 250 (25.0 %)\n"
                             "  not as configured: add 192.0.2.1/32 to eth0: No buffer space available\n");
  EXPECT_EQ(daemon.applied.yaml, "services: []\n");
  EXPECT_EQ(daemon.applied.file, file);
}

TEST_F(Commands, plan_tells_what_would_change_and_what_that_concerns) {
  api::ServiceChange old{.service = "old", .change = api::PartChange::removed, .changes = {"removed"}};
  old.flows = old.flows_end = 120;
  api::ServiceChange web{.service = "web", .changes = {"forwarding changed"}};
  web.backends = {{"b1", {"weight 2 to 0"}, 7}, {"b3", {"added at 10.0.0.4:80"}, 0}};
  web.flows = 9;
  daemon.apply_view = api::ApplyView{.changes = {"1", "2", "3", "4", "5"},
                                     .rings = {{"web", 1000, 260, 250, 100}},
                                     .overall = {"table sizes changed: flows are carried to new tables"},
                                     .services = {old, web},
                                     .flows_carried = 3000};
  const auto file = write("a.yaml", "services: []\n");
  const auto outcome = ask({"plan", file});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.out, file +
                             " would make 5 changes; nothing has changed yet\n"
                             "  table sizes changed: flows are carried to new tables\n"
                             "  3000 flows to carry to new tables\n"
                             "  service old removed\n"
                             "  service web: forwarding changed\n"
                             "  service web: backend b1 weight 2 to 0 (7 flows)\n"
                             "  service web: backend b3 added at 10.0.0.4:80\n"
                             "  ring of web: 1000 slots, 260 (26.0 %) would move, the least possible is 250 (25.0 %); "
                             "100 (10.0 %) later, once all its backends are well\n"
                             "  flows of old: 120 concerned, 120 of which end: nobody serves them any more\n"
                             "  flows of web: 9 concerned, which stay where they are\n");
  EXPECT_EQ(daemon.planned.yaml, "services: []\n");
  EXPECT_EQ(daemon.planned.file, file);
  EXPECT_EQ(daemon.applied.file, "");
}

TEST_F(Commands, apply_to_be_confirmed_hands_over_the_time_and_says_what_to_do) {
  daemon.apply_view = api::ApplyView{.changes = {"hooks changed"}, .overall = {"hooks changed"}, .confirm_within = 120};
  const auto file = write("a.yaml", "services: []\n");
  const auto outcome = ask({"apply", "--confirm", "2m", file});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(daemon.applied.confirm, std::chrono::seconds(120));
  EXPECT_EQ(daemon.applied.by.uid, ::getuid());
  EXPECT_EQ(outcome.out, file +
                             " applied: 1 change\n"
                             "  hooks changed\n"
                             "  not confirmed: in 2 min what ran before comes back, unless you say astil confirm\n");
}

TEST_F(Commands, a_time_to_confirm_that_is_none_is_wrong_usage) {
  const auto file = write("a.yaml", "services: []\n");
  for (const char* time : {"", "60", "0s", "25h", "soon"}) {
    const auto outcome = ask_nobody({"apply", "--confirm", time, file});
    EXPECT_EQ(outcome.code, kInvalid) << time;
    EXPECT_THAT(outcome.err, HasSubstr("is not a time; write 60s or 5m")) << time;
  }
}

TEST_F(Commands, address_move_names_what_went_and_where) {
  EXPECT_THAT(ask({"address", "move", "192.0.2.10", "--to", "lb2"}).out,
              HasSubstr("192.0.2.10 moved to lb2 with all flows, in 12 ms"));
  daemon.handover_result->was_there = true;
  EXPECT_EQ(ask({"address", "move", "192.0.2.10", "--to", "lb2", "--with-group"}).out,
            "192.0.2.10 was on lb2 already\n");
  EXPECT_TRUE(daemon.handed_over.with_group);
  EXPECT_EQ(ask_nobody({"address", "move", "192.0.2.10"}).code, kInvalid);
  EXPECT_EQ(ask_nobody({"address", "move", "here", "--to", "lb2"}).code, kInvalid);
  EXPECT_EQ(ask_nobody({"address", "copy", "192.0.2.10", "--to", "lb2"}).code, kInvalid);
}

TEST_F(Commands, handover_names_what_it_leaves) {
  EXPECT_EQ(ask({"handover", "--for", "10m"}).out, "left to the other node, with all flows: web\n");
  EXPECT_EQ(daemon.handed_over.for_so_long, std::chrono::minutes(10));
  EXPECT_EQ(ask_nobody({"handover", "--for", "soon"}).code, kInvalid);
}

TEST_F(Commands, confirm_names_what_it_keeps) {
  daemon.confirm_result = api::HistoryEntry{.number = 12};
  EXPECT_EQ(ask({"confirm"}).out, "configuration 12 is confirmed\n");
  daemon.confirm_result = Error{"no change waits for a confirmation", {}};
  EXPECT_EQ(ask({"confirm"}).code, kRefused);
}

TEST_F(Commands, rollback_goes_to_a_number_or_to_what_ran_before) {
  EXPECT_EQ(ask({"rollback", "7"}).out, "configuration 7 is what runs already: nothing to change\n");
  EXPECT_EQ(daemon.rolled_back_to, 7U);
  EXPECT_EQ(daemon.rolled_back_by, ::getuid());
  EXPECT_EQ(ask({"rollback"}).out, "what ran before is what runs already: nothing to change\n");
  EXPECT_EQ(daemon.rolled_back_to, std::nullopt);
  EXPECT_EQ(ask_nobody({"rollback", "0"}).code, kInvalid);
}

TEST_F(Commands, history_shows_the_newest_first) {
  EXPECT_EQ(ask({"history"}).out, "No configuration has run yet.\n");
  const api::TimePoint time{std::chrono::seconds(1'000'000'000)};
  daemon.history_view.entries = {
      {.number = 1, .time = time, .by = api::ChangedBy::start, .file = "a.yaml", .digest = "0123456789abcdef"},
      {.number = 2, .time = time, .by = api::ChangedBy::apply, .uid = 7, .result = api::ChangeResult::taken_back}};
  EXPECT_EQ(ask({"history"}).out,
            "NUMBER  TIME                  BY     WHO    RESULT            DIGEST        FILE\n"
            "     2  2001-09-09T01:46:40Z  apply  uid 7  taken-back, runs\n"
            "     1  2001-09-09T01:46:40Z  start  -      applied           0123456789ab  a.yaml\n");
}

TEST_F(Commands, apply_of_what_runs_already_says_so) {
  input = "services: []\n";
  EXPECT_EQ(ask({"apply", "-"}).out, "(standard input) is what runs already: nothing to change\n");
  EXPECT_EQ(daemon.applied.yaml, input);
}

TEST_F(Commands, apply_of_a_wrong_file_prints_its_mistakes_and_exits_with_2) {
  config::Diagnostic mistake;
  mistake.file = "a.yaml";
  mistake.line = 1;
  mistake.column = 1;
  mistake.message = "unknown key \"prot\"";
  mistake.hint = "did you mean \"port\"?";
  mistake.source_line = "prot: 1";
  daemon.apply_view = api::Refusal{{"a.yaml has 1 mistake", "the old configuration stays"}, {mistake}};
  const auto file = write("a.yaml", "prot: 1\n");
  const auto outcome = ask({"apply", file});
  EXPECT_EQ(outcome.code, kInvalid);
  EXPECT_EQ(outcome.err, config::render(mistake) + "astil: a.yaml has 1 mistake; the old configuration stays\n");
  EXPECT_THAT(outcome.err, HasSubstr("a.yaml:1:1: error: unknown key \"prot\"\n"));
}

TEST_F(Commands, apply_that_fails_on_a_right_file_exits_with_1) {
  daemon.apply_view = api::Refusal{{"eth0: no such interface", "create it"}, {}};
  const auto outcome = ask({"apply", write("a.yaml", "")});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_EQ(outcome.err, "astil: eth0: no such interface; create it\n");
}

}  // namespace
}  // namespace astil::cli
