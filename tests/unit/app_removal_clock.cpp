// When what removed backends have left is given up.
#include "control/app/removal_clock.hpp"

#include <gmock/gmock.h>

namespace astil::app {
namespace {

using namespace std::chrono_literals;
using core::Forwarding;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr RemovalClock::TimePoint kBegin{};

RemovalClock::Removed use(std::uint32_t number, Forwarding forwarding = Forwarding::nat) {
  return {.key = {"web", "10.0.0.1:80", forwarding}, .number = number, .limit = 60s};
}

TEST(RemovalClock, gives_a_backend_its_limit_from_when_it_was_seen_to_be_removed) {
  RemovalClock clock;
  EXPECT_THAT(clock.due({use(3)}, kBegin), IsEmpty());
  EXPECT_THAT(clock.due({use(3)}, kBegin + 59s), IsEmpty());
  EXPECT_THAT(clock.due({use(3)}, kBegin + 60s), ElementsAre(3U));
}

TEST(RemovalClock, leaves_those_without_a_limit_for_ever) {
  RemovalClock clock;
  RemovalClock::Removed removed = use(3);
  removed.limit = std::nullopt;
  EXPECT_THAT(clock.due({removed}, kBegin), IsEmpty());
  EXPECT_THAT(clock.due({removed}, kBegin + 24h), IsEmpty());
}

TEST(RemovalClock, begins_anew_for_one_that_was_back_meanwhile) {
  RemovalClock clock;
  (void)clock.due({use(3)}, kBegin);
  (void)clock.due({}, kBegin + 30s);
  EXPECT_THAT(clock.due({use(3)}, kBegin + 60s), IsEmpty());
  EXPECT_THAT(clock.due({use(3)}, kBegin + 120s), ElementsAre(3U));
}

TEST(RemovalClock, goes_on_when_a_change_of_tables_gives_another_number) {
  RemovalClock clock;
  (void)clock.due({use(3)}, kBegin);
  EXPECT_THAT(clock.due({use(8)}, kBegin + 60s), ElementsAre(8U));
}

TEST(RemovalClock, gives_uses_of_one_backend_under_other_forwardings_times_of_their_own) {
  RemovalClock clock;
  (void)clock.due({use(3)}, kBegin);
  // The service goes back to the forwarding before: number 3 is in use again, and what it had meanwhile is removed.
  EXPECT_THAT(clock.due({use(4, Forwarding::full_nat)}, kBegin + 60s), IsEmpty());
  EXPECT_THAT(clock.due({use(4, Forwarding::full_nat)}, kBegin + 120s), ElementsAre(4U));
}

}  // namespace
}  // namespace astil::app
