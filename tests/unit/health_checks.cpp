// The checks: when probes start, what their results make of a target, what a new configuration keeps. Time, probes and
// chance are the test's.
#include "control/health/checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>

namespace astil::health {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::make_address;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = Outcome::Kind;

class FakeAlarm final : public Alarm {
 public:
  [[nodiscard]] Clock::time_point now() const override { return now_; }
  void set(Clock::time_point at, std::function<void()> wake) override { order_ = {at, std::move(wake)}; }
  void clear() override { order_.second = nullptr; }

  /// Time passes, and the alarm goes off as often as it is set meanwhile.
  void pass(Clock::duration span) {
    const Clock::time_point end = now_ + span;
    while (order_.second && order_.first <= end) {
      now_ = std::max(now_, order_.first);
      ring();
    }
    now_ = end;
  }

  /// Time passes while this process stands still, and only then the alarm goes off.
  void stand_still(Clock::duration span) {
    now_ += span;
    ring();
  }

 private:
  void ring() {
    if (const auto wake = std::exchange(order_.second, nullptr)) wake();
  }

  Clock::time_point now_{1h};
  std::pair<Clock::time_point, std::function<void()>> order_;
};

class FakeProber final : public Prober {
 public:
  struct Running final : RunningProbe {
    Running(FakeProber& p, std::uint64_t i) : prober(p), id(i) {}
    ~Running() override { prober.open.erase(id); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    [[nodiscard]] Phase phase() const override { return prober.phase; }
    [[nodiscard]] Silence silence() const override { return prober.silence; }
    [[nodiscard]] std::string remark() const override { return prober.remark; }
    FakeProber& prober;
    std::uint64_t id;
  };

  void prepare(const std::set<config::TlsTrust>& trusts) override { prepared = trusts; }

  std::unique_ptr<RunningProbe> start(const ProbeRequest& request, Done done) override {
    const std::uint64_t id = ++started;
    open.emplace(id, std::move(done));
    hosts.push_back(request.host.to_string() + ":" + std::to_string(static_cast<unsigned>(request.port)));
    return std::make_unique<Running>(*this, id);
  }

  /// Every probe under way comes to this outcome.
  void end_all(const Outcome& outcome) {
    const auto now_open = open;
    for (const auto& [id, done] : now_open) {
      if (open.contains(id)) done(outcome);
    }
  }

  std::map<std::uint64_t, Done> open;
  std::uint64_t started = 0;
  std::vector<std::string> hosts;
  Phase phase = Phase::connect;
  std::string remark;
  Silence silence = Silence::fails;
  std::set<config::TlsTrust> prepared;
};

Target target(const std::string& backend, const std::string& host = "10.0.0.1", const std::string& service = "web") {
  return {{service, backend}, make_address(host), config::Port{80}, {.probe = config::TcpCheck{}, .port = {}}};
}

class health_checks : public testing::Test {
 protected:
  /// Time passes until a probe is under way; it ends so.
  void next(const Outcome& outcome) {
    for (int i = 0; i < 5000 && prober_.open.empty(); ++i) alarm_.pass(1ms);
    ASSERT_FALSE(prober_.open.empty());
    prober_.end_all(outcome);
  }

  void pass() { next({}); }
  void fail() { next({Kind::failed, "connect: Connection refused"}); }

  [[nodiscard]] Health health(const std::string& backend, const std::string& service = "web") const {
    return checks_.state({service, backend}).value().health;
  }

