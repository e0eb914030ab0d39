#include "control/health/verdicts.hpp"

#include <algorithm>

namespace astil::health {
namespace {

using config::HealthRule;

TargetKey backend_of(const TargetKey& key) { return {.service = key.service, .backend = key.backend, .check = {}}; }

/// Of several: what decides at once, else what is not known yet, else the other.
template <class Healths>
Health by_rule(HealthRule rule, const Healths& healths) {
  const Health decides = rule == HealthRule::all ? Health::down : Health::up;
  const Health other = rule == HealthRule::all ? Health::up : Health::down;
  const auto has = [&](Health wanted) { return std::find(healths.begin(), healths.end(), wanted) != healths.end(); };
  if (has(decides)) return decides;
  return has(Health::unknown) ? Health::unknown : other;
}

std::string text(config::Milliseconds time) {
  const auto ms = time.count();
  if (ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

}  // namespace

Verdicts::Verdicts(Prober& prober, Alarm& checks_alarm, Alarm& hold_alarm, Checks::Random random,
                   Checks::OnChange on_change)
    : alarm_(hold_alarm),
      on_change_(std::move(on_change)),
      checks_(prober, checks_alarm, std::move(random),
              [this](const TargetKey& key, const State& /*state*/) { on_check(key); }) {}

Verdicts::~Verdicts() { alarm_.clear(); }

void Verdicts::configure(const std::vector<Subject>& subjects) {
  std::vector<Target> targets;
  std::map<TargetKey, Record> records;
  for (const Subject& subject : subjects) {
    const auto before = records_.find(subject.key);
    Record record = before == records_.end() ? Record{} : std::move(before->second);
    record.subject = subject;
    records.emplace(subject.key, std::move(record));
    targets.insert(targets.end(), subject.targets.begin(), subject.targets.end());
  }
  records_ = std::move(records);
  checks_.configure(targets);
  held_.clear();
  for (auto& [key, record] : records_) {
    const State found = combined(record);
    if (record.held_until && found.health == Health::up && record.subject.flapping) {
      held_.emplace(*record.held_until, key);
      continue;
    }
    record.held_until.reset();
    if (record.health != found.health || record.since == Clock::time_point{}) record.since = found.since;
    record.health = found.health;
  }
  arm();
}

void Verdicts::hurry(const TargetKey& key, bool wanted) {
  const auto found = records_.find(key);
  if (found == records_.end()) return;
  for (const Target& target : found->second.subject.targets) checks_.hurry(target.key, wanted);
}

State Verdicts::combined(const Record& record) const {
  const std::vector<Target>& targets = record.subject.targets;
  if (targets.size() == 1) return checks_.state(targets.front().key).value_or(State{});
  State state;
  std::vector<Health> healths;
  for (const Target& target : targets) {
    const State each = checks_.state(target.key).value_or(State{});
    healths.push_back(each.health);
    state.since = std::max(state.since, each.since);
    state.last_duration = std::max(state.last_duration, each.last_duration);
    state.consecutive = std::max(state.consecutive, each.consecutive);
    if (each.last_error.empty()) continue;
    state.last_error += (state.last_error.empty() ? "" : "; ") +
                        (target.key.check.empty() ? std::string("health") : target.key.check) + ": " + each.last_error;
  }
  state.health = by_rule(record.subject.rule, healths);
  return state;
}

State Verdicts::state_of(const Record& record) const {
  State state = combined(record);
  state.health = record.health;
  state.since = record.since;
  state.held_until = record.held_until;
  if (record.held_until) {
    const config::Flapping& flapping = *record.subject.flapping;
    state.last_error = "it flaps: down " + std::to_string(record.downs.size()) + " times within " +
                       text(flapping.within) + ", and held out until its checks have succeeded for " +
                       text(flapping.hold);
  }
  return state;
}

std::optional<State> Verdicts::state(const TargetKey& key) const {
  const auto found = records_.find(key);
  return found == records_.end() ? std::nullopt : std::optional(state_of(found->second));
}

Health Verdicts::would_be(const Subject& subject) const {
  std::vector<Health> healths;
  for (const Target& target : subject.targets) healths.push_back(checks_.would_be(target));
  const Health found = by_rule(subject.rule, healths);
  const auto known = records_.find(subject.key);
  const bool held = known != records_.end() && known->second.held_until && subject.flapping;
  return held && found == Health::up ? Health::down : found;
}

std::optional<Counters> Verdicts::counters(const TargetKey& key) const {
  const auto found = records_.find(key);
  if (found == records_.end()) return std::nullopt;
  Counters sum;
  for (const Target& target : found->second.subject.targets) {
    const Counters each = checks_.counters(target.key).value_or(Counters{});
    sum.passed += each.passed;
    sum.failed += each.failed;
    sum.timed_out += each.timed_out;
    sum.not_made += each.not_made;
    sum.transitions += each.transitions;
  }
  sum.holds = found->second.holds;
  return sum;
}

std::vector<std::pair<std::string, State>> Verdicts::checks(const TargetKey& key) const {
  std::vector<std::pair<std::string, State>> list;
  const auto found = records_.find(key);
  if (found == records_.end() || found->second.subject.targets.size() < 2) return list;
  for (const Target& target : found->second.subject.targets) {
    list.emplace_back(target.key.check.empty() ? "health" : target.key.check,
                      checks_.state(target.key).value_or(State{}));
  }
  return list;
}

void Verdicts::on_check(const TargetKey& key) {
  const auto found = records_.find(backend_of(key));
  if (found != records_.end()) judge(found->second);
}

void Verdicts::judge(Record& record) {
  const Health found = combined(record).health;
  if (found == Health::down) {
    if (record.held_until) {
      release(record);
      count_down(record);
    } else if (record.health != Health::down) {
      count_down(record);
      change(record, Health::down);
    }
    return;
  }
  if (found == record.health || record.held_until) return;
  if (found == Health::up && record.health == Health::down && flaps(record)) return hold(record);
  change(record, found);
}

void Verdicts::count_down(Record& record) {
  if (record.subject.flapping && record.health != Health::unknown) record.downs.push_back(alarm_.now());
}

bool Verdicts::flaps(Record& record) const {
  if (!record.subject.flapping) return false;
  const config::Flapping& flapping = *record.subject.flapping;
  while (!record.downs.empty() && record.downs.front() < alarm_.now() - flapping.within) record.downs.pop_front();
  return record.downs.size() >= flapping.downs;
}

void Verdicts::hold(Record& record) {
  record.held_until = alarm_.now() + record.subject.flapping->hold;
  ++record.holds;
  held_.emplace(*record.held_until, record.subject.key);
  arm();
}

void Verdicts::release(Record& record) {
  held_.erase({*record.held_until, record.subject.key});
  record.held_until.reset();
}

void Verdicts::change(Record& record, Health health) {
  record.health = health;
  record.since = alarm_.now();
  const TargetKey key = record.subject.key;
  const State state = state_of(record);
  if (on_change_) on_change_(key, state);  // which may configure
}

void Verdicts::arm() {
  if (held_.empty()) return alarm_.clear();
  alarm_.set(held_.begin()->first, [this] { wake(); });
}

void Verdicts::wake() {
  while (!held_.empty() && held_.begin()->first <= alarm_.now()) {
    Record& record = records_.at(held_.begin()->second);
    release(record);
    record.downs.clear();  // it has been well for as long as was asked
    change(record, Health::up);
  }
  arm();
}

}  // namespace astil::health
