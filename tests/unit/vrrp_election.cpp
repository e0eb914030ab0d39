// Several groups together: conditions, sync groups, and what concerns all of them.
#include "control/ha/vrrp/election.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace astil::ha::test {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;
using boost::asio::ip::make_address;

class Silent final : public Output {
 public:
  void take_addresses() override { ++taken; }
  void leave_addresses() override { ++left; }
  void send_advert(std::uint8_t priority) override { adverts.push_back(priority); }
  void announce() override {}
  int taken = 0;
  int left = 0;
  std::vector<int> adverts;
};

const address kLocal = make_address("192.0.2.2");
const address kOther = make_address("192.0.2.3");
constexpr Time kStart = 1000s;

class vrrp_election : public ::testing::Test {
 protected:
  static GroupSetup group(std::uint8_t id, const std::string& sync_group = "", std::uint8_t priority = 100) {
    return {.key = {.interface = "eth0", .version = 4, .virtual_router_id = id},
            .router = {.priority = priority},
            .sync_group = sync_group};
  }
  void configure(const std::vector<GroupSetup>& setups) {
    election_.configure(kStart, setups, [this](const GroupKey& key) -> Output& { return outputs_[key]; });
  }
  void all_up() {
    for (std::size_t i = 0; i < election_.size(); ++i) election_.set_link(kStart, i, kLocal);
    election_.set_engine(kStart, true, Cause::none);
  }
  std::vector<GroupState> states() const {
    std::vector<GroupState> states;
    for (std::size_t i = 0; i < election_.size(); ++i) states.push_back(election_.state(i));
    return states;
  }
  static Advert advert(std::uint8_t priority) {
    return {.virtual_router_id = 1, .priority = priority, .max_interval = 100, .addresses = {}};
  }

  Election election_;
  std::map<GroupKey, Silent> outputs_;
};

TEST_F(vrrp_election, nothing_runs_before_the_engine_forwards) {
  configure({group(1)});
  election_.set_link(kStart, 0, kLocal);
  EXPECT_THAT(states(), ElementsAre(GroupState::stopped));
  election_.set_engine(kStart, true, Cause::none);
  EXPECT_THAT(states(), ElementsAre(GroupState::backup));
}

TEST_F(vrrp_election, an_engine_that_stops_leaves_the_addresses) {
  configure({group(1, "", 255)});
  all_up();
  EXPECT_THAT(states(), ElementsAre(GroupState::active));
  election_.set_engine(kStart + 1s, false, Cause::astild_gone);
  EXPECT_THAT(states(), ElementsAre(GroupState::stopped));
  EXPECT_EQ(outputs_.begin()->second.left, 1);
  EXPECT_EQ(outputs_.begin()->second.adverts.back(), 0);
  EXPECT_EQ(election_.router(0).cause(), Cause::astild_gone);
}

TEST_F(vrrp_election, a_group_whose_interface_is_down_is_in_fault) {
  configure({group(1), group(2)});
  all_up();
  election_.set_link(kStart, 0, std::nullopt);
  EXPECT_THAT(states(), ElementsAre(GroupState::fault, GroupState::backup));
}

TEST_F(vrrp_election, a_sync_group_falls_as_one) {
  configure({group(1, "s"), group(2, "s"), group(3)});
  all_up();
  election_.set_link(kStart, 0, std::nullopt);
  EXPECT_THAT(states(), ElementsAre(GroupState::fault, GroupState::fault, GroupState::backup));
  EXPECT_EQ(election_.router(1).cause(), Cause::sync_group);
  election_.set_link(kStart, 0, kLocal);
  EXPECT_THAT(states(), ElementsAre(GroupState::backup, GroupState::backup, GroupState::backup));
}

TEST_F(vrrp_election, a_sync_group_takes_over_as_one) {
  configure({group(1, "s"), group(2, "s")});
  all_up();
  election_.on_advert(kStart + 900ms, 1, advert(200), kOther);  // the second one's timer runs longer
  election_.on_time(*election_.deadline());
  EXPECT_THAT(states(), ElementsAre(GroupState::active, GroupState::active));
  EXPECT_EQ(election_.router(1).cause(), Cause::sync_group);
}

TEST_F(vrrp_election, a_sync_group_of_which_one_hears_who_is_active_takes_nothing_over) {
  configure({group(1, "s"), group(2, "s"), group(3)});
  all_up();
  election_.on_advert(kStart, 0, advert(200), kOther);  // and no more
  Time last{0};
  for (Time now = kStart; now < kStart + 20s; now += 500ms) {
    election_.on_time(now);
    if ((now - kStart) % 1s == 0s) {
      election_.on_advert(now, 1, advert(200), kOther);
      last = now;
    }
    EXPECT_EQ(election_.state(0), GroupState::backup);
    EXPECT_EQ(election_.is_held_back(0, now), now >= kStart + 4s);
    EXPECT_FALSE(election_.is_held_back(1, now));
  }
  EXPECT_THAT(states(), ElementsAre(GroupState::backup, GroupState::backup, GroupState::active));
  EXPECT_TRUE(outputs_[group(1).key].adverts.empty());
  // When that one is silent too, the first takes both with it.
  EXPECT_GT(*election_.deadline(), last);
  election_.on_time(last + 1600ms);
  EXPECT_THAT(states(), ElementsAre(GroupState::active, GroupState::active, GroupState::active));
}