  FakeAlarm alarm_;
  FakeProber prober_;
  std::vector<std::string> changes_;
  double chance_ = 0.5;
  Checks checks_{prober_, alarm_, [this] { return chance_; },
                 [this](const TargetKey& key, const State& state) {
                   changes_.push_back(key.service + "/" + key.backend + " " + to_string(state.health));
                 }};
};

TEST_F(health_checks, a_new_target_is_unknown_until_its_first_result) {
  checks_.configure({target("a")});
  EXPECT_EQ(health("a"), Health::unknown);
  alarm_.pass(100ms);
  ASSERT_THAT(prober_.open, SizeIs(1));
  EXPECT_EQ(health("a"), Health::unknown);
  prober_.end_all({});
  EXPECT_EQ(health("a"), Health::up);
  EXPECT_THAT(changes_, ElementsAre("web/a up"));
}

TEST_F(health_checks, the_first_probe_comes_within_a_tenth_of_the_interval) {
  chance_ = 0.999;
  checks_.configure({target("a")});
  alarm_.pass(100ms);
  EXPECT_EQ(prober_.started, 1U);
}

TEST_F(health_checks, a_backend_falls_and_rises_by_its_settings) {
  checks_.configure({target("a")});
  pass();
  changes_.clear();
  fail();
  fail();
  EXPECT_THAT(changes_, IsEmpty());
  fail();
  EXPECT_THAT(changes_, ElementsAre("web/a down"));
  EXPECT_EQ(checks_.state({"web", "a"})->last_error, "connect: Connection refused");
  EXPECT_EQ(checks_.state({"web", "a"})->consecutive, 3U);
  pass();
  EXPECT_EQ(health("a"), Health::down);
  pass();
  EXPECT_EQ(health("a"), Health::up);
  EXPECT_EQ(checks_.state({"web", "a"})->last_error, "");
  EXPECT_EQ(checks_.state({"web", "a"})->since, alarm_.now());
}

TEST_F(health_checks, one_that_was_up_before_a_restart_goes_down_by_failures_in_a_row) {
  Target before = target("a");
  before.was_up = true;
  checks_.configure({before, target("new", "10.0.0.2")});
  EXPECT_EQ(health("a"), Health::up);
  EXPECT_EQ(health("new"), Health::unknown);
  fail();
  fail();
  EXPECT_THAT(changes_, ElementsAre("web/new down"));
  while (health("a") == Health::up) fail();
  EXPECT_EQ(checks_.state({"web", "a"})->consecutive, 3U);
}

TEST_F(health_checks, of_several_that_share_a_probe_one_that_was_up_is_enough) {
  Target first = target("a");
  Target second = first;
  second.key.service = "other";
  second.was_up = true;
  checks_.configure({first, second});
  EXPECT_EQ(checks_.state({"other", "a"})->health, Health::up);
  EXPECT_EQ(checks_.state({"web", "a"})->health, Health::up);
}

TEST_F(health_checks, a_host_that_loses_packets_takes_no_backend_for_dead_for_a_while) {
  bool hindered = false;
  checks_.mind([&](Clock::time_point) { return hindered; });
  checks_.configure({target("b1")});
  for (int i = 0; i < 3; ++i) pass();
  ASSERT_EQ(health("b1"), Health::up);
  hindered = true;
  for (int i = 0; i < 4; ++i) fail();
  EXPECT_EQ(health("b1"), Health::up);
  EXPECT_EQ(checks_.counters({"web", "b1"})->not_made, 4U);
  alarm_.pass(20s);  // which its probes hang
  for (int i = 0; i < 4; ++i) fail();
  EXPECT_EQ(health("b1"), Health::down) << "what comes to nothing for so long is no moment's matter";
}

TEST_F(health_checks, a_probe_that_hangs_times_out_in_its_phase) {
  chance_ = 0;
  prober_.phase = Phase::answer;
  checks_.configure({target("a")});
  alarm_.pass(499ms);
  EXPECT_EQ(health("a"), Health::unknown);
  alarm_.pass(1ms);
  EXPECT_FALSE(prober_.open.contains(1));
  EXPECT_EQ(health("a"), Health::down);
  EXPECT_EQ(checks_.state({"web", "a"})->last_error, "timeout after 500ms in answer");
  EXPECT_EQ(checks_.counters({"web", "a"})->timed_out, 1U);
}

TEST_F(health_checks, what_a_probe_that_hangs_saw_is_told) {
  prober_.phase = Phase::answer;
  prober_.remark = "2 datagrams were no answer to the query";
  checks_.configure({target("a")});
  alarm_.pass(650ms);
  EXPECT_EQ(checks_.state({"web", "a"})->last_error,
            "timeout after 500ms in answer: 2 datagrams were no answer to the query");
}

TEST_F(health_checks, a_handshake_that_hangs_is_named) {
  prober_.phase = Phase::handshake;
  checks_.configure({target("a")});
  alarm_.pass(650ms);
  EXPECT_EQ(checks_.state({"web", "a"})->last_error, "timeout after 500ms in handshake");
}

TEST_F(health_checks, each_file_of_authorities_is_prepared_once) {
  Target a = target("a");
  a.check.probe = config::HttpsCheck{.server_name = "a.example", .trust = {.ca = "/ca.pem"}};
  Target b = target("b");
  b.check.probe = config::HttpsCheck{.server_name = "b.example", .trust = {.ca = "/ca.pem"}};
  checks_.configure({a, b, target("c")});
  EXPECT_THAT(prober_.prepared, ElementsAre(config::TlsTrust{.ca = "/ca.pem"}));
}

TEST_F(health_checks, an_echo_is_one_probe_whatever_the_port) {
  Target a = target("a");
  a.check.probe = config::IcmpCheck{};
  Target b = target("b");
  b.check.probe = config::IcmpCheck{};
  b.port = config::Port{81};
  checks_.configure({a, b});
  EXPECT_EQ(checks_.probe_count(), 1U);
}

TEST_F(health_checks, silence_is_a_success_where_the_probe_says_so) {
  prober_.silence = Silence::passes;
  checks_.configure({target("a")});
  chance_ = 0;
  alarm_.pass(499ms);
  EXPECT_EQ(health("a"), Health::unknown);
  alarm_.pass(100ms);
  EXPECT_EQ(health("a"), Health::up);
  EXPECT_EQ(checks_.state({"web", "a"})->last_duration, 500ms);
  EXPECT_EQ(checks_.counters({"web", "a"}), (Counters{.passed = 1, .transitions = 1}));
}

TEST_F(health_checks, a_dead_backend_is_found_within_fall_intervals_and_a_timeout) {
  for (const double chance : {0.0, 0.3, 0.999}) {
    chance_ = chance;
    checks_.configure({});
    checks_.configure({target("a")});
    for (int i = 0; i < 10; ++i) pass();
    ASSERT_EQ(health("a"), Health::up);
    alarm_.pass(3 * 1000ms + 500ms);  // nothing answers any more
    EXPECT_EQ(health("a"), Health::down) << chance;
  }
}

TEST_F(health_checks, a_probe_that_hangs_delays_no_other) {
  checks_.configure({target("a", "10.0.0.1"), target("b", "10.0.0.2")});
  alarm_.pass(100ms);
  ASSERT_THAT(prober_.open, SizeIs(2));
  const auto done = prober_.open.rbegin()->second;  // the other one hangs
  done({});
  EXPECT_EQ(prober_.open.size(), 1U);
  EXPECT_THAT(changes_, SizeIs(1));
}

TEST_F(health_checks, the_same_probe_is_made_once_for_all_who_ask_for_it) {
  checks_.configure({target("a", "10.0.0.1", "web"), target("a", "10.0.0.1", "api")});
  EXPECT_EQ(checks_.probe_count(), 1U);
  pass();
  EXPECT_EQ(prober_.started, 1U);
  EXPECT_THAT(changes_, ElementsAre("web/a up", "api/a up"));
}

TEST_F(health_checks, a_backend_on_any_port_is_probed_at_the_port_of_the_check) {
  Target any = target("a", "2001:db8::1");
  any.port = config::Port{0};
  any.check.port = config::Port{22};
  checks_.configure({any});
  pass();
  EXPECT_THAT(prober_.hosts, ElementsAre("2001:db8::1:22"));
}

TEST_F(health_checks, a_port_of_the_check_and_the_same_port_of_the_backend_are_one_probe) {
  Target other = target("b");
  other.port = config::Port{8080};
  other.check.port = config::Port{80};
  checks_.configure({target("a"), other});
  EXPECT_EQ(checks_.probe_count(), 1U);
  pass();
  EXPECT_THAT(prober_.hosts, ElementsAre("10.0.0.1:80"));
}

TEST_F(health_checks, different_checks_of_one_address_are_different_probes) {
  Target other = target("b");
  other.check.interval = 2000ms;
  checks_.configure({target("a"), other});
  EXPECT_EQ(checks_.probe_count(), 2U);
}

TEST_F(health_checks, a_target_that_stays_as_it_is_goes_on_undisturbed) {
  chance_ = 0.1;
  checks_.configure({target("a"), target("b", "10.0.0.2")});
  pass();
  changes_.clear();
  alarm_.pass(200ms);
  ASSERT_THAT(prober_.open, SizeIs(2));
  checks_.configure({target("a"), target("c", "10.0.0.3")});
  EXPECT_THAT(prober_.open, SizeIs(1));  // a's, still under way
  EXPECT_EQ(health("a"), Health::up);
  EXPECT_EQ(health("c"), Health::unknown);
  EXPECT_FALSE(checks_.state({"web", "b"}));
  EXPECT_THAT(changes_, IsEmpty());
}

TEST_F(health_checks, another_check_of_the_same_backend_starts_from_what_is_known) {
  checks_.configure({target("a")});
  pass();
  Target gentler = target("a");
  gentler.check.interval = 2000ms;
  gentler.check.probe = config::HttpCheck{};
  checks_.configure({gentler});
  EXPECT_EQ(health("a"), Health::up);
  EXPECT_EQ(checks_.counters({"web", "a"})->passed, 1U);
  changes_.clear();
  fail();
  fail();
  EXPECT_THAT(changes_, IsEmpty());
}

TEST_F(health_checks, a_backend_at_another_address_is_unknown) {
  checks_.configure({target("a")});
  pass();
  checks_.configure({target("a", "10.0.0.9")});
  EXPECT_EQ(health("a"), Health::unknown);
}

TEST_F(health_checks, what_a_target_would_be_is_told_without_a_change) {
  checks_.configure({target("b1")});
  pass();
  Target other_check = target("b1");
  other_check.check.probe = config::HttpCheck{};
  EXPECT_EQ(checks_.would_be(target("b1")), Health::up);
  EXPECT_EQ(checks_.would_be(target("b9", "10.0.0.1", "mail")), Health::up) << "the same probe is made already";
  EXPECT_EQ(checks_.would_be(other_check), Health::up);
  EXPECT_EQ(checks_.would_be(target("b1", "10.0.0.2")), Health::unknown);
  EXPECT_EQ(checks_.would_be(target("b2", "10.0.0.2")), Health::unknown);
  EXPECT_EQ(checks_.probe_count(), 1U);
}

TEST_F(health_checks, a_probe_that_could_not_be_made_changes_no_state) {
  checks_.configure({target("a")});
  pass();
  changes_.clear();
  testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) next({Kind::not_made, "connect: Too many open files"});
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("Too many open files"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1);
  EXPECT_THAT(changes_, IsEmpty());
  EXPECT_EQ(health("a"), Health::up);
  EXPECT_EQ(checks_.counters({"web", "a"})->not_made, 5U);
}

TEST_F(health_checks, a_backend_that_is_down_is_probed_more_seldom_until_it_answers) {
  Target slow = target("a");
  slow.check.down_interval = 4s;
  checks_.configure({slow});
  fail();
  ASSERT_EQ(health("a"), Health::down);
  for (int i = 0; i < 2; ++i) fail();  // the second comes at a random time, so that they do not march in step
  const auto before = prober_.started;
  alarm_.pass(3700ms);
  EXPECT_EQ(prober_.started, before) << "none within nine tenths of the long interval";
  pass();
  alarm_.pass(1s);
  EXPECT_EQ(prober_.started, before + 2) << "what answers is asked at the usual pace";
}

TEST_F(health_checks, what_could_not_be_made_at_a_start_is_tried_again_soon) {
  checks_.configure({target("a")});
  testing::internal::CaptureStderr();
  next({Kind::not_made, "no way to the backend"});
  (void)testing::internal::GetCapturedStderr();
  alarm_.pass(101ms);  // a tenth of the interval
  EXPECT_THAT(prober_.open, SizeIs(1));
}

Target by_path(const std::string& backend, const std::string& host) {
  Target target{
      {"web", backend}, make_address("192.0.2.1"), config::Port{80}, {.probe = config::TcpCheck{}, .port = {}}};
  target.path = Path{.backend = make_address(host), .forwarding = config::Forwarding::tunnel};
  return target;
}

TEST_F(health_checks, probes_by_the_path_are_of_one_backend_each) {
  checks_.configure({by_path("a", "10.0.0.1"), by_path("b", "10.0.0.2")});
  EXPECT_EQ(checks_.probe_count(), 2U);
  alarm_.pass(100ms);
  EXPECT_THAT(prober_.hosts, ElementsAre("192.0.2.1:80", "192.0.2.1:80"));
}

TEST_F(health_checks, a_backend_that_is_probed_by_the_path_from_now_on_keeps_its_health) {
  checks_.configure({target("a")});
  pass();
  checks_.configure({by_path("a", "10.0.0.1")});
  EXPECT_EQ(health("a"), Health::up);
  checks_.configure({by_path("a", "10.0.0.2")});
  EXPECT_EQ(health("a"), Health::unknown);
}

TEST_F(health_checks, silence_on_the_path_says_where_to_look) {
  checks_.configure({by_path("a", "10.0.0.1")});
  alarm_.pass(2s);
  EXPECT_THAT(checks_.state({"web", "a"})->last_error,
              testing::HasSubstr("is 192.0.2.1 on its loopback, and the tunnel taken off there?"));
}

TEST_F(health_checks, answers_that_waited_while_the_process_stood_still_are_read) {
  checks_.configure({target("a")});
  alarm_.pass(100ms);
  ASSERT_THAT(prober_.open, SizeIs(1));
  alarm_.stand_still(10s);
  ASSERT_THAT(prober_.open, SizeIs(1));
  prober_.end_all({});
  EXPECT_EQ(checks_.counters({"web", "a"})->timed_out, 0U);
  EXPECT_EQ(health("a"), Health::up);
}

TEST_F(health_checks, after_standing_still_silence_is_a_timeout_all_the_same) {
  checks_.configure({target("a")});
  alarm_.pass(100ms);
  alarm_.stand_still(10s);
  alarm_.pass(100ms);
  EXPECT_EQ(checks_.counters({"web", "a"})->timed_out, 1U);
}

TEST_F(health_checks, probes_missed_while_standing_still_are_not_made_up_for) {
  checks_.configure({target("a")});
  pass();
  const auto before = prober_.started;
  alarm_.stand_still(60s);
  prober_.end_all({});
  alarm_.pass(500ms);
  EXPECT_LE(prober_.started - before, 2U);
}

TEST_F(health_checks, results_are_counted) {
  checks_.configure({target("a")});
  pass();
  fail();
  EXPECT_EQ(checks_.counters({"web", "a"}).value(),
            (Counters{.passed = 1, .failed = 1, .timed_out = 0, .not_made = 0, .transitions = 1}));
  int visited = 0;
  checks_.for_each([&](const TargetKey& key, const State& state, const Counters& counters) {
    ++visited;
    EXPECT_EQ(key.backend, "a");
    EXPECT_EQ(state.health, Health::up);
    EXPECT_EQ(counters.failed, 1U);
  });
  EXPECT_EQ(visited, 1);
}

TEST_F(health_checks, one_that_is_hurried_is_probed_at_once_and_each_second) {
  Target slow = target("a");
  slow.check.interval = config::Milliseconds(60'000);
  slow.check.timeout = config::Milliseconds(500);
  checks_.configure({slow});
  for (int i = 0; i < 2; ++i) {
    while (prober_.open.empty()) alarm_.pass(100ms);
    prober_.end_all({});
  }
  checks_.hurry({"web", "a"}, true);
  alarm_.pass(0ms);
  EXPECT_THAT(prober_.open, SizeIs(1));
  prober_.end_all({});
  const auto before = prober_.started;
  for (int i = 0; i < 100; ++i) {
    alarm_.pass(100ms);
    prober_.end_all({});
  }
  EXPECT_GE(prober_.started, before + 9);
  EXPECT_LE(prober_.started, before + 11);
  checks_.hurry({"web", "a"}, false);
  prober_.end_all({});
  const auto after = prober_.started;
  alarm_.pass(1s);
  prober_.end_all({});
  alarm_.pass(55s);
  EXPECT_LE(prober_.started, after + 1);
}

TEST_F(health_checks, one_that_is_configured_anew_is_hurried_no_more_when_it_was_away) {
  Target slow = target("a");
  slow.check.interval = config::Milliseconds(60'000);
  checks_.configure({slow});
  pass();
  checks_.hurry({"web", "a"}, true);
  checks_.configure({});
  checks_.configure({slow});
  for (int i = 0; i < 2; ++i) {
    while (prober_.open.empty()) alarm_.pass(100ms);
    prober_.end_all({});
  }
  const auto before = prober_.started;
  alarm_.pass(30s);
  EXPECT_EQ(prober_.started, before);
}

TEST_F(health_checks, the_duration_is_the_probes) {
  chance_ = 0;
  checks_.configure({target("a")});
  alarm_.pass(0ms);
  alarm_.pass(30ms);
  prober_.end_all({});
  EXPECT_EQ(checks_.state({"web", "a"})->last_duration, 30ms);
}

TEST(health_checks_change, a_callback_may_configure_the_target_away) {
  FakeAlarm alarm;
  FakeProber prober;
  Checks* self = nullptr;
  int told = 0;
  Checks checks(
      prober, alarm, [] { return 0.5; },
      [&](const TargetKey&, const State&) {
        ++told;
        self->configure({});
      });
  self = &checks;
  checks.configure({target("a"), target("b", "10.0.0.2")});
  alarm.pass(100ms);
  alarm.pass(500ms);  // both time out
  EXPECT_EQ(told, 1);
  EXPECT_EQ(checks.probe_count(), 0U);
}

TEST(health_checks_scale, ten_thousand_targets_spread_over_their_interval) {
  FakeAlarm alarm;
  FakeProber prober;
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  Checks checks(prober, alarm, [&] { return uniform(random); }, {});
  std::vector<Target> targets;
  for (unsigned i = 0; i < 10'000; ++i) {
    const auto host = boost::asio::ip::address_v4(0x0a000000U + i);
    targets.push_back({{"web", host.to_string()}, host, config::Port{80}, {.probe = config::TcpCheck{}, .port = {}}});
  }
  checks.configure(targets);
  std::vector<std::uint64_t> started;  // in each 10 ms
  for (int tick = 0; tick < 1000; ++tick) {
    const auto before = prober.started;
    alarm.pass(10ms);
    prober.end_all({});
    started.push_back(prober.started - before);
  }
  // The last two seconds: about 100 in each 10 ms, and no tick that has them all.
  EXPECT_LT(*std::max_element(started.begin() + 800, started.end()), 300U);
  EXPECT_GT(prober.started, 95'000U);
  EXPECT_LT(prober.started, 115'000U);
}

}  // namespace
}  // namespace astil::health
