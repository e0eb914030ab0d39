#include "control/ha/vrrp/election.hpp"

#include <algorithm>
#include <utility>

namespace astil::ha {

bool Election::together(const Group& one, const Group& other) const {
  return &one == &other || (!one.setup.sync_group.empty() && one.setup.sync_group == other.setup.sync_group);
}

void Election::configure(Time now, const std::vector<GroupSetup>& setups,
                         const std::function<Output&(const GroupKey& key)>& output_of) {
  std::vector<Group> before = std::exchange(groups_, {});
  for (const GroupSetup& setup : setups) {
    const auto same = std::find_if(before.begin(), before.end(), [&](const Group& group) {
      return group.router != nullptr && group.setup.key == setup.key;
    });
    if (same == before.end()) {
      auto router = std::make_unique<VirtualRouter>(setup.router, output_of(setup.key));
      router->set_gate(gate_open_);
      groups_.push_back({.setup = setup, .router = std::move(router), .local = {}});
      continue;
    }
    same->setup = setup;
    same->router->configure(now, setup.router);
    groups_.push_back(std::move(*same));
  }
  for (const Group& gone : before) {
    if (gone.router != nullptr) gone.router->shutdown(now, Cause::reconfigured);
  }
  follow_penalties(now);
  follow(now);
}

GroupState Election::state(std::size_t group) const {
  const Group& one = groups_[group];
  if (one.router->is_active()) return GroupState::active;
  if (one.router->is_running()) return GroupState::backup;
  return engine_ ? GroupState::fault : GroupState::stopped;
}

std::optional<std::size_t> Election::find(const GroupKey& key) const {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (groups_[i].setup.key == key) return i;
  }
  return std::nullopt;
}

void Election::set_engine(Time now, bool healthy, Cause cause) {
  engine_ = healthy;
  engine_cause_ = cause;
  follow(now);
}

void Election::set_link(Time now, std::size_t group, std::optional<address> local) {
  Group& one = groups_[group];
  // Another address than before: the ranking among equals changes, so it begins anew.
  if (one.local && local && *one.local != *local) {
    one.local.reset();
    follow(now);
  }
  one.local = std::move(local);
  follow(now);
}

void Election::set_penalty(Time now, std::size_t group, unsigned subtract) {
  groups_[group].penalty = subtract;
  follow_penalties(now);
}

void Election::follow_penalties(Time now) {
  for (const Group& group : groups_) {
    unsigned sum = 0;
    for (const Group& other : groups_) sum += together(group, other) ? other.penalty : 0;
    group.router->set_penalty(now, sum);
  }
}

void Election::set_gate(bool open) {
  gate_open_ = open;
  for (const Group& group : groups_) group.router->set_gate(open);
}

void Election::on_advert(Time now, std::size_t group, const Advert& advert, const address& sender) {
  groups_[group].router->on_advert(now, advert, sender);
  follow(now);
}

void Election::on_foreign_announcement(Time now, std::size_t group) {
  groups_[group].router->on_foreign_announcement(now);
}

void Election::on_peer_state(Time now, std::size_t group, VirtualRouter::PeerState state) {
  groups_[group].router->on_peer_state(now, state);
}

void Election::on_peer_gone(Time now, Time silent_since, Cause cause, const std::vector<std::size_t>& active_there) {
  for (const std::size_t group : active_there) {
    const bool is_held = std::ranges::any_of(groups_, [&](const Group& other) {
      return together(groups_[group], other) && other.router->yielded_since(silent_since);
    });
    if (!is_held) groups_[group].router->on_peer_gone(now, silent_since, cause);
  }
  follow(now);
}

void Election::step_down(Time now, const std::vector<std::size_t>& groups, std::optional<milliseconds> for_so_long) {
  for (const Group& group : groups_) {
    const bool is_meant =
        std::any_of(groups.begin(), groups.end(), [&](std::size_t each) { return together(group, groups_[each]); });
    if (is_meant) group.router->step_down(now, for_so_long);
  }
  follow(now);
}

/// While another of its sync group yields to somebody, this one would lose the addresses again with the next advert.
void Election::hold_back(Time now, Group& group) {
  if (!group.router->is_due(now)) return;
  group.held_until = Time{0};
  for (const Group& other : groups_) {
    if (&other == &group || !together(group, other)) continue;
    const auto until = other.router->yields_until();
    if (until && *until > now) group.held_until = std::max(group.held_until, *until);
  }
  group.router->wait_until(group.held_until);
}

bool Election::is_held_back(std::size_t group, Time now) const {
  const Group& one = groups_[group];
  const auto own = one.router->yields_until();
  return state(group) == GroupState::backup && now <= one.held_until && !(own && *own > now);
}

void Election::forgive(Time now, Time late) {
  for (const Group& group : groups_) group.router->forgive(now, late);
}

void Election::on_time(Time now) {
  for (Group& group : groups_) {
    hold_back(now, group);
    group.router->on_time(now);
  }
  follow(now);
}

std::optional<Time> Election::deadline() const {
  std::optional<Time> first;
  for (const Group& group : groups_) {
    const auto deadline = group.router->deadline();
    if (deadline && (!first || *deadline < *first)) first = deadline;
  }
  return first;
}

bool Election::can_run(const Group& group) const {
  return engine_ && std::all_of(groups_.begin(), groups_.end(),
                                [&](const Group& other) { return !together(group, other) || other.local.has_value(); });
}

Cause Election::why_not(const Group& group) const {
  if (!engine_) return engine_cause_;
  return group.local ? Cause::sync_group : Cause::interface_down;
}

void Election::follow(Time now) {
  follow_conditions(now);
  follow_sync_groups(now);
}

void Election::follow_conditions(Time now) {
  for (const Group& group : groups_) {
    const bool can = can_run(group);
    if (!can) group.router->shutdown(now, why_not(group));
    if (can && !group.router->is_running()) group.router->startup(now, *group.local, Cause::start);
  }
}

/// One that has given up takes the others with it; else one that has taken over does.
void Election::follow_sync_groups(Time now) {
  for (Group& group : groups_) {
    const auto any = [&](auto&& holds) {
      return std::any_of(groups_.begin(), groups_.end(),
                         [&](const Group& other) { return together(group, other) && holds(other); });
    };
    const bool gave_up = any([](const Group& other) { return other.was_active && !other.router->is_active(); });
    const bool took_over = any([](const Group& other) { return !other.was_active && other.router->is_active(); });
    if (gave_up) {
      group.router->force_backup(now);
    } else if (took_over) {
      group.router->force_active(now);
    }
  }
  for (Group& group : groups_) group.was_active = group.router->is_active();
}

}  // namespace astil::ha