TEST_F(vrrp_election, a_sync_group_that_preempts_is_held_back_by_nothing) {
  configure({group(1, "s"), group(2, "s")});
  all_up();
  for (Time now = kStart; now < kStart + 5s; now += 500ms) {
    election_.on_advert(now, 1, advert(50), kOther);
    election_.on_time(now);
  }
  EXPECT_THAT(states(), ElementsAre(GroupState::active, GroupState::active));
}

TEST_F(vrrp_election, who_was_late_itself_waits_an_interval_more_once) {
  configure({group(1)});
  all_up();
  election_.on_advert(kStart, 0, advert(200), kOther);
  const Time due = *election_.deadline();
  election_.forgive(due + 100ms, 100ms);  // less than half an interval
  EXPECT_EQ(election_.deadline(), due);
  election_.forgive(due + 600ms, 600ms);
  EXPECT_EQ(election_.deadline(), due + 1600ms);
  election_.forgive(due + 2200ms, 600ms);
  election_.on_time(due + 2200ms);
  EXPECT_THAT(states(), ElementsAre(GroupState::active));
}

TEST_F(vrrp_election, lost_heartbeats_move_no_sync_group_of_which_adverts_come) {
  configure({group(1, "s"), group(2, "s")});
  all_up();
  election_.on_advert(kStart + 1s, 1, advert(200), kOther);
  election_.on_peer_gone(kStart + 1100ms, kStart + 900ms, Cause::heartbeats_lost, {0, 1});
  EXPECT_THAT(states(), ElementsAre(GroupState::backup, GroupState::backup));
  election_.on_peer_gone(kStart + 2s, kStart + 1500ms, Cause::heartbeats_lost, {0, 1});
  EXPECT_THAT(states(), ElementsAre(GroupState::active, GroupState::active));
}

TEST_F(vrrp_election, a_sync_group_yields_as_one) {
  configure({group(1, "s"), group(2, "s")});
  all_up();
  election_.on_time(*election_.deadline());
  election_.on_advert(kStart + 5s, 0, advert(200), kOther);
  EXPECT_THAT(states(), ElementsAre(GroupState::backup, GroupState::backup));
  EXPECT_EQ(outputs_.rbegin()->second.adverts.back(), 0);  // so that the other node does not wait
}

TEST_F(vrrp_election, what_takes_from_one_takes_from_its_sync_group) {
  configure({group(1, "s"), group(2, "s"), group(3)});
  all_up();
  election_.set_penalty(kStart, 0, 30);
  election_.set_penalty(kStart, 1, 20);
  EXPECT_EQ(election_.router(0).priority(), 50);
  EXPECT_EQ(election_.router(1).priority(), 50);
  EXPECT_EQ(election_.router(2).priority(), 100);
}

TEST_F(vrrp_election, a_group_steps_down_with_its_sync_group_and_others_stay) {
  configure({group(1, "s"), group(2, "s"), group(3)});
  all_up();
  election_.on_time(*election_.deadline());
  election_.step_down(kStart + 5s, {1}, 10s);
  EXPECT_THAT(states(), ElementsAre(GroupState::backup, GroupState::backup, GroupState::active));
}

TEST_F(vrrp_election, groups_that_stay_go_on_over_a_change_and_those_that_go_shut_down) {
  configure({group(1, "", 255), group(2, "", 255)});
  all_up();
  configure({group(2, "", 255), group(3)});
  EXPECT_EQ(outputs_[group(1).key].adverts.back(), 0);
  EXPECT_EQ(outputs_[group(2).key].left, 0);
  EXPECT_EQ(outputs_[group(2).key].taken, 1);
  EXPECT_EQ(election_.state(0), GroupState::active);
}

TEST_F(vrrp_election, only_groups_that_were_active_there_are_taken_over_at_once) {
  configure({group(1), group(2)});
  all_up();
  election_.on_peer_gone(kStart + 1s, kStart + 1s, Cause::heartbeats_lost, {1});
  EXPECT_THAT(states(), ElementsAre(GroupState::backup, GroupState::active));
}

TEST_F(vrrp_election, another_own_address_begins_the_election_anew) {
  configure({group(1, "", 255)});
  all_up();
  election_.set_link(kStart + 1s, 0, make_address("192.0.2.99"));
  EXPECT_EQ(outputs_.begin()->second.left, 1);
  EXPECT_EQ(outputs_.begin()->second.taken, 2);
}

}  // namespace
}  // namespace astil::ha::test
