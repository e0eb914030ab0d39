// The state machine of a virtual router, against the sentences of RFC 9568 section 6.4, and what a pair adds.
#include "control/ha/vrrp/virtual_router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace astil::ha::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using boost::asio::ip::make_address;

class Recorder final : public Output {
 public:
  void take_addresses() override { done.emplace_back("take"); }
  void leave_addresses() override { done.emplace_back("leave"); }
  void send_advert(std::uint8_t priority) override { done.push_back("advert " + std::to_string(priority)); }
  void announce() override { done.emplace_back("announce"); }
  std::vector<std::string> take() { return std::exchange(done, {}); }
  std::vector<std::string> done;
};

const address kLocal = make_address("192.0.2.2");
const address kLower = make_address("192.0.2.1");
const address kHigher = make_address("192.0.2.3");
constexpr Time kStart = 1000s;

class vrrp_router : public ::testing::Test {
 protected:
  VirtualRouter& make(const RouterSettings& settings = {}) {
    router_.emplace(settings, out_);
    router_->startup(kStart, kLocal, Cause::start);
    return *router_;
  }
  /// Active by the timer.
  VirtualRouter& make_active(const RouterSettings& settings = {}) {
    VirtualRouter& router = make(settings);
    now_ = *router.deadline();
    router.on_time(now_);
    out_.take();
    return router;
  }
  static Advert advert(std::uint8_t priority, std::uint16_t interval = 100) {
    return {.virtual_router_id = 1, .priority = priority, .max_interval = interval, .addresses = {}};
  }

  Recorder out_;
  std::optional<VirtualRouter> router_;
  Time now_ = kStart;
};

// Section 6.1.

TEST_F(vrrp_router, skew_and_down_interval_are_those_of_the_rfc) {
  const VirtualRouter& router = make({.priority = 100, .advert_interval = 100});
  EXPECT_EQ(router.skew_time(), 609'375us);
  EXPECT_EQ(router.active_down_interval(), 3'609'375us);
}

TEST_F(vrrp_router, an_interval_of_ten_milliseconds_is_taken_over_within_40) {
  const VirtualRouter& router = make({.priority = 100, .advert_interval = 1});
  EXPECT_EQ(router.active_down_interval(), 36'093'750ns);
}

// Section 6.4.1, Initialize.

TEST_F(vrrp_router, an_owner_is_active_at_startup) {
  const VirtualRouter& router = make({.priority = 255});
  EXPECT_TRUE(router.is_active());
  EXPECT_THAT(out_.take(), ElementsAre("take", "advert 255", "announce"));
  EXPECT_EQ(router.deadline(), kStart + 1s);
}

TEST_F(vrrp_router, any_other_is_backup_at_startup_and_says_nothing) {
  const VirtualRouter& router = make({.priority = 254});
  EXPECT_TRUE(router.is_running());
  EXPECT_FALSE(router.is_active());
  EXPECT_THAT(out_.take(), IsEmpty());
  EXPECT_EQ(router.deadline(), kStart + router.active_down_interval());
}

TEST_F(vrrp_router, adverts_before_startup_are_nothing) {
  VirtualRouter router({}, out_);
  router.on_advert(kStart, advert(200), kHigher);
  router.on_time(kStart + 10s);
  EXPECT_FALSE(router.is_running());
  EXPECT_EQ(router.deadline(), std::nullopt);
}

// Section 6.4.2, Backup.

TEST_F(vrrp_router, a_backup_that_shuts_down_says_nothing) {
  VirtualRouter& router = make();
  router.shutdown(kStart + 1s, Cause::engine_down);
  EXPECT_FALSE(router.is_running());
  EXPECT_EQ(router.deadline(), std::nullopt);
  EXPECT_THAT(out_.take(), IsEmpty());
}

TEST_F(vrrp_router, a_backup_is_active_when_active_down_timer_fires_and_not_before) {
  VirtualRouter& router = make();
  router.on_time(*router.deadline() - 1ns);
  EXPECT_FALSE(router.is_active());
  router.on_time(*router.deadline());
  EXPECT_TRUE(router.is_active());
  EXPECT_EQ(router.cause(), Cause::no_adverts);
  EXPECT_THAT(out_.take(), ElementsAre("take", "advert 100", "announce"));
}

TEST_F(vrrp_router, priority_0_sets_active_down_timer_to_skew_time) {
  VirtualRouter& router = make();
  router.on_advert(kStart + 1s, advert(0), kHigher);
  EXPECT_EQ(router.deadline(), kStart + 1s + router.skew_time());
  router.on_time(*router.deadline());
  EXPECT_EQ(router.cause(), Cause::left);
}

TEST_F(vrrp_router, an_advert_of_higher_or_equal_priority_resets_the_timer_by_its_interval) {
  VirtualRouter& router = make();
  router.on_advert(kStart + 1s, advert(200, 10), kHigher);
  EXPECT_EQ(router.active_down_interval(), 300ms + 156 * Time(100ms) / 256);
  EXPECT_EQ(router.deadline(), kStart + 1s + router.active_down_interval());
  router.on_advert(kStart + 2s, advert(100, 100), kLower);
  EXPECT_EQ(router.deadline(), kStart + 2s + 3'609'375us);
}

TEST_F(vrrp_router, an_advert_of_lower_priority_is_discarded_where_it_preempts) {
  VirtualRouter& router = make();
  const auto before = router.deadline();
  router.on_advert(kStart + 3s, advert(99), kHigher);
  EXPECT_EQ(router.deadline(), before);
  router.on_time(*before);
  EXPECT_TRUE(router.is_active());
  EXPECT_EQ(router.cause(), Cause::preempted);
}

TEST_F(vrrp_router, without_preempt_mode_a_lower_priority_stays_active) {
  VirtualRouter& router = make({.preempt = false});
  router.on_advert(kStart + 3s, advert(1), kHigher);
  EXPECT_EQ(router.deadline(), kStart + 3s + router.active_down_interval());
}

// Section 6.4.3, Active.

TEST_F(vrrp_router, an_active_one_that_shuts_down_removes_addresses_and_sends_priority_0) {
  VirtualRouter& router = make_active();
  router.shutdown(now_ + 1s, Cause::engine_down);
  EXPECT_THAT(out_.take(), ElementsAre("leave", "advert 0"));
  EXPECT_FALSE(router.is_running());
}

TEST_F(vrrp_router, adver_timer_sends_adverts_at_its_pace) {
  VirtualRouter& router = make_active({.advert_interval = 10});
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(router.deadline(), now_ + i * 100ms);
    router.on_time(*router.deadline() + 3ms);  // late, and the pace stays
  }
  EXPECT_THAT(out_.take(), ElementsAre("advert 100", "advert 100", "advert 100"));
}

