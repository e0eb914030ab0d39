#include "control/health/checks.hpp"

#include <algorithm>
#include <utility>

#include "control/base/log.hpp"

namespace astil::health {
namespace {

using namespace std::chrono_literals;

constexpr double kStartSpread = 0.1;  // of the interval, before the first probe
constexpr double kEarliest = 0.95;    // of the interval, between probes
// A deadline noticed so late means that this process stood still, and answers may wait unread: they have this long to
// be read.
constexpr auto kStoodStill = 100ms;
/// So long after the last probe that passed, a hindrance of this host's excuses failures.
constexpr auto kLongestHindrance = 10s;
constexpr auto kReprieve = 100ms;
constexpr config::Milliseconds kHurriedInterval = 1s;
constexpr auto kQuiet = 10s;  // between warnings of probes that could not be made

Clock::duration part(Clock::duration whole, double fraction) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(whole) * fraction);
}

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::connect:
      return "connect";
    case Phase::handshake:
      return "handshake";
    case Phase::answer:
      break;
  }
  return "answer";
}

std::string timeout_text(config::Milliseconds timeout, const RunningProbe& probe) {
  const std::string remark = probe.remark();
  return "timeout after " + std::to_string(timeout.count()) + "ms in " + name_of(probe.phase()) +
         (remark.empty() ? "" : ": " + remark);
}

/// A backend that is not set up for a forwarding is silent.
std::string missing_on(const Path& path, const config::address& service) {
  const bool tunnel = path.forwarding == config::Forwarding::tunnel;
  return ", by the forwarding path; is " + service.to_string() + " on its loopback" +
         (tunnel ? ", and the tunnel taken off there?" : "?");
}

}  // namespace

struct Checks::Probe {
  std::uint64_t serial = 0;  // orders probes that are due at once
  ProbeKey key;
  std::vector<TargetKey> targets;
  State state;
  Counters counters;
  RiseFall rise_fall;
  std::unique_ptr<RunningProbe> running;
  Clock::time_point due;      // its place in the queue
  Clock::time_point planned;  // when the last probe was to start
  Clock::time_point started;
  bool reprieved = false;  // the one under way, from its deadline
  bool in_step = true;     // with those that were configured together
  bool fails = false;      // the last one did
};

Checks::Checks(Prober& prober, Alarm& alarm, Random random, OnChange on_change)
    : prober_(prober), alarm_(alarm), random_(std::move(random)), on_change_(std::move(on_change)) {}

Checks::~Checks() { alarm_.clear(); }

void Checks::configure(const std::vector<Target>& targets) {
  std::map<ProbeKey, std::unique_ptr<Probe>> probes;
  std::map<TargetKey, Probe*> by_target;
  std::set<ProbeKey> were_up;  // of one of those that share the probe
  for (const Target& target : targets) {
    if (target.was_up) were_up.insert(key_of(target));
  }
  for (const Target& target : targets) {
    const ProbeKey key = key_of(target);
    auto& probe = probes[key];
    if (!probe) {
      const auto before = probes_.find(key);
      probe = before != probes_.end() ? std::move(before->second) : make_probe(target, were_up.contains(key));
      probe->targets.clear();
    }
    probe->targets.push_back(target.key);
    by_target[target.key] = probe.get();
  }
  for (auto& [key, probe] : probes_) {
    if (probe) retire(*probe);
  }
  probes_ = std::move(probes);
  prober_.prepare(trusts_of_probes());
  by_target_ = std::move(by_target);
  std::erase_if(hurried_, [&](const TargetKey& key) { return !by_target_.contains(key); });
  arm();
}

std::optional<State> Checks::state(const TargetKey& key) const {
  const auto found = by_target_.find(key);
  return found == by_target_.end() ? std::nullopt : std::optional(found->second->state);
}

Health Checks::would_be(const Target& target) const {
  const ProbeKey key = key_of(target);
  if (const auto same = probes_.find(key); same != probes_.end()) return same->second->state.health;
  const Probe* before = follows(target);
  return before == nullptr ? Health::unknown : before->state.health;
}

