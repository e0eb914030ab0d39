// What of clients' connections makes a backend suspect, and for how long.
#include "control/health/suspicions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace astil::health {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const TargetKey kBackend{.service = "web", .backend = "b1"};

class SuspicionsCase : public testing::Test {
 protected:
  /// A census, a second after the one before: what is told, as "b1: why".
  std::vector<std::string> see(const std::vector<Signs>& all) {
    now_ += 1s;
    std::vector<std::string> told;
    for (const auto& change : suspicions_.see(all, now_)) told.push_back(change.key.backend + ": " + change.why);
    return told;
  }
  /// Of one backend, by what has come since the census before; `unanswered` is what waits now.
  std::vector<std::string> see(std::uint64_t opened, std::uint64_t refused, std::uint32_t unanswered) {
    signs_.connections += opened;
    signs_.refused += refused;
    signs_.unanswered = unanswered;
    return see({signs_});
  }

  Suspicions suspicions_;
  Signs signs_{.key = kBackend, .limits = {.refused = 5, .unanswered = 20}};
  Clock::time_point now_{1h};
};

TEST_F(SuspicionsCase, what_was_counted_before_the_first_census_is_no_sign) {
  EXPECT_THAT(see(5000, 1000, 1000), IsEmpty());
  EXPECT_THAT(see(0, 0, 1000), IsEmpty());
}

TEST_F(SuspicionsCase, a_backend_that_refuses_as_many_as_are_set_in_a_round_is_suspect) {
  see(0, 0, 0);
  EXPECT_THAT(see(100, 4, 0), IsEmpty());
  EXPECT_THAT(see(100, 4, 0), IsEmpty()) << "each round by itself";
  EXPECT_THAT(see(100, 5, 0), ElementsAre("b1: it refused 5 connections"));
  EXPECT_EQ(suspicions_.why(kBackend), "it refused 5 connections");
}

TEST_F(SuspicionsCase, it_is_told_once_and_the_last_sign_is_shown) {
  see(0, 0, 0);
  EXPECT_THAT(see(9, 9, 0), ElementsAre("b1: it refused 9 connections"));
  EXPECT_THAT(see(7, 7, 0), IsEmpty());
  EXPECT_EQ(suspicions_.why(kBackend), "it refused 7 connections");
}

TEST_F(SuspicionsCase, one_that_leaves_half_of_its_new_connections_without_an_answer_is_suspect) {
  see(0, 0, 3);
  EXPECT_THAT(see(60, 0, 32), IsEmpty()) << "29 of 60";
  EXPECT_THAT(see(40, 0, 52), ElementsAre("b1: it left 20 connections without an answer"));
}

TEST_F(SuspicionsCase, what_waits_for_as_long_as_an_answer_takes_is_no_sign) {
  see(0, 0, 0);
  EXPECT_THAT(see(50'000, 0, 400), IsEmpty());
  EXPECT_THAT(see(50'000, 0, 100), IsEmpty());
  EXPECT_THAT(see(50'000, 0, 500), IsEmpty());
}

TEST_F(SuspicionsCase, old_ones_that_nobody_answers_any_more_are_no_sign_again) {
  see(0, 0, 0);
  see(30, 0, 30);
  for (auto second = 0s; second < Suspicions::kMemory - 1s; ++second) EXPECT_THAT(see(0, 0, 30), IsEmpty());
  EXPECT_THAT(see(0, 0, 30), ElementsAre("b1: "));
  EXPECT_EQ(suspicions_.why(kBackend), "");
}

TEST_F(SuspicionsCase, a_backend_stays_suspect_while_as_many_give_up_as_come) {
  see(0, 0, 0);
  see(30, 0, 30);
  for (std::uint32_t second = 0; second < 60; ++second) EXPECT_THAT(see(30, 0, 300 + second % 2), IsEmpty());
  EXPECT_NE(suspicions_.why(kBackend), "");
  // It answers again: what was left without an answer becomes less, and no new ones are.
  std::vector<std::string> told;
  for (std::uint32_t left = 300; left > 0 && told.empty(); left -= 10) told = see(30, 0, left);
  EXPECT_THAT(told, ElementsAre("b1: "));
}

TEST_F(SuspicionsCase, few_refusals_of_few_connections_add_up) {
  see(0, 0, 0);
  EXPECT_THAT(see(1, 1, 0), IsEmpty());
  EXPECT_THAT(see(0, 0, 0), IsEmpty());
  EXPECT_THAT(see(2, 2, 0), IsEmpty());
  EXPECT_THAT(see(2, 1, 0), IsEmpty());
  EXPECT_THAT(see(1, 1, 0), ElementsAre("b1: it refused 5 connections"));
}

TEST_F(SuspicionsCase, on_any_port_half_must_be_refused_since_clients_may_ask_for_closed_ones) {
  signs_.has_any_port = true;
  see(0, 0, 0);
  EXPECT_THAT(see(100, 40, 0), IsEmpty());
  EXPECT_THAT(see(10, 9, 0), IsEmpty()) << "49 of 110";
  EXPECT_THAT(see(20, 20, 0), ElementsAre("b1: it refused 69 connections"));
}

TEST_F(SuspicionsCase, a_zero_turns_a_sign_off) {
  signs_.limits = {.refused = 0, .unanswered = 0};
  see(0, 0, 0);
  EXPECT_THAT(see(1000, 1000, 1000), IsEmpty());
}

TEST_F(SuspicionsCase, a_backend_that_gets_no_new_flows_is_not_suspect) {
  see(0, 0, 0);
  see(9, 9, 0);
  EXPECT_THAT(see({}), ElementsAre("b1: "));
  EXPECT_EQ(suspicions_.why(kBackend), "");
  EXPECT_THAT(see(9, 9, 0), IsEmpty()) << "back again: nothing is known of what came meanwhile";
}

TEST_F(SuspicionsCase, counters_that_begin_anew_are_no_sign) {
  see(1000, 100, 50);
  signs_.connections = signs_.refused = 0;
  EXPECT_THAT(see(3, 3, 0), IsEmpty());
}

}  // namespace
}  // namespace astil::health
