// The daemon as one of a pair: what the election and flow sync are told, and what they are asked for.
#include <algorithm>
#include <memory>
#include <utility>

#include "control/app/daemon.hpp"
#include "control/app/handover.hpp"
#include "control/app/pair_status.hpp"
#include "control/base/log.hpp"
#include "control/config/digest.hpp"

namespace astil::app {
namespace {

/// Beside the adverts' interval: how long the other node may take until it is heard to be active.
constexpr std::chrono::milliseconds kAdvertPatience{3000};

/// How long an engine may forward nothing while it opens its ports anew.
constexpr std::chrono::seconds kChangeOfPlan{3};

}  // namespace

/// Before a publication the addresses of services that go are taken away; those of services that come are there only
/// after it.
Result<void> Daemon::follow_pair(PairStep step) {
  std::set<config::address> without;
  std::set<config::address> served;
  for (const config::Service& service : model_.services) {
    const bool is_withdrawn = withdrawn_.contains(service.name);
    const bool comes = step == PairStep::before_publication && !forwarded_.contains(service.host);
    if (!is_withdrawn && !comes) served.insert(service.host);
    if (is_withdrawn || comes) without.insert(service.host);
  }
  for (const config::address& host : served) without.erase(host);  // another service has it, and is well
  if (step == PairStep::before_publication) note_peer_table();
  return pair_->follow(model_, without);
}

/// Whether packets of all services are forwarded: a node that can not do that has no business with the addresses. An
/// interface that is not there takes no packets to anybody else; that it is missed, groups on it and tracks say.
void Daemon::tell_engine() {
  if (!model_.ha) return;
  const auto attachments = path_->engine().attachments();
  const bool attached = !attachments.empty() && std::ranges::all_of(model_.interfaces, [&](const std::string& name) {
    const auto link = network_->link(name);
    return !link || std::ranges::find(attachments, link->ifindex, &dataplane::Attachment::ifindex) != attachments.end();
  });
  const auto now = std::chrono::steady_clock::now();
  if (attached && path_->engine().forwarding_since()) {
    forwarded_last_ = now;
    engine_was_dead_ = false;
    if (is_placed_) pair_->set_engine(Pair::Engine::forwards, engine_proof(model_));
    return;
  }
  // A backup that opens its ports anew hears no adverts meanwhile.
  // With other cores astil-dpdk starts anew: one look may find it gone.
  const bool was_dead = std::exchange(engine_was_dead_, path_->engine().is_dead());
  const bool may_go_on = attached && !(was_dead && engine_was_dead_) && pair_->is_active() && forwarded_last_ &&
                         now - *forwarded_last_ < kChangeOfPlan;
  if (!may_go_on) pair_->set_engine(Pair::Engine::stopped, engine_proof(model_));
}

/// So that each node knows whether the other one is configured alike.
void Daemon::tell_digest() {
  if (!model_.ha) return;
  const auto text = history_->text(history_->running());
  if (text.has_value()) pair_->set_digest(config::digest_of_shared(*text));
}

/// After the first publication, since flows come by the names of backends.
Result<void> Daemon::follow_sync() {
  auto followed = path_->sync().follow(path_->engine(), model_, [this] { note_peer_table(); });
  path_->sync().set_active(pair_->is_active());
  note_peer_table();
  return followed;
}

/// What waits for the other node's flows is told whether they are here.
void Daemon::note_peer_table() {
  const bool is_wanted = model_.ha && model_.ha->sync;
  const bool is_here = !is_wanted || (path_->sync().runs() && path_->sync().has_peer_table());
  pair_->gate().set(is_here ? TakeoverGate::Table::complete : TakeoverGate::Table::incomplete);
}

/// Groups whose state changes with this one's.
std::vector<const config::VrrpGroup*> Daemon::together_with(const config::VrrpGroup& group) const {
  std::vector<const config::VrrpGroup*> together;
  for (const config::VrrpGroup& other : model_.ha->groups) {
    if (&other == &group || (group.sync_group && other.sync_group == group.sync_group)) together.push_back(&other);
  }
  return together;
}

/// The groups that an order is about; all that this node has where it names no address.
Result<std::vector<const config::VrrpGroup*>> Daemon::groups_of(const api::HandoverOrder& order) const {
  std::vector<const config::VrrpGroup*> groups;
  for (const config::VrrpGroup& group : model_.ha->groups) {
    if (!order.address) {
      if (pair_->owner_of(group.name) == Handover::Owner::here) groups.push_back(&group);
    } else if (std::ranges::find(group.addresses, *order.address) != group.addresses.end()) {
      groups = together_with(group);
    }
  }
  if (!order.address) return groups;
  const std::string host = order.address->to_string();
  if (groups.empty()) return Error{host + " is in none of ha.groups", "astil ha status shows the groups' addresses"};
  std::string others;
  for (const config::VrrpGroup* group : groups) {
    for (const config::address& other : group->addresses) {
      if (other != *order.address) others += (others.empty() ? "" : ", ") + other.to_string();
    }
  }
  if (!others.empty() && !order.with_group)
    return Error{host + " is of group '" + groups.front()->name + "', and with it go " + others,
                 "add --with-group if that is right; an address that is to go alone needs a group of its own"};
  return groups;
}

/// Whether the other node would take the groups, as far as its heartbeats tell.
Result<void> Daemon::is_peer_ready(const std::vector<const config::VrrpGroup*>& groups) const {
  if (!model_.ha->heartbeat) return {};
  if (!pair_->report() || pair_->report()->head.heartbeats_alive == 0)
    return Error{"the other node is not heard: its heartbeats do not come", "see astil ha status"};
  for (const config::VrrpGroup* group : groups) {
    const std::string state = name_of_peer_state(pair_->peer_state_of(group->name));
    if (state.empty() || state == "backup" || state == "active") continue;
    return Error{"the other node can not take the group '" + group->name +
                     "': " + (state == "none" ? "it has no such group" : "there its state is " + state),
                 "see astil ha status there"};
  }
  return {};
}

/// Whether all is there already; or why it can not be.
Result<bool> Daemon::is_handed_over(const api::HandoverOrder& order,
                                    const std::vector<const config::VrrpGroup*>& groups) const {
  const auto all = [&](Handover::Owner owner) {
    return std::ranges::all_of(groups, [&](const auto* group) { return pair_->owner_of(group->name) == owner; });
  };
  const std::string peer = pair_->report() ? std::string(pair_->report()->head.peer_node.view()) : "";
  const std::string here = model_.ha->node;
  const bool is_here = !groups.empty() && all(Handover::Owner::here);
  if (order.to == here) {
    if (is_here) return true;
    return Error{"this node has not got it",
                 "say the same to the node that has it: that one knows when it has no flows left to tell"};
  }
  if (!order.to.empty() && peer.empty())
    return Error{"the other node's name is not known", "its heartbeats tell it: see ha.heartbeat, and astil ha status"};
  if (!order.to.empty() && order.to != peer)
    return Error{"there is no node '" + order.to + "' beside this one", "the other one is '" + peer + "'"};
  if (!order.to.empty() && all(Handover::Owner::other)) return true;
  if (!is_here) return Error{"this node is not active", "say it to the node that has the addresses"};
  if (auto ready = is_peer_ready(groups); ready.has_error()) return ready.error();
  const auto sync = path_->sync().status();
  if (!sync) return Error{"nothing brings flows to the other node", "set ha.sync on both nodes"};
  if (!sync->up) return Error{"the other node is not heard", "see astil ha status"};
  if (!sync->peer_has_table)
    return Error{"the other node has not got this node's flows yet", "try again soon; see astil ha status"};
  return false;
}

/// Flows first, then the addresses: what comes between is told within ha.sync.interval.
api::Awaited<api::HandoverView> Daemon::handover(const api::HandoverOrder& order) {
  const auto refuse = [](const Error& why) {
    return [why]() -> std::optional<Result<api::HandoverView>> { return why; };
  };
  if (!model_.ha) return refuse({"this balancer is alone", "make it one of a pair with ha: in its configuration"});
  const auto groups = groups_of(order);
  if (groups.has_error()) return refuse(groups.error());
  const auto done = is_handed_over(order, *groups);
  if (done.has_error()) return refuse(done.error());
  api::HandoverView view{.node = order.to};
  if (view.node.empty()) view.node = pair_->report()->head.peer_node.view();
  std::chrono::milliseconds interval{0};
  for (const config::VrrpGroup* group : *groups) {
    view.groups.push_back(group->name);
    view.addresses.insert(view.addresses.end(), group->addresses.begin(), group->addresses.end());
    interval = std::max(interval, group->advert_interval);
  }
  view.was_there = *done;
  if (*done) return [view]() -> std::optional<Result<api::HandoverView>> { return view; };
  log::info("handover begins", {{"groups", view.groups.size()}, {"to", view.node}});
  Handover::Hands hands{
      .now = Handover::Clock::now,
      .has_flows_since = [this](Handover::Clock::time_point time) { return path_->sync().told_since(time); },
      .step_down = [this, time = order.for_so_long](
                       const std::vector<std::string>& names) { return pair_->order_step_down(names, time); },
      .is_answered = [this](std::uint32_t number) { return pair_->is_answered(number); },
      .owner_of = [this](const std::string& group) { return pair_->owner_of(group); }};
  const auto under_way = std::make_shared<Handover>(std::move(hands), std::move(view), kAdvertPatience + 2 * interval);
  return [this, under_way] {
    auto ended = under_way->step();
    if (ended) note_handover(*ended);
    return ended;
  };
}

void Daemon::note_handover(const Result<api::HandoverView>& ended) {
  if (ended.has_error()) {
    ++handovers_failed_;
    log::error("not handed over", {{"error", ended.error().text()}});
    return;
  }
  ++handovers_;
  const auto milliseconds = static_cast<std::uint64_t>(ended->seconds * 1000);
  log::info("handed over", {{"groups", ended->groups.size()}, {"to", ended->node}, {"ms", milliseconds}});
}

/// Changes of the groups' states, and of what takes from their priorities.
void Daemon::note_pair() {
  if (!model_.ha) return;
  for (const api::GroupView& group : pair_view(*pair_, *model_.ha, path_->sync()).groups) {
    event_log_.change(api::EventKind::group,
                      {.group = group.name,
                       .after = group.state,
                       .reason = group.cause + ", priority " + std::to_string(group.priority)},
                      "stopped");
    for (const api::TrackView& track : group.tracks) {
      if (track.state == "unknown") continue;
      event_log_.change(api::EventKind::track,
                        {.group = group.name,
                         .track = track.name,
                         .after = track.state,
                         .reason = track.type + " " + track.what + (track.error.empty() ? "" : ": " + track.error)},
                        "well");
    }
  }
}

}  // namespace astil::app
