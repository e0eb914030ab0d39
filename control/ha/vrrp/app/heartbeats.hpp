// The heartbeats of this node over all paths, and what those of the other one say.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/ha/vrrp/app/heartbeat_socket.hpp"
#include "control/ha/vrrp/authentication.hpp"
#include "control/ha/vrrp/heartbeat.hpp"

namespace astil::ha {

class Heartbeats {
 public:
  /// Sockets of paths that are as before are kept.
  void configure(Time now, const SettingsRecord& settings, const std::vector<PathRecord>& paths);

  /// What is said from now on; `send_now` also says it at once: it has changed.
  void say(const HeartbeatMessage& message) { message_ = message; }
  void send();

  /// `take` gets each message that is authentic, the other node's, and newer than all before, whichever path they came
  /// by.
  void receive(std::size_t path, Time now, const std::function<void(const HeartbeatMessage&)>& take);

  /// Sends what is due, and tries again to open paths that could not be: their network may come later. To be called at
  /// `deadline` or later.
  void on_time(Time now);
  void forgive(Time now, Time late) { watch_.forgive(now, late); }
  /// True once, when the other node is silent on all paths.
  [[nodiscard]] bool died(Time now) { return watch_.died(now); }
  /// How long it has been silent then.
  [[nodiscard]] Time silence() const { return interval_ * lost_after_; }
  [[nodiscard]] std::optional<Time> deadline() const;

  [[nodiscard]] std::size_t size() const { return paths_.size(); }
  [[nodiscard]] int descriptor(std::size_t path) const;
  [[nodiscard]] bool is_alive() const { return watch_.is_alive(); }
  [[nodiscard]] PathReport report(std::size_t path) const;
  [[nodiscard]] const HeartbeatMessage& heard() const { return heard_; }

 private:
  struct Path {
    PathRecord record;
    std::optional<HeartbeatSocket> socket;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::array<std::uint64_t, kHeartbeatDrops> drops{};
    bool failed = false;             ///< to open, and that was told
    std::uint64_t last_counter = 0;  ///< of the other node, on this path
  };

  [[nodiscard]] bool is_on() const { return interval_ != Time{0} && keys_.current() != nullptr; }
  void open_missing();
  [[nodiscard]] bool misses_any() const;
  void send_on(Path& path, Bytes message);

  std::vector<Path> paths_;
  std::uint16_t port_ = 0;
  KeyRing keys_;
  Time interval_{0};
  unsigned lost_after_ = 3;
  Time next_{0};
  Time next_open_{0};  ///< when paths that could not be opened are tried again
  HeartbeatWatch watch_;
  HeartbeatMessage message_;
  HeartbeatMessage heard_;
  std::uint64_t newest_ = 0;  ///< counter of `heard_`
  Counter counter_;
};

}  // namespace astil::ha
