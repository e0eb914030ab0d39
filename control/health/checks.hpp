// The health checks: which backend is probed when, and what the results make of it. Any number of targets on one loop
// with one alarm; a probe that hangs delays no other. Targets that ask for the very same probe (address, port and
// check) share one.
//
// What is sent, and when: the first probe of a target within a tenth of its interval, so that a start is quick; the
// second at a random point of the next interval, so that ten thousand targets do not march in step; from then on one an
// interval, up to five per cent early and never late, so that a dead backend is found within fall x interval + timeout.
// While a backend is down and its probes fail, the interval may be another, longer one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "control/config/model.hpp"
#include "control/health/alarm.hpp"
#include "control/health/prober.hpp"
#include "control/health/state.hpp"

namespace astil::health {

/// A backend of a service, by their names, and one of its checks.
struct TargetKey {
  std::string service;
  std::string backend;
  std::string check{};  ///< empty: the service's `health`
  auto operator<=>(const TargetKey&) const = default;
};

struct Target {
  TargetKey key;
  config::address host;
  config::Port port{};  ///< the backend's; the check may name another, and does where this is 0, any
  config::HealthCheck check;
  std::optional<Path> path = std::nullopt;  ///< with it host and port are the service's
  /// As it was before this process: a target that is new here is up then, until its probes have found otherwise.
  bool was_up = false;
};

class Checks {
 public:
  /// A target's health changed by a probe's result. May call `configure`; must not destroy the checks.
  using OnChange = std::function<void(const TargetKey&, const State&)>;
  /// Uniform in [0, 1).
  using Random = std::function<double()>;

  /// Did this host itself lose packets at some time since the probe was started? Then its failure says nothing.
  using Hindrance = std::function<bool(Clock::time_point started)>;

  /// Prober and alarm must outlive this; the alarm is this one's alone.
  Checks(Prober& prober, Alarm& alarm, Random random, OnChange on_change);
  ~Checks();
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;

  /// Failures are not counted while this tells of a hindrance: for a while, since a host through which nothing comes
  /// for long has no backends.
  void mind(Hindrance hindrance) { hindrance_ = std::move(hindrance); }

  /// The targets from now on, their keys unique. One that is as before goes on undisturbed. One whose check alone is
  /// other keeps its health until the new check has found otherwise; one at another address or port starts as unknown.
  /// Tells nobody: read `state` afterwards.
  void configure(const std::vector<Target>& targets);

  /// A target's probe is made at once, and then each second if not more often, until that is not wanted any more.
  void hurry(const TargetKey& key, bool wanted);

  /// None: no such target.
  [[nodiscard]] std::optional<State> state(const TargetKey& key) const;
  /// What it would be right after a `configure` with this target.
  [[nodiscard]] Health would_be(const Target& target) const;
  [[nodiscard]] std::optional<Counters> counters(const TargetKey& key) const;

  /// Every target, in the order of its key. For metrics and status.
  void for_each(const std::function<void(const TargetKey&, const State&, const Counters&)>& visit) const;

  /// Probes that are made for all the targets.
  [[nodiscard]] std::size_t probe_count() const { return probes_.size(); }

 private:
  struct ProbeKey {
    config::address host;
    config::Port port{};
    config::HealthCheck check;
    std::optional<Path> path;
    std::strong_ordering operator<=>(const ProbeKey&) const = default;
  };
  struct Probe;
  using Slot = std::tuple<Clock::time_point, std::uint64_t, Probe*>;

  [[nodiscard]] static ProbeKey key_of(const Target& target);
  [[nodiscard]] std::set<config::TlsTrust> trusts_of_probes() const;
  [[nodiscard]] const Probe* follows(const Target& target) const;
  [[nodiscard]] std::unique_ptr<Probe> make_probe(const Target& target, bool was_up);
  void retire(Probe& probe);
  void schedule(Probe& probe, Clock::time_point due);
  void arm();
  void wake();
  void begin(Probe& probe);
  void on_deadline(Probe& probe);
  void finish(Probe& probe, Outcome outcome);
  [[nodiscard]] config::Milliseconds interval_of(const Probe& probe) const;
  void schedule_next(Probe& probe);
  [[nodiscard]] bool is_hindered(const Probe& probe) const;
  void warn_not_made(const Probe& probe, const std::string& error);
  void tell(const Probe& probe);

  Prober& prober_;
  Alarm& alarm_;
  Random random_;
  OnChange on_change_;
  Hindrance hindrance_;
  Clock::time_point last_passed_{};  ///< when any probe passed
  std::map<ProbeKey, std::unique_ptr<Probe>> probes_;
  std::map<TargetKey, Probe*> by_target_;
  std::set<TargetKey> hurried_;
  std::set<Slot> queue_;  // each probe once: its next start, or the deadline of the one under way
  std::optional<Clock::time_point> armed_;
  std::uint64_t last_serial_ = 0;
  Clock::time_point quiet_until_{};
};

}  // namespace astil::health