TEST_F(vrrp_router, adverts_that_were_missed_are_not_sent_after) {
  VirtualRouter& router = make_active({.advert_interval = 1});
  router.on_time(now_ + 1s);
  EXPECT_THAT(out_.take(), ElementsAre("advert 100"));
  EXPECT_EQ(router.deadline(), now_ + 1s + 10ms);
}

TEST_F(vrrp_router, priority_0_of_another_is_answered_at_once) {
  VirtualRouter& router = make_active();
  router.on_advert(now_ + 500ms, advert(0), kLower);
  EXPECT_THAT(out_.take(), ElementsAre("advert 100"));
  EXPECT_EQ(router.deadline(), now_ + 1500ms);
  EXPECT_TRUE(router.is_active());
}

TEST_F(vrrp_router, a_higher_priority_makes_it_backup) {
  VirtualRouter& router = make_active();
  router.on_advert(now_, advert(101, 50), kLower);
  EXPECT_FALSE(router.is_active());
  EXPECT_THAT(out_.take(), ElementsAre("leave"));
  EXPECT_EQ(router.active_down_interval(), 1500ms + 156 * Time(500ms) / 256);
  EXPECT_EQ(router.deadline(), now_ + router.active_down_interval());
  EXPECT_EQ(router.cause(), Cause::preempted);
}

TEST_F(vrrp_router, of_equal_priorities_the_higher_address_is_active) {
  VirtualRouter& router = make_active();
  router.on_advert(now_, advert(100), kLower);
  EXPECT_TRUE(router.is_active());
  router.on_advert(now_, advert(100), kHigher);
  EXPECT_FALSE(router.is_active());
}

TEST_F(vrrp_router, a_lower_priority_is_told_at_once_who_is_active) {
  VirtualRouter& router = make_active();
  router.on_advert(now_ + 400ms, advert(99), kHigher);
  EXPECT_TRUE(router.is_active());
  EXPECT_THAT(out_.take(), ElementsAre("advert 100", "announce"));
  EXPECT_EQ(router.deadline(), now_ + 1400ms);
}

