// The state machine of one virtual router (RFC 9568 section 6), and what a pair adds to it: preemption after a delay
// and only with the flows, a start that only listens for a while, and orders from outside. Pure: the time comes with
// each call, what is to be done goes to an `Output`, and `deadline` says when it wants to be called next.
//
// Names are the RFC's: Active_Down_Timer, Adver_Timer, Skew_Time, Active_Adver_Interval. Times are since an epoch of
// the caller's, and must not run backwards.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "control/ha/channel.hpp"
#include "control/ha/vrrp/wire.hpp"

namespace astil::ha {

using Time = std::chrono::nanoseconds;
using std::chrono::milliseconds;

struct RouterSettings {
  std::uint8_t priority = 100;          ///< configured; 255: owner
  std::uint16_t advert_interval = 100;  ///< Advertisement_Interval, centiseconds, 1 to 4095
  bool preempt = true;
  milliseconds preempt_delay{0};
  milliseconds takeover_limit{0};  ///< how long it waits for the flows, from the first advert that it would preempt
  milliseconds startup_hold{0};
};

/// What the state machine has done. Calls come in the order in which they are to be done, and must not call back.
class Output {
 public:
  virtual ~Output() = default;
  /// Put the addresses there, before anything is said.
  virtual void take_addresses() = 0;
  /// Take them away, before anything is said.
  virtual void leave_addresses() = 0;
  virtual void send_advert(std::uint8_t priority) = 0;
  /// Gratuitous ARP or unsolicited neighbour advertisement for every address (sections 8.1.2, 8.2.2).
  virtual void announce() = 0;
};

class VirtualRouter {
 public:
  /// `output` must outlive it.
  VirtualRouter(const RouterSettings& settings, Output& output);

  /// The Startup event (section 6.4.1). `local` is the primary address that adverts leave from.
  void startup(Time now, const address& local, Cause cause);
  /// The Shutdown event (sections 6.4.2, 6.4.3).
  void shutdown(Time now, Cause cause);

  /// An advert that passed the checks of section 7.1.
  void on_advert(Time now, const Advert& advert, const address& sender);
  /// Timers that have run out by now. To be called at `deadline` or later.
  void on_time(Time now);
  /// When the next timer runs out; none: none runs.
  [[nodiscard]] std::optional<Time> deadline() const;

  /// The other node was active, and its heartbeats are lost, or say that it is not active any more: what
  /// Active_Down_Timer would say later. Nothing unless backup, nor where an advert came since.
  void on_peer_gone(Time now, Time silent_since, Cause cause);

  /// Another station says that it has one of the addresses; or the peer's heartbeat, that it is active. Where this node
  /// is active still a little later, both are: adverts do not get through.
  void on_foreign_announcement(Time now);
  enum class PeerState { active, other };
  void on_peer_state(Time now, PeerState state);

  /// Active leaves: priority 0, then backup; nobody is preempted for so long. A backup preempts nobody for so long.
  /// Without a time: not before it was active again.
  void step_down(Time now, std::optional<milliseconds> for_so_long);
  /// As its sync group went. Nothing where it is so, or in Initialize.
  void force_active(Time now);
  void force_backup(Time now);

  /// Less what is tracked; 1 at least, and never of an owner.
  void set_penalty(Time now, unsigned subtract);
  /// The peer's flows are here (open), or not.
  void set_gate(bool open) { gate_open_ = open; }
  /// New settings while it runs. The priority is advertised at once.
  void configure(Time now, const RouterSettings& settings);

