// Fragments that wait for the first one of their datagram: when they leave, and what becomes of those for which none
// comes.
#include "control/app/fragment_holder.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace astil::app {
namespace {

using namespace std::chrono_literals;

std::array<std::byte, 1> frame_of(int datagram) { return {static_cast<std::byte>(datagram)}; }

/// A packet path that knows of datagrams what it was told.
class Held : public testing::Test {
 protected:
  void hold(int datagram) { holder_.hold(7, frame_of(datagram), now_); }

  std::set<int> known_;
  std::vector<int> sent_;
  int lost_ = 0;
  FragmentHolder::Clock::time_point now_{};
  FragmentHolder holder_{
      {.knows_where =
           [this](std::uint32_t ifindex, FragmentHolder::Frame frame) {
             EXPECT_EQ(ifindex, 7U);
             return known_.contains(std::to_integer<int>(frame[0]));
           },
       .send = [this](std::uint32_t /*ifindex*/,
                      FragmentHolder::Frame frame) { sent_.push_back(std::to_integer<int>(frame[0])); },
       .lose = [this](std::uint32_t /*ifindex*/, FragmentHolder::Frame /*frame*/) { ++lost_; }}};
};

TEST_F(Held, fragments_leave_when_their_first_has_come) {
  hold(1);
  hold(2);
  hold(1);
  holder_.retry(now_);
  EXPECT_TRUE(sent_.empty());
  known_ = {1};
  holder_.retry(now_ + 5ms);
  EXPECT_EQ(sent_, (std::vector{1, 1}));
  EXPECT_EQ(holder_.held(), 1U);
}

TEST_F(Held, fragments_whose_first_does_not_come_are_given_up_after_a_second) {
  hold(1);
  holder_.retry(now_ + 999ms);
  EXPECT_EQ(holder_.held(), 1U);
  holder_.retry(now_ + 1000ms);
  EXPECT_EQ(holder_.held(), 0U);
  EXPECT_EQ(lost_, 1);
  EXPECT_TRUE(sent_.empty());
}

TEST_F(Held, fragments_beyond_the_room_are_lost_and_those_before_stay) {
  for (std::size_t i = 0; i < FragmentHolder::kMost + 3; ++i) hold(1);
  EXPECT_EQ(holder_.held(), FragmentHolder::kMost);
  EXPECT_EQ(lost_, 3);
  known_ = {1};
  holder_.retry(now_);
  EXPECT_EQ(sent_.size(), FragmentHolder::kMost);
}

}  // namespace
}  // namespace astil::app