// What a pair adds.

TEST_F(vrrp_router, it_preempts_only_after_the_delay) {
  VirtualRouter& router = make({.preempt_delay = 5s});
  for (Time after = 1s; after < 6s; after += 1s) {
    router.on_advert(kStart + after, advert(50), kLower);
    EXPECT_EQ(router.deadline(), kStart + after + router.active_down_interval());
  }
  const auto last = router.deadline();
  router.on_advert(kStart + 6s, advert(50), kLower);
  EXPECT_EQ(router.deadline(), last);
}

TEST_F(vrrp_router, it_waits_for_the_flows_before_it_preempts) {
  VirtualRouter& router = make({.takeover_limit = 30s});
  router.set_gate(false);
  for (Time after = 1s; after < 20s; after += 1s) router.on_advert(kStart + after, advert(50), kLower);
  EXPECT_TRUE(router.waits_for_flows());
  EXPECT_GT(*router.deadline(), kStart + 19s);
  router.set_gate(true);
  router.on_advert(kStart + 20s, advert(50), kLower);
  EXPECT_FALSE(router.waits_for_flows());
  router.on_time(*router.deadline());
  EXPECT_TRUE(router.is_active());
  EXPECT_EQ(router.table_limits(), 0U);
}

TEST_F(vrrp_router, it_does_not_wait_for_the_flows_for_ever) {
  VirtualRouter& router = make({.takeover_limit = 5s});
  router.set_gate(false);
  for (Time after = 1s; after <= 6s; after += 1s) router.on_advert(kStart + after, advert(50), kLower);
  router.on_time(*router.deadline());
  EXPECT_TRUE(router.is_active());
  EXPECT_EQ(router.table_limits(), 1U);
}

TEST_F(vrrp_router, what_nobody_has_is_taken_without_the_flows) {
  VirtualRouter& router = make({.takeover_limit = 1h});
  router.set_gate(false);
  router.on_advert(kStart + 1s, advert(50), kLower);
  router.on_time(*router.deadline());
  EXPECT_TRUE(router.is_active());
  EXPECT_EQ(router.table_limits(), 0U);
}

TEST_F(vrrp_router, it_only_listens_during_the_startup_hold) {
  VirtualRouter& router = make({.startup_hold = 60s});
  EXPECT_EQ(router.deadline(), kStart + 60s);
  router.on_peer_gone(kStart + 10s, kStart, Cause::heartbeats_lost);
  router.on_advert(kStart + 20s, advert(0), kLower);
  EXPECT_EQ(router.deadline(), kStart + 60s);
  router.on_advert(kStart + 58s, advert(50), kLower);
  EXPECT_EQ(router.deadline(), kStart + 58s + router.active_down_interval());
}

TEST_F(vrrp_router, a_dead_peer_is_taken_over_from_at_once) {
  VirtualRouter& router = make();
  router.on_advert(kStart + 1s, advert(200), kHigher);
  router.on_peer_gone(kStart + 1060ms, kStart + 1s, Cause::heartbeats_lost);
  EXPECT_TRUE(router.is_active());
  EXPECT_EQ(router.cause(), Cause::heartbeats_lost);
  EXPECT_EQ(router.takeover_time(), 60ms);
}

TEST_F(vrrp_router, a_peer_whose_adverts_still_come_is_not_dead) {
  VirtualRouter& router = make();
  router.on_advert(kStart + 1s, advert(200), kHigher);
  router.on_peer_gone(kStart + 1050ms, kStart + 990ms, Cause::heartbeats_lost);
  EXPECT_FALSE(router.is_active());
}

TEST_F(vrrp_router, a_peer_that_says_it_is_active_too_is_a_conflict_unless_it_yields) {
  VirtualRouter& router = make_active();
  router.on_peer_state(now_ + 10ms, VirtualRouter::PeerState::active);
  router.on_peer_state(now_ + 20ms, VirtualRouter::PeerState::other);
  router.on_time(now_ + 5s);
  EXPECT_EQ(router.conflicts(), 0U);
  router.on_peer_state(now_ + 6s, VirtualRouter::PeerState::active);
  router.on_time(now_ + 8s);  // that one may have been on its way
  EXPECT_EQ(router.conflicts(), 0U);
  router.on_peer_state(now_ + 8s, VirtualRouter::PeerState::active);
  EXPECT_EQ(router.conflicts(), 1U);
  EXPECT_TRUE(router.two_active(now_ + 9s));
}

