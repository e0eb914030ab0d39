// Trying again: when, with the clock in the test's hand.
#include "control/app/retry.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace astil::app {
namespace {

using std::chrono::milliseconds;

class HandClock final : public health::Alarm {
 public:
  [[nodiscard]] health::Clock::time_point now() const override { return {}; }
  void set(health::Clock::time_point at, std::function<void()> wake) override {
    delays.push_back(std::chrono::duration_cast<milliseconds>(at - now()));
    order = std::move(wake);
  }
  void clear() override { order = nullptr; }

  std::vector<milliseconds> delays;
  std::function<void()> order;
};

TEST(Retries, come_later_and_later_up_to_a_limit) {
  HandClock clock;
  Retry retry(clock, [&] { retry.failed(); });
  retry.failed();
  for (int i = 0; i < 6; ++i) clock.order();
  const auto first = Retry::kFirst;
  EXPECT_EQ(clock.delays, (std::vector<milliseconds>{first, 2 * first, 4 * first, 8 * first, 16 * first,
                                                     Retry::kLongest, Retry::kLongest}));
}

TEST(Retries, end_with_a_success_and_begin_anew) {
  HandClock clock;
  Retry retry(clock, [] {});
  retry.failed();
  retry.failed();
  retry.rest();
  EXPECT_FALSE(clock.order);
  retry.failed();
  EXPECT_EQ(clock.delays.back(), Retry::kFirst);
}

}  // namespace
}  // namespace astil::app
