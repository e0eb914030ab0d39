// Several checks of one backend, and backends that flap. Time and probes are the test's.
#include "control/health/verdicts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

namespace astil::health {
namespace {

using namespace std::chrono_literals;
using config::HealthRule;

/// One clock and the alarms that go by it.
class Time {
 public:
  class Bell final : public Alarm {
   public:
    explicit Bell(Time& time) : time_(time) {}
    [[nodiscard]] Clock::time_point now() const override { return time_.now_; }
    void set(Clock::time_point at, std::function<void()> wake) override { order_ = {at, std::move(wake)}; }
    void clear() override { order_.second = nullptr; }

   private:
    friend class Time;
    Time& time_;
    std::pair<Clock::time_point, std::function<void()>> order_;
  };

  Bell& bell(std::size_t which) { return bells_[which]; }
  void pass(Clock::duration span) {
    const Clock::time_point end = now_ + span;
    while (Bell* const next = first()) {
      if (next->order_.first > end) break;
      now_ = std::max(now_, next->order_.first);
      std::exchange(next->order_.second, nullptr)();
      if (after_each) after_each();
    }
    now_ = end;
  }
  std::function<void()> after_each;

 private:
  Bell* first() {
    Bell* first = nullptr;
    for (Bell& bell : bells_) {
      if (bell.order_.second && (first == nullptr || bell.order_.first < first->order_.first)) first = &bell;
    }
    return first;
  }

  Clock::time_point now_{1h};
  std::array<Bell, 2> bells_{Bell(*this), Bell(*this)};
};

/// Probes end at once, each with what its port says.
class PortProber final : public Prober {
 public:
  std::unique_ptr<RunningProbe> start(const ProbeRequest& request, Done done) override {
    waiting_.emplace_back(static_cast<unsigned>(request.port), std::move(done));
    return std::make_unique<Running>();
  }
  void end_all() {
    for (auto& [port, done] : std::exchange(waiting_, {}))
      done(ill.contains(port) ? Outcome{Outcome::Kind::failed, "no"} : Outcome{});
  }
  std::set<unsigned> ill;

 private:
  struct Running final : RunningProbe {
    [[nodiscard]] Phase phase() const override { return Phase::answer; }
  };
  std::vector<std::pair<unsigned, Done>> waiting_;
};

class VerdictsCase : public testing::Test {
 protected:
  VerdictsCase() {
    time_.after_each = [this] { prober_.end_all(); };
  }

  static Target target(const std::string& check, unsigned port) {
    config::HealthCheck how;
    how.rise = 1;
    how.fall = 1;
    return {.key = {.service = "web", .backend = "b1", .check = check},
            .host = boost::asio::ip::make_address("10.0.0.1"),
            .port = config::Port{static_cast<std::uint16_t>(port)},
            .check = how};
  }
  static Subject subject(HealthRule rule) {
    return {.key = kKey, .targets = {target("", 1), target("database", 2)}, .rule = rule};
  }
  static Subject flapping(unsigned downs) {
    return {.key = kKey,
            .targets = {target("", 1)},
            .flapping = config::Flapping{.downs = downs, .within = 1min, .hold = 20s}};
  }
  [[nodiscard]] Health health() const { return verdicts_.state(kKey)->health; }
  void be_ill(std::set<unsigned> ports) {
    prober_.ill = std::move(ports);
    time_.pass(2s);
  }