std::optional<Counters> Checks::counters(const TargetKey& key) const {
  const auto found = by_target_.find(key);
  return found == by_target_.end() ? std::nullopt : std::optional(found->second->counters);
}

void Checks::for_each(const std::function<void(const TargetKey&, const State&, const Counters&)>& visit) const {
  for (const auto& [key, probe] : by_target_) visit(key, probe->state, probe->counters);
}

std::set<config::TlsTrust> Checks::trusts_of_probes() const {
  std::set<config::TlsTrust> trusts;
  for (const auto& [key, probe] : probes_) {
    if (const auto* https = std::get_if<config::HttpsCheck>(&key.check.probe)) trusts.insert(https->trust);
  }
  return trusts;
}

Checks::ProbeKey Checks::key_of(const Target& target) {
  ProbeKey key{target.host, target.check.port.value_or(target.port), target.check, target.path};
  key.check.port.reset();  // said already
  if (std::holds_alternative<config::IcmpCheck>(key.check.probe)) key.port = {};
  return key;
}

/// The probe of the target so far, if it is at the same address and port: what that has found holds for another check.
const Checks::Probe* Checks::follows(const Target& target) const {
  const ProbeKey key = key_of(target);
  const auto before = by_target_.find(target.key);
  if (before == by_target_.end()) return nullptr;
  const Probe& probe = *before->second;
  const auto backend_of = [](const ProbeKey& of) { return of.path ? of.path->backend : of.host; };
  return backend_of(probe.key) == backend_of(key) && probe.key.port == key.port ? &probe : nullptr;
}

std::unique_ptr<Checks::Probe> Checks::make_probe(const Target& target, bool was_up) {
  const ProbeKey key = key_of(target);
  State state;
  Counters counters;
  const auto before = by_target_.find(target.key);
  if (before != by_target_.end()) counters = before->second->counters;
  if (const Probe* same_place = follows(target)) state = same_place->state;
  if (state.health == Health::unknown) {
    state.since = alarm_.now();
    if (was_up) state.health = Health::up;
  }
  state.consecutive = 0;

  auto probe = std::make_unique<Probe>(Probe{.serial = ++last_serial_,
                                             .key = key,
                                             .targets = {},
                                             .state = state,
                                             .counters = counters,
                                             .rise_fall = {key.check.rise, key.check.fall, state.health},
                                             .running = nullptr,
                                             .due = {},
                                             .planned = {},
                                             .started = {}});
  schedule(*probe, alarm_.now() + part(key.check.interval, kStartSpread * random_()));
  return probe;
}

void Checks::retire(Probe& probe) { queue_.erase({probe.due, probe.serial, &probe}); }

void Checks::schedule(Probe& probe, Clock::time_point due) {
  retire(probe);
  probe.due = due;
  queue_.insert({due, probe.serial, &probe});
}

// An alarm that goes off too early is harmless, so it is only ever set earlier.
void Checks::arm() {
  if (queue_.empty()) return;
  const Clock::time_point first = std::get<Clock::time_point>(*queue_.begin());
  if (armed_ && *armed_ <= first) return;
  armed_ = first;
  alarm_.set(first, [this] { wake(); });
}

void Checks::wake() {
  armed_.reset();
  const Clock::time_point now = alarm_.now();
  // What a probe's end calls may change the queue: look at its head anew each time.
  while (!queue_.empty() && std::get<Clock::time_point>(*queue_.begin()) <= now) {
    Probe& probe = *std::get<Probe*>(*queue_.begin());
    if (probe.running) {
      on_deadline(probe);
    } else {
      begin(probe);
    }
  }
  arm();
}

void Checks::begin(Probe& probe) {
  probe.planned = probe.due;
  probe.started = alarm_.now();
  probe.reprieved = false;
  schedule(probe, probe.started + std::max<Clock::duration>(probe.key.check.timeout, 1ms));
  probe.running = prober_.start({probe.key.host, probe.key.port, probe.key.check.probe, probe.key.path},
                                [this, &probe](Outcome outcome) {
                                  finish(probe, std::move(outcome));
                                  arm();
                                });
}