  [[nodiscard]] bool is_running() const { return state_ == State::backup || state_ == State::active; }
  [[nodiscard]] bool is_active() const { return state_ == State::active; }
  /// Backup, and an advert of an active node has come since it is.
  [[nodiscard]] bool hears_active() const { return state_ == State::backup && hears_active_; }
  /// Backup, and yields to an active node that was heard an advert and a half ago at most: until when that holds.
  [[nodiscard]] std::optional<Time> yields_until() const;
  /// Backup, and an advert of a node that it yields to has come since.
  [[nodiscard]] bool yielded_since(Time time) const {
    return state_ == State::backup && yields_ && *last_heard_ > time;
  }
  /// Active_Down_Timer has run out, and another of its sync group is not to be active: it is looked at again then.
  [[nodiscard]] bool is_due(Time now) const { return state_ == State::backup && now >= active_down_timer_; }
  void wait_until(Time time) { active_down_timer_ = std::max(active_down_timer_, time); }
  /// The caller itself was late by so much, as the active node may have been, where both are guests of one host. By
  /// half an interval or more, and Active_Down_Timer has an interval more, once in a silence.
  void forgive(Time now, Time late);
  [[nodiscard]] bool waits_for_flows() const { return waits_for_flows_; }
  [[nodiscard]] std::uint8_t priority() const;
  [[nodiscard]] Cause cause() const { return cause_; }
  [[nodiscard]] Time since() const { return since_; }
  [[nodiscard]] std::uint64_t transitions() const { return transitions_; }
  [[nodiscard]] std::uint64_t takeovers() const { return takeovers_; }
  [[nodiscard]] std::uint64_t table_limits() const { return table_limits_; }
  [[nodiscard]] std::uint64_t conflicts() const { return conflicts_; }
  /// Another node is active too, as far as is known: it sent adverts twice within three of their intervals and has not
  /// been silent for as long since; or was told of within the last 10 s.
  [[nodiscard]] bool two_active(Time now) const { return is_active() && now < conflict_until_; }
  /// From the last sign of the former active node to the addresses being here, of the last takeover.
  [[nodiscard]] Time takeover_time() const { return takeover_time_; }
  [[nodiscard]] std::uint8_t peer_priority() const { return peer_priority_; }

  /// Skew_Time and Active_Down_Interval (section 6.1), by Active_Adver_Interval.
  [[nodiscard]] Time skew_time() const;
  [[nodiscard]] Time active_down_interval() const;

 private:
  enum class State { initialize, backup, active };

  void become(Time now, State state, Cause cause);
  void become_active(Time now, Cause cause);
  void become_backup(Time now, Cause cause);
  void hand_over(Time now, Cause cause);
  void note_conflict(Time now, Time memory);
  void set_active_down_timer(Time now, Time interval);
  void backup_advert(Time now, const Advert& advert);
  void active_advert(Time now, const Advert& advert, const address& sender);
  [[nodiscard]] bool preempts(Time now);

  RouterSettings settings_;
  Output& output_;
  address local_;
  State state_ = State::initialize;
  Cause cause_ = Cause::none;
  unsigned penalty_ = 0;
  bool gate_open_ = true;
  std::uint16_t active_adver_interval_ = 0;  ///< centiseconds
  Time active_down_timer_{0};                ///< only in backup
  Time adver_timer_{0};                      ///< only in active
  Cause down_cause_ = Cause::no_adverts;     ///< why Active_Down_Timer runs out, if it does
  Time hold_until_{0};                       ///< takes over from nobody before
  Time no_preempt_until_{0};                 ///< stepped down
  std::optional<Time> lower_since_;          ///< a lower priority is active since, as long as that lasts
  bool waits_for_flows_ = false;
  bool limit_passed_ = false;  ///< preempts although the flows are not here
  bool hears_active_ = false;
  bool yields_ = false;    ///< to the sender of the last advert
  bool forgiven_ = false;  ///< since that came
  std::optional<Time> last_heard_;
  Time conflict_until_{0};
  Time lower_heard_until_{0};           ///< an advert of lower priority came while active, not long ago
  std::optional<Time> suspicion_;       ///< another one is active, unless this one is not by then
  std::optional<Time> peer_suspicion_;  ///< the peer's heartbeat said that it is; one that says so again, from then on
  Time since_{0};
  Time takeover_time_{0};
  std::uint8_t peer_priority_ = 0;
  std::uint64_t transitions_ = 0;
  std::uint64_t takeovers_ = 0;
  std::uint64_t table_limits_ = 0;
  std::uint64_t conflicts_ = 0;
};

}  // namespace astil::ha
