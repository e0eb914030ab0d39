// When backends that get no new flows will be empty: out of how many flows they had lately, by one census after the
// other. Time comes from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace astil::app {

class DrainWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Key = std::pair<std::string, std::string>;  ///< service, backend: numbers change with the tables

  /// The pace is that of so long, as flows end at other times of the day at another one.
  static constexpr std::chrono::seconds kLookedBack{60};
  static constexpr std::chrono::seconds kBetweenSamples{5};

  /// The flows of all backends that get no new ones. Those that are not among them are forgotten.
  void see(const std::map<Key, std::uint64_t>& flows, TimePoint now);

  /// Time until the last flow has ended, if each goes on to end as likely as they did lately; none: none has ended
  /// lately, or not for long enough to tell.
  [[nodiscard]] std::optional<std::chrono::duration<double>> empty_in(const Key& key) const;

 private:
  struct Sample {
    TimePoint time;
    std::uint64_t flows;
  };
  struct Course {
    std::deque<Sample> samples;  ///< kBetweenSamples apart
    Sample last;
  };

  std::map<Key, Course> courses_;
};

}  // namespace astil::app
