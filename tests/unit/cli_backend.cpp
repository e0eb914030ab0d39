// `astil backend`: orders, and waiting for the last flow.
#include "tests/unit/cli_commands.hpp"

namespace astil::cli {
namespace {

using api::AdminState;
using test::Commands;
using testing::Test;

class BackendCommand : public Commands {
 protected:
  static api::DrainView drain(std::uint64_t flows, std::optional<double> empty_in = std::nullopt) {
    return {.service = "web",
            .backend = "b1",
            .admin = AdminState::drain,
            .active_flows = flows,
            .drained = flows == 0,
            .empty_in_seconds = empty_in};
  }
};

TEST_F(BackendCommand, an_order_is_given_and_answered_in_a_line_for_each_service) {
  daemon.drains_view = api::DrainsView{{drain(12, 90.0), {.service = "tls", .backend = "b1", .in_rotation = true}}};
  const auto outcome = ask({"backend", "drain", "b1"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(daemon.orders, std::vector{AdminState::drain});
  EXPECT_EQ(daemon.backend_filter.backend, "b1");
  EXPECT_EQ(outcome.out,
            "backend b1 of service web: drain, 12 flows, empty in 1 min\n"
            "backend b1 of service tls: in rotation, 0 flows\n");
}

TEST_F(BackendCommand, waiting_tells_what_has_changed_and_ends_with_the_last_flow) {
  daemon.later_drains = {{{drain(2)}}, {{drain(2)}}, {{drain(1)}}, {{drain(0)}}};
  const auto outcome = ask({"backend", "maintenance", "b1", "--service", "web", "--wait"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(daemon.orders, std::vector{AdminState::maintenance});
  EXPECT_EQ(daemon.backend_filter.service, "web");
  EXPECT_EQ(outcome.out,
            "backend b1 of service web: drain, 2 flows\n"
            "backend b1 of service web: drain, 1 flow\n"
            "backend b1 of service web: drain, no flows left\n");
  EXPECT_EQ(slept, std::chrono::seconds(3));
}

TEST_F(BackendCommand, waiting_ends_when_another_takes_the_order_back) {
  auto taken_back = drain(3);
  taken_back.admin = AdminState::active;
  daemon.later_drains = {{{drain(3)}}, {{taken_back}}};
  const auto outcome = ask({"backend", "drain", "b1", "--wait"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_NE(outcome.err.find("was activated meanwhile"), std::string::npos);
}

TEST_F(BackendCommand, what_makes_no_sense_is_said_without_a_daemon) {
  for (const auto& [words, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"backend", "drian", "b1"}, "did you mean \"drain\"?"},
           {{"backend", "drain"}, "backend drain needs a NAME"},
           {{"backend", "activate", "b1", "--wait"}, "--wait makes no sense with activate"},
           {{"backend", "drain", "b1", "b2"}, "'b2' is one word too many"}}) {
    const auto outcome = ask_nobody(words);
    EXPECT_EQ(outcome.code, kInvalid);
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
  }
}

TEST_F(BackendCommand, a_refusal_is_shown) {
  daemon.drains_view = Error{"there is no backend 'b9'", "astil status lists them"};
  const auto outcome = ask({"backend", "drain", "b9"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_EQ(outcome.err, "astil: there is no backend 'b9'; astil status lists them\n");
}

TEST_F(BackendCommand, the_status_shows_orders_and_when_a_backend_is_empty) {
  auto& backends = daemon.status_view.services[0].backends;
  backends[0].in_rotation = false;
  backends[0].draining = true;
  backends[0].admin = AdminState::drain;
  backends[0].empty_in_seconds = 90;
  backends[1].admin = AdminState::maintenance;
  const auto shown = ask({"status"}).out;
  EXPECT_NE(shown.find("up, draining, empty in 1 min"), std::string::npos) << shown;
  EXPECT_NE(shown.find("maintenance"), std::string::npos) << shown;
}

}  // namespace
}  // namespace astil::cli
