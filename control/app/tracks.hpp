// What takes from the groups' priorities while it is not well, as far as astild looks at it: files, gateways that are
// asked for an echo, and commands. Interfaces are followed by astil-vrrp. On the daemon's loop; a command that hangs
// holds nothing up.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "control/config/model.hpp"
#include "control/ha/channel.hpp"
#include "control/health/checks.hpp"

namespace astil::app {

class Tracks {
 public:
  /// What is known of one.
  struct Known {
    health::Health health = health::Health::unknown;  ///< up: it is well
    std::string error;                                ///< of the last look that failed; empty: well, and so it goes on
    health::Counters counters;                        ///< of probes; of a file only the transitions
  };

  /// `changed` is called when something is well or not that was not so before, and not from within `follow`. Prober and
  /// alarms must outlive this; each alarm is this one's alone.
  Tracks(health::Prober& prober, health::Alarm& probe_alarm, health::Alarm& file_alarm, health::Checks::Random random,
         std::function<void()> changed);

  /// From now on those of this pair. What goes on is not disturbed; files are looked at before this returns.
  void follow(const config::Ha& ha);
  /// Nothing is looked at any more.
  void rest();

  /// Unknown, too, of an interface or of what is not tracked.
  [[nodiscard]] Known known(const std::string& group, const std::string& track) const;
  /// For the groups of this plan.
  [[nodiscard]] ha::TracksRecord record(const config::Ha& ha, const ha::Configuration& plan) const;

 private:
  using Key = std::pair<std::string, std::string>;  ///< group, track
  struct File {
    std::string path;
    Known known;
  };

  void look_at_files();
  [[nodiscard]] bool look_at(File& file) const;

  health::Alarm& file_alarm_;
  std::function<void()> changed_;
  std::map<Key, File> files_;
  health::Checks checks_;
};

/// What is looked at, in words: an interface, a path, an address, a command.
[[nodiscard]] std::string subject_of(const config::Track& track);

}  // namespace astil::app