void Checks::on_deadline(Probe& probe) {
  const Clock::time_point now = alarm_.now();
  if (now - probe.due > kStoodStill && !probe.reprieved) {
    probe.reprieved = true;
    schedule(probe, now + std::min<Clock::duration>(kReprieve, probe.key.check.timeout));
    return;
  }
  if (probe.running->silence() == Silence::passes) return finish(probe, {});
  ++probe.counters.timed_out;
  std::string error = timeout_text(probe.key.check.timeout, *probe.running);
  if (probe.key.path) error += missing_on(*probe.key.path, probe.key.host);
  finish(probe, {Outcome::Kind::failed, std::move(error)});
}

void Checks::finish(Probe& probe, Outcome outcome) {
  const Clock::time_point now = alarm_.now();
  probe.running.reset();
  probe.state.last_duration = now - probe.started;
  if (outcome.kind == Outcome::Kind::failed && is_hindered(probe))
    outcome = {Outcome::Kind::not_made, "this host forwarded no packets meanwhile: " + outcome.error};
  if (outcome.kind == Outcome::Kind::not_made) {
    schedule_next(probe);
    // Nothing serves while nothing is known: what was missing at a start is there in a moment.
    if (probe.state.health == Health::unknown) schedule(probe, now + part(probe.key.check.interval, kStartSpread));
    ++probe.counters.not_made;
    warn_not_made(probe, outcome.error);
    return;
  }
  const bool passed = outcome.kind == Outcome::Kind::passed;
  if (passed) last_passed_ = now;
  probe.fails = !passed;
  ++(passed ? probe.counters.passed : probe.counters.failed);
  const auto effect = probe.rise_fall.add(passed ? Finding::passed : Finding::failed);
  probe.state.health = probe.rise_fall.health();
  probe.state.consecutive = probe.rise_fall.consecutive();
  schedule_next(probe);
  if (!passed) probe.state.last_error = std::move(outcome.error);
  if (passed && probe.state.health == Health::up) probe.state.last_error.clear();
  if (effect == RiseFall::Effect::none) return;

  probe.state.since = now;
  ++probe.counters.transitions;
  tell(probe);
}

void Checks::hurry(const TargetKey& key, bool wanted) {
  const auto found = by_target_.find(key);
  if (!wanted || found == by_target_.end()) {
    hurried_.erase(key);
    return;
  }
  Probe& probe = *found->second;
  if (!hurried_.insert(key).second || probe.running) return;
  schedule(probe, alarm_.now());
  arm();
}

config::Milliseconds Checks::interval_of(const Probe& probe) const {
  const config::HealthCheck& check = probe.key.check;
  const bool hurried = std::any_of(probe.targets.begin(), probe.targets.end(),
                                   [&](const TargetKey& target) { return hurried_.contains(target); });
  if (hurried) return std::min(check.interval, kHurriedInterval);
  const bool rests = probe.fails && probe.state.health == Health::down;
  return rests ? check.down_interval.value_or(check.interval) : check.interval;
}

void Checks::schedule_next(Probe& probe) {
  const double earliest = probe.in_step ? kStartSpread : kEarliest;
  probe.in_step = false;
  const auto gap = part(interval_of(probe), earliest + (1 - earliest) * random_());
  // A plan that was missed is not made up for: one probe at once, and on from there.
  schedule(probe, std::max(probe.planned + gap, alarm_.now()));
}

bool Checks::is_hindered(const Probe& probe) const {
  return hindrance_ && alarm_.now() - last_passed_ < kLongestHindrance && hindrance_(probe.started);
}

void Checks::warn_not_made(const Probe& probe, const std::string& error) {
  const Clock::time_point now = alarm_.now();
  if (now < quiet_until_) return;
  quiet_until_ = now + kQuiet;
  log::warning(
      "health probe not made, states stay as they are",
      {{"address", probe.key.host.to_string()}, {"port", static_cast<unsigned>(probe.key.port)}, {"error", error}});
}

/// The last that is done with a probe: the callback may configure it away.
void Checks::tell(const Probe& probe) {
  if (!on_change_) return;
  const auto targets = probe.targets;
  const State state = probe.state;
  for (const TargetKey& key : targets) on_change_(key, state);
}

}  // namespace astil::health
