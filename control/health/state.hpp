// What is known of a backend's health, and the rule by which probes change it: the first result decides at once, and
// from then on `fall` failures in a row take a backend down and `rise` successes in a row bring it up.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace astil::health {

using Clock = std::chrono::steady_clock;

enum class Health {
  unknown,  ///< not probed yet
  up,
  down,
};

/// "unknown", "up", "down".
[[nodiscard]] const char* to_string(Health health);

/// What a probe found.
enum class Finding { passed, failed };

/// Rise and fall, and nothing else.
class RiseFall {
 public:
  enum class Effect { none, changed };

  /// Both at least 1. `health` is where it starts: what an earlier check of the same backend knew, or unknown.
  RiseFall(unsigned rise, unsigned fall, Health health) : rise_(rise), fall_(fall), health_(health) {}

  [[nodiscard]] Effect add(Finding finding);
  [[nodiscard]] Health health() const { return health_; }
  /// Findings in a row of the last one's kind. Stays at its greatest value.
  [[nodiscard]] unsigned consecutive() const { return consecutive_; }

 private:
  unsigned rise_;
  unsigned fall_;
  Health health_;
  Finding last_ = Finding::passed;
  unsigned consecutive_ = 0;
};

/// A target's health, for the balance, the API and the operator.
struct State {
  Health health = Health::unknown;
  Clock::time_point since;          ///< of `health`
  std::string last_error;           ///< of the last failure; empty once up and passing again
  Clock::duration last_duration{};  ///< of the last probe, from its start to its result
  unsigned consecutive = 0;         ///< results in a row of the last one's kind
  /// It flaps: it is down until then at least, though its checks succeed.
  std::optional<Clock::time_point> held_until = std::nullopt;
};

/// Since the target was first configured. Targets that share a probe each count it.
struct Counters {
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;       ///< refused, reset, wrong answer, or no answer in time
  std::uint64_t timed_out = 0;    ///< of the failed: no answer in time
  std::uint64_t not_made = 0;     ///< for want of a local resource (descriptors, ports, memory); changes no state
  std::uint64_t transitions = 0;  ///< changes of health, the first one included
  std::uint64_t holds = 0;        ///< how often it was held out since it flapped
  bool operator==(const Counters&) const = default;
};

}  // namespace astil::health