TEST_F(vrrp_router, one_that_steps_down_does_not_come_back_for_a_while) {
  VirtualRouter& router = make_active();
  router.step_down(now_, 10s);
  EXPECT_THAT(out_.take(), ElementsAre("leave", "advert 0"));
  router.on_advert(now_ + 3s, advert(50), kLower);
  EXPECT_EQ(router.deadline(), now_ + 3s + router.active_down_interval());
  const auto before = router.deadline();
  router.on_advert(now_ + 11s, advert(50), kLower);
  EXPECT_EQ(router.deadline(), before);  // discarded
}

TEST_F(vrrp_router, one_that_steps_down_for_good_takes_what_nobody_has_and_then_preempts_again) {
  VirtualRouter& router = make_active();
  router.step_down(now_, std::nullopt);
  EXPECT_FALSE(router.hears_active());
  router.on_advert(now_ + 3s, advert(50), kLower);
  EXPECT_TRUE(router.hears_active());
  router.on_advert(now_ + 24h, advert(50), kLower);
  EXPECT_EQ(router.deadline(), now_ + 24h + router.active_down_interval());  // not discarded
  now_ = *router.deadline();
  router.on_time(now_);
  EXPECT_TRUE(router.is_active());
  EXPECT_FALSE(router.hears_active());
  router.step_down(now_, 0s);
  EXPECT_FALSE(router.hears_active());  // what was heard is of a time before
  const auto before = router.deadline();
  router.on_advert(now_ + 2s, advert(50), kLower);
  EXPECT_EQ(router.deadline(), before);  // discarded
}

TEST_F(vrrp_router, what_is_tracked_takes_from_the_priority_but_not_from_an_owner_s) {
  VirtualRouter& router = make_active();
  router.set_penalty(now_, 30);
  EXPECT_THAT(out_.take(), ElementsAre("advert 70"));
  router.set_penalty(now_, 300);
  EXPECT_EQ(router.priority(), 1);
  VirtualRouter& owner = make({.priority = 255});
  owner.set_penalty(now_, 30);
  EXPECT_EQ(owner.priority(), 255);
}

TEST_F(vrrp_router, two_active_nodes_are_noticed_by_the_second_advert) {
  VirtualRouter& router = make_active();
  router.on_advert(now_ + 100ms, advert(50), kLower);
  EXPECT_FALSE(router.two_active(now_ + 100ms));  // that one may have crossed this node's first
  router.on_advert(now_ + 1100ms, advert(50), kLower);
  EXPECT_TRUE(router.two_active(now_ + 1100ms));
  EXPECT_EQ(router.conflicts(), 1U);
  EXPECT_FALSE(router.two_active(now_ + 4100ms));
}

TEST_F(vrrp_router, a_foreign_announcement_that_no_advert_explains_is_a_conflict) {
  VirtualRouter& router = make_active();
  router.on_foreign_announcement(now_ + 900ms);  // may have been on its way when this node took over
  router.on_time(now_ + 2900ms);
  EXPECT_EQ(router.conflicts(), 0U);
  router.on_foreign_announcement(now_ + 3s);
  router.on_time(now_ + 4900ms);
  EXPECT_EQ(router.conflicts(), 0U);
  router.on_time(now_ + 5s);
  EXPECT_EQ(router.conflicts(), 1U);
  EXPECT_TRUE(router.two_active(now_ + 5s));
}

TEST_F(vrrp_router, a_foreign_announcement_of_who_takes_over_is_none) {
  VirtualRouter& router = make_active();
  router.on_foreign_announcement(now_ + 100ms);
  router.on_advert(now_ + 101ms, advert(200), kHigher);
  router.on_time(now_ + 3s);
  EXPECT_EQ(router.conflicts(), 0U);
}

TEST_F(vrrp_router, a_new_priority_is_told_at_once) {
  VirtualRouter& router = make_active();
  router.configure(now_, {.priority = 150, .advert_interval = 100});
  EXPECT_THAT(out_.take(), ElementsAre("advert 150"));
  router.configure(now_, {.priority = 150, .advert_interval = 100, .preempt = false});
  EXPECT_THAT(out_.take(), IsEmpty());
}

}  // namespace
}  // namespace astil::ha::test
