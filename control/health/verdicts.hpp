// What becomes of a backend's checks: of several, all or any must succeed; and one that flaps is held out until it has
// been well for a while. Whoever wants to know a backend's health asks here.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/health/checks.hpp"

namespace astil::health {

/// A backend with all its checks.
struct Subject {
  TargetKey key;                ///< without a check's name
  std::vector<Target> targets;  ///< at least one; of that service and backend, each with another check's name
  config::HealthRule rule = config::HealthRule::all;
  std::optional<config::Flapping> flapping = std::nullopt;
};

class Verdicts {
 public:
  /// Prober and alarms must outlive this; each alarm is this one's alone. `on_change` hears of backends' health, as
  /// Checks tells of targets'.
  Verdicts(Prober& prober, Alarm& checks_alarm, Alarm& hold_alarm, Checks::Random random, Checks::OnChange on_change);
  ~Verdicts();
  Verdicts(const Verdicts&) = delete;
  Verdicts& operator=(const Verdicts&) = delete;

  /// As Checks has it.
  void mind(Checks::Hindrance hindrance) { checks_.mind(std::move(hindrance)); }

  /// The subjects from now on, their keys unique. One that was there keeps what is known of it, as Checks has it.
  /// Tells nobody: read `state` afterwards.
  void configure(const std::vector<Subject>& subjects);

  /// Its checks are made at once, and often, as Checks has it.
  void hurry(const TargetKey& key, bool wanted);

  /// None: no such subject.
  [[nodiscard]] std::optional<State> state(const TargetKey& key) const;
  /// What it would be right after a `configure` with this subject.
  [[nodiscard]] Health would_be(const Subject& subject) const;
  /// Of all its checks together.
  [[nodiscard]] std::optional<Counters> counters(const TargetKey& key) const;
  /// Each of its checks with its name, where it has several; else none.
  [[nodiscard]] std::vector<std::pair<std::string, State>> checks(const TargetKey& key) const;

 private:
  struct Record {
    Subject subject;
    Health health = Health::unknown;
    Clock::time_point since;
    std::deque<Clock::time_point> downs;  ///< those that count yet
    std::optional<Clock::time_point> held_until;
    std::uint64_t holds = 0;
  };
  [[nodiscard]] State combined(const Record& record) const;
  [[nodiscard]] State state_of(const Record& record) const;
  void on_check(const TargetKey& key);
  void judge(Record& record);
  void hold(Record& record);
  void release(Record& record);
  void count_down(Record& record);
  [[nodiscard]] bool flaps(Record& record) const;
  void change(Record& record, Health health);
  void arm();
  void wake();

  Alarm& alarm_;
  Checks::OnChange on_change_;
  std::map<TargetKey, Record> records_;
  std::set<std::pair<Clock::time_point, TargetKey>> held_;
  Checks checks_;  ///< goes first
};

}  // namespace astil::health
