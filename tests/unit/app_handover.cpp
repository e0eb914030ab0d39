// A handover step by step: its order, its limits, and what it says where something is not as it should be.
#include "control/app/handover.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace astil::app {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Owner = Handover::Owner;

class app_handover : public ::testing::Test {
 protected:
  Handover make() {
    Handover::Hands hands{.now = [this] { return now_; },
                          .has_flows_since = [this](Handover::Clock::time_point since) -> Result<bool> {
                            if (sync_error_) return *sync_error_;
                            return told_until_ >= since;
                          },
                          .step_down = [this](const std::vector<std::string>& groups) -> Result<std::uint32_t> {
                            ordered_ = groups;
                            return 7U;
                          },
                          .is_answered = [this](std::uint32_t order) { return answered_ && order == 7; },
                          .owner_of = [this](const std::string& group) { return owners_[group]; }};
    return {std::move(hands), {.node = "lb2", .groups = {"web", "back"}}, 500ms};
  }

  Handover::Clock::time_point now_{1h};
  Handover::Clock::time_point told_until_{0s};
  std::optional<Error> sync_error_;
  std::vector<std::string> ordered_;
  bool answered_ = false;
  std::map<std::string, Owner> owners_{{"web", Owner::here}, {"back", Owner::here}};
};

TEST_F(app_handover, the_addresses_go_after_the_flows_and_it_ends_when_the_other_one_has_them) {
  Handover handover = make();
  EXPECT_FALSE(handover.step());
  EXPECT_TRUE(ordered_.empty());
  told_until_ = now_;
  now_ += 10ms;
  EXPECT_FALSE(handover.step());
  EXPECT_THAT(ordered_, ElementsAre("web", "back"));
  answered_ = true;
  owners_ = {{"web", Owner::other}, {"back", Owner::nobody}};
  EXPECT_FALSE(handover.step());
  owners_["back"] = Owner::other;
  now_ += 20ms;
  const auto ended = handover.step();
  ASSERT_TRUE(ended && ended->has_value());
  EXPECT_EQ((*ended)->node, "lb2");
  EXPECT_DOUBLE_EQ((*ended)->seconds, 0.03);
}

TEST_F(app_handover, without_the_flows_in_time_nothing_is_left) {
  Handover handover = make();
  now_ += 1001ms;
  const auto ended = handover.step();
  ASSERT_TRUE(ended && ended->has_error());
  EXPECT_THAT(ended->error().what, HasSubstr("the addresses stay here"));
  EXPECT_TRUE(ordered_.empty());
}

TEST_F(app_handover, a_session_that_ends_meanwhile_ends_it) {
  Handover handover = make();
  sync_error_ = Error{"nothing brings flows", {}};
  EXPECT_EQ(handover.step()->error().what, "nothing brings flows");
}

TEST_F(app_handover, an_election_that_does_not_answer_is_waited_for_so_long_and_no_longer) {
  Handover handover = make();
  told_until_ = now_;
  EXPECT_FALSE(handover.step());
  now_ += 1999ms;
  EXPECT_FALSE(handover.step());
  now_ += 1ms;
  EXPECT_THAT(handover.step()->error().what, HasSubstr("astil-vrrp does not answer"));
}

TEST_F(app_handover, it_says_who_has_the_addresses_where_the_other_one_did_not_take_them) {
  for (const auto& [owner, said] :
       {std::pair(Owner::here, "are here again"), std::pair(Owner::nobody, "is not heard")}) {
    Handover handover = make();
    told_until_ = now_;
    answered_ = true;
    owners_ = {{"web", owner}, {"back", owner}};
    EXPECT_FALSE(handover.step());
    now_ += 500ms;
    EXPECT_THAT(handover.step()->error().what, HasSubstr(said));
  }
}

}  // namespace
}  // namespace astil::app
