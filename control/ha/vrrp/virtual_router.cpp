#include "control/ha/vrrp/virtual_router.hpp"

#include <algorithm>
#include <utility>

namespace astil::ha {
namespace {

constexpr Time kCentisecond = milliseconds(10);
/// Adverts of another active node that are this many of their intervals old tell nothing any more.
constexpr int kConflictIntervals = 3;
/// How long one that was told of otherwise counts: its announcements come at 0, 1 and 5 s.
constexpr Time kConflictMemory = std::chrono::seconds(10);

}  // namespace

VirtualRouter::VirtualRouter(const RouterSettings& settings, Output& output) : settings_(settings), output_(output) {}

std::uint8_t VirtualRouter::priority() const {
  if (settings_.priority == kOwnerPriority) return kOwnerPriority;
  return static_cast<std::uint8_t>(std::max<int>(1, settings_.priority - static_cast<int>(penalty_)));
}

/// ((256 - priority) * Active_Adver_Interval) / 256 (section 6.1).
Time VirtualRouter::skew_time() const { return (256 - priority()) * (active_adver_interval_ * kCentisecond) / 256; }

/// 3 * Active_Adver_Interval + Skew_Time (section 6.1).
Time VirtualRouter::active_down_interval() const { return 3 * (active_adver_interval_ * kCentisecond) + skew_time(); }

void VirtualRouter::become(Time now, State state, Cause cause) {
  state_ = state;
  cause_ = cause;
  since_ = now;
  ++transitions_;
  lower_since_.reset();
  waits_for_flows_ = false;
  hears_active_ = false;
  yields_ = false;
  forgiven_ = false;
  suspicion_.reset();
  peer_suspicion_.reset();
}

void VirtualRouter::set_active_down_timer(Time now, Time interval) {
  active_down_timer_ = std::max(now + interval, hold_until_);
}

/// Sections 6.4.1 and 6.4.2, what both do on the way to Active; the addresses come first, so that whoever follows the
/// advert or the announcement finds them.
void VirtualRouter::become_active(Time now, Cause cause) {
  if (std::exchange(limit_passed_, false)) ++table_limits_;
  no_preempt_until_ = Time{0};
  output_.take_addresses();
  output_.send_advert(priority());
  output_.announce();
  adver_timer_ = now + settings_.advert_interval * kCentisecond;
  takeover_time_ = last_heard_ ? now - *last_heard_ : Time{0};
  conflict_until_ = Time{0};
  lower_heard_until_ = Time{0};
  ++takeovers_;
  become(now, State::active, cause);
}

void VirtualRouter::become_backup(Time now, Cause cause) {
  if (state_ == State::active) output_.leave_addresses();
  become(now, State::backup, cause);
  down_cause_ = Cause::no_adverts;
  set_active_down_timer(now, active_down_interval());
}

/// Section 6.4.1.
void VirtualRouter::startup(Time now, const address& local, Cause cause) {
  if (is_running()) return;
  local_ = local;
  last_heard_.reset();
  limit_passed_ = false;
  hold_until_ = now + settings_.startup_hold;
  active_adver_interval_ = settings_.advert_interval;
  if (settings_.priority == kOwnerPriority) {
    become_active(now, Cause::owner);
  } else {
    become_backup(now, cause);
  }
}

/// Section 6.4.2: the timer is cancelled; section 6.4.3: and an advert with priority 0 is sent.
void VirtualRouter::shutdown(Time now, Cause cause) {
  if (!is_running()) return;
  if (is_active()) {
    output_.leave_addresses();
    output_.send_advert(kLeavingPriority);
  }
  become(now, State::initialize, cause);
}

void VirtualRouter::on_advert(Time now, const Advert& advert, const address& sender) {
  if (!is_running()) return;
  peer_priority_ = advert.priority;
  if (state_ == State::backup) {
    backup_advert(now, advert);
  } else {
    active_advert(now, advert, sender);
  }
}

/// Whether an advert of lower priority is to be discarded, so that Active_Down_Timer runs out. False is what the RFC
/// does with Preempt_Mode False.
bool VirtualRouter::preempts(Time now) {
  if (!lower_since_) lower_since_ = now;
  waits_for_flows_ = false;
  if (!settings_.preempt && settings_.priority != kOwnerPriority) return false;
  if (now < no_preempt_until_ || now < hold_until_ || now - *lower_since_ < settings_.preempt_delay) return false;
  if (gate_open_) {
    limit_passed_ = false;
    return true;
  }
  waits_for_flows_ = now - *lower_since_ < settings_.takeover_limit;
  limit_passed_ = !waits_for_flows_;
  return limit_passed_;
}

/// Section 6.4.2.
void VirtualRouter::backup_advert(Time now, const Advert& advert) {
  last_heard_ = now;
  forgiven_ = false;
  hears_active_ = advert.priority != kLeavingPriority;
  yields_ = false;
  if (advert.priority == kLeavingPriority) {
    down_cause_ = Cause::left;
    set_active_down_timer(now, skew_time());
    return;
  }
  if (advert.priority >= priority()) {
    lower_since_.reset();
    waits_for_flows_ = false;
    limit_passed_ = false;
  } else if (preempts(now)) {
    down_cause_ = Cause::preempted;
    return;  // discarded
  }
  yields_ = true;
  active_adver_interval_ = advert.max_interval;
  down_cause_ = Cause::no_adverts;
  set_active_down_timer(now, active_down_interval());
}

std::optional<Time> VirtualRouter::yields_until() const {
  if (state_ != State::backup || !yields_) return std::nullopt;
  return *last_heard_ + active_adver_interval_ * kCentisecond * 3 / 2;
}

void VirtualRouter::forgive(Time now, Time late) {
  const Time interval = active_adver_interval_ * kCentisecond;
  if (!is_due(now) || !hears_active_ || late < interval / 2 || std::exchange(forgiven_, true)) return;
  wait_until(now + interval);
}

/// Section 6.4.3.
void VirtualRouter::active_advert(Time now, const Advert& advert, const address& sender) {
  if (advert.priority == kLeavingPriority) {
    output_.send_advert(priority());
    adver_timer_ = now + settings_.advert_interval * kCentisecond;
    return;
  }
  const bool yields = advert.priority > priority() || (advert.priority == priority() && sender > local_);
  if (yields) {
    last_heard_ = now;
    active_adver_interval_ = advert.max_interval;
    become_backup(now, Cause::preempted);
    return;
  }
  // The first one may have been on its way when this node took over.
  const Time memory = kConflictIntervals * (advert.max_interval * kCentisecond);
  if (now < lower_heard_until_) note_conflict(now, memory);
  lower_heard_until_ = now + memory;
  // Discarded; and the other node, and bridges that have learned of it, are told who is active.
  output_.send_advert(priority());
  adver_timer_ = now + settings_.advert_interval * kCentisecond;
  output_.announce();
}

void VirtualRouter::note_conflict(Time now, Time memory) {
  if (now >= conflict_until_) ++conflicts_;
  conflict_until_ = std::max(conflict_until_, now + memory);
}

void VirtualRouter::on_foreign_announcement(Time now) {
  const Time interval = settings_.advert_interval * kCentisecond;
  const bool was_under_way = now - since_ < interval;  // when this node took over
  if (is_active() && !suspicion_ && !was_under_way) suspicion_ = now + 2 * interval;
}

void VirtualRouter::on_peer_state(Time now, PeerState state) {
  if (state != PeerState::active) {
    peer_suspicion_.reset();
  } else if (is_active() && !peer_suspicion_) {
    peer_suspicion_ = now + settings_.advert_interval * kCentisecond;
  } else if (is_active() && now >= *peer_suspicion_) {
    note_conflict(now, kConflictMemory);
  }
}

void VirtualRouter::on_time(Time now) {
  if (suspicion_ && now >= *suspicion_) {
    suspicion_.reset();
    note_conflict(now, kConflictMemory);
  }
  if (state_ == State::backup && now >= active_down_timer_) {
    become_active(now, down_cause_);
  } else if (state_ == State::active && now >= adver_timer_) {
    output_.send_advert(priority());
    // From when it was due, so that the pace does not slip; but what was missed is not sent after.
    const Time interval = settings_.advert_interval * kCentisecond;
    adver_timer_ += interval;
    if (adver_timer_ <= now) adver_timer_ = now + interval;
  }
}

std::optional<Time> VirtualRouter::deadline() const {
  if (state_ == State::backup) return active_down_timer_;
  if (state_ == State::active) return std::min(adver_timer_, suspicion_.value_or(adver_timer_));
  return std::nullopt;
}

void VirtualRouter::on_peer_gone(Time now, Time silent_since, Cause cause) {
  if (state_ != State::backup || now < hold_until_) return;
  if (last_heard_ && *last_heard_ > silent_since) return;  // its adverts come: it is the paths that are dead
  become_active(now, cause);
}

void VirtualRouter::step_down(Time now, std::optional<milliseconds> for_so_long) {
  if (!is_running()) return;
  no_preempt_until_ = for_so_long ? now + *for_so_long : Time::max();
  if (is_active()) hand_over(now, Cause::stepped_down);
}

/// From active to backup on this node's own account: with priority 0, so that the other one does not wait.
void VirtualRouter::hand_over(Time now, Cause cause) {
  output_.leave_addresses();
  output_.send_advert(kLeavingPriority);
  become(now, State::backup, cause);
  active_adver_interval_ = settings_.advert_interval;
  down_cause_ = Cause::no_adverts;
  set_active_down_timer(now, active_down_interval());
}

void VirtualRouter::force_active(Time now) {
  if (state_ == State::backup) become_active(now, Cause::sync_group);
}

void VirtualRouter::force_backup(Time now) {
  if (is_active()) hand_over(now, Cause::sync_group);
}

void VirtualRouter::set_penalty(Time now, unsigned subtract) {
  const std::uint8_t before = priority();
  penalty_ = subtract;
  if (!is_active() || priority() == before) return;
  output_.send_advert(priority());
  adver_timer_ = now + settings_.advert_interval * kCentisecond;
}

void VirtualRouter::configure(Time now, const RouterSettings& settings) {
  const bool changed = settings.priority != settings_.priority || settings.advert_interval != settings_.advert_interval;
  settings_ = settings;
  if (!is_active() || !changed) return;
  output_.send_advert(priority());
  adver_timer_ = now + settings_.advert_interval * kCentisecond;
}

}  // namespace astil::ha