  static inline const TargetKey kKey{.service = "web", .backend = "b1"};
  Time time_;
  PortProber prober_;
  std::vector<Health> told_;
  Verdicts verdicts_{prober_, time_.bell(0), time_.bell(1), [] { return 0.5; },
                     [this](const TargetKey& key, const State& state) {
                       EXPECT_EQ(key, kKey);
                       told_.push_back(state.health);
                     }};
};

TEST_F(VerdictsCase, with_all_one_check_that_fails_takes_the_backend_down) {
  verdicts_.configure({subject(HealthRule::all)});
  EXPECT_EQ(health(), Health::unknown);
  be_ill({});
  EXPECT_EQ(health(), Health::up);
  be_ill({2});
  EXPECT_EQ(health(), Health::down);
  EXPECT_EQ(verdicts_.state(kKey)->last_error, "database: no");
  be_ill({1, 2});
  EXPECT_EQ(verdicts_.state(kKey)->last_error, "health: no; database: no");
  be_ill({});
  EXPECT_EQ(told_, (std::vector{Health::up, Health::down, Health::up})) << "once each";
}

TEST_F(VerdictsCase, with_any_one_check_that_succeeds_is_enough) {
  verdicts_.configure({subject(HealthRule::any)});
  be_ill({1});
  EXPECT_EQ(health(), Health::up);
  be_ill({1, 2});
  EXPECT_EQ(health(), Health::down);
  be_ill({2});
  EXPECT_EQ(health(), Health::up);
}

TEST_F(VerdictsCase, each_check_is_told_of_by_its_name) {
  verdicts_.configure({subject(HealthRule::all)});
  be_ill({2});
  const auto checks = verdicts_.checks(kKey);
  ASSERT_EQ(checks.size(), 2U);
  EXPECT_EQ(checks[0].first, "health");
  EXPECT_EQ(checks[0].second.health, Health::up);
  EXPECT_EQ(checks[1].first, "database");
  EXPECT_EQ(checks[1].second.health, Health::down);
}

TEST_F(VerdictsCase, what_has_not_been_checked_yet_decides_nothing) {
  verdicts_.configure({{.key = kKey, .targets = {target("", 1)}}});
  be_ill({});
  verdicts_.configure({subject(HealthRule::all)});
  EXPECT_EQ(health(), Health::unknown);
  EXPECT_EQ(verdicts_.would_be(subject(HealthRule::any)), Health::up);
}

TEST_F(VerdictsCase, a_backend_that_flaps_is_held_out_until_it_has_been_well_for_a_while) {
  verdicts_.configure({flapping(3)});
  be_ill({});
  for (int i = 0; i < 3; ++i) {
    be_ill({1});
    be_ill({});
  }
  EXPECT_EQ(health(), Health::down) << "it went down three times";
  const State held = *verdicts_.state(kKey);
  ASSERT_TRUE(held.held_until);
  EXPECT_EQ(held.last_error, "it flaps: down 3 times within 1m, and held out until its checks have succeeded for 20s");
  EXPECT_EQ(verdicts_.counters(kKey)->holds, 1U);
  EXPECT_EQ(verdicts_.would_be(flapping(3)), Health::down);
  time_.pass(20s);
  EXPECT_EQ(health(), Health::up);
  EXPECT_FALSE(verdicts_.state(kKey)->held_until);
  be_ill({1});
  be_ill({});
  EXPECT_EQ(health(), Health::up) << "it was well for as long as was asked, and begins anew";
}

TEST_F(VerdictsCase, a_failure_while_it_is_held_begins_the_time_anew) {
  verdicts_.configure({flapping(2)});
  be_ill({});
  for (int i = 0; i < 2; ++i) {
    be_ill({1});
    be_ill({});
  }
  ASSERT_EQ(health(), Health::down);
  time_.pass(15s);
  be_ill({1});
  be_ill({});
  time_.pass(15s);
  EXPECT_EQ(health(), Health::down);
  time_.pass(10s);
  EXPECT_EQ(health(), Health::up);
}

TEST_F(VerdictsCase, changes_far_apart_are_no_flapping) {
  verdicts_.configure({flapping(2)});
  be_ill({});
  for (int i = 0; i < 4; ++i) {
    be_ill({1});
    be_ill({});
    EXPECT_EQ(health(), Health::up);
    time_.pass(70s);
  }
  EXPECT_EQ(verdicts_.counters(kKey)->holds, 0U);
}

TEST_F(VerdictsCase, a_backend_is_held_no_more_once_the_configuration_does_not_ask_for_it) {
  verdicts_.configure({flapping(2)});
  be_ill({});
  for (int i = 0; i < 2; ++i) {
    be_ill({1});
    be_ill({});
  }
  ASSERT_EQ(health(), Health::down);
  verdicts_.configure({flapping(2)});
  EXPECT_EQ(health(), Health::down) << "an apply that changes nothing of it";
  verdicts_.configure({{.key = kKey, .targets = {target("", 1)}}});
  EXPECT_EQ(health(), Health::up);
}

}  // namespace
}  // namespace astil::health
