// What the main thread of astil-dpdk gives its workers: it is there while they may look at it, and gone afterwards.
#include "dataplane/dpdk/handed.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace astil::dpdk {
namespace {

using Value = std::shared_ptr<int>;

TEST(Handed, nothing_is_taken_before_something_is_given) {
  Handed<Value> handed;
  EXPECT_EQ(handed.take(), nullptr);
}

TEST(Handed, what_was_given_last_is_taken) {
  Handed<Value> handed;
  handed.give(std::make_shared<int>(1));
  handed.give(std::make_shared<int>(2));
  EXPECT_EQ(**handed.take(), 2);
}

TEST(Handed, what_was_taken_stays_until_the_next_is_taken) {
  const auto first = std::make_shared<int>(1);
  Handed<Value> handed;
  handed.give(first);
  handed.take();
  handed.give(std::make_shared<int>(2));
  EXPECT_FALSE(handed.settle());
  EXPECT_EQ(first.use_count(), 2);
  handed.take();
  EXPECT_TRUE(handed.settle());
  EXPECT_EQ(first.use_count(), 1);
}

// The taker may be about to look at the one between: that it last told of one that is alike says nothing.
TEST(Handed, one_that_was_replaced_before_it_was_taken_stays_until_the_next_is_taken) {
  const auto between = std::make_shared<int>(1);
  Handed<Value> handed;
  handed.give(nullptr);
  handed.take();
  handed.give(between);
  handed.give(nullptr);
  EXPECT_FALSE(handed.settle());
  EXPECT_EQ(between.use_count(), 2);
  handed.take();
  EXPECT_TRUE(handed.settle());
  EXPECT_EQ(between.use_count(), 1);
}

TEST(Handed, nothing_is_gone_while_another_thread_looks_at_it) {
  constexpr int kLast = 20000;
  Handed<Value> handed;
  handed.give(std::make_shared<int>(0));
  std::thread taker([&] {
    for (int seen = 0; seen != kLast;) {
      const int next = **handed.take();
      ASSERT_GE(next, seen);
      seen = next;
    }
  });
  for (int i = 1; i <= kLast; ++i) {
    handed.give(std::make_shared<int>(i));
    (void)handed.settle();
  }
  taker.join();
  EXPECT_TRUE(handed.settle());
}

}  // namespace
}  // namespace astil::dpdk
