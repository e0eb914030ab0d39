#include "control/app/pair_status.hpp"

#include <algorithm>
#include <numeric>

#include "control/config/keys_ha.hpp"

namespace astil::app {
namespace {

/// CLOCK_MONOTONIC, which the steady clock is, on the wall's clock.
api::TimePoint on_wall(std::uint64_t monotonic) {
  const std::chrono::steady_clock::time_point then{std::chrono::nanoseconds(monotonic)};
  const auto ago = std::chrono::steady_clock::now() - then;
  return std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(ago);
}

double seconds(std::uint64_t nanoseconds) {
  return std::chrono::duration<double>(std::chrono::nanoseconds(nanoseconds)).count();
}

/// What is counted still, as opposed to what was once: a problem, and not its memory.
bool is_recent(std::uint64_t changed) {
  constexpr std::chrono::seconds kRecent{15};
  const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
  return changed != 0 && now - std::chrono::nanoseconds(changed) < kRecent;
}

template <class Reason, std::size_t kReasons>
std::vector<api::AdvertDropView> drops_of(const std::array<std::uint64_t, kReasons>& counts,
                                          const std::array<std::uint64_t, kReasons>& changes) {
  std::vector<api::AdvertDropView> drops;
  for (std::size_t i = 0; i < counts.size(); ++i)
    drops.push_back({std::string(to_string(static_cast<Reason>(i))), counts[i], is_recent(changes[i])});
  return drops;
}

api::GroupView group_view(const ha::GroupRecord& group, const ha::GroupReport& report, const ha::GroupReport& changes) {
  api::GroupView view{.name = std::string(group.name.view()),
                      .interface = std::string(group.interface.view()),
                      .virtual_router_id = group.virtual_router_id};
  for (std::size_t i = 0; i < group.address_count; ++i) view.addresses.push_back(from_record(group.addresses[i]));
  view.state = to_string(report.state);
  view.cause = to_string(report.cause);
  view.since = on_wall(report.since);
  view.priority = report.priority;
  view.configured_priority = report.configured_priority;
  if (report.peer.version != 0) view.peer = from_record(report.peer).to_string();
  view.peer_priority = report.peer_priority;
  view.waits_for_flows = report.waits_for_table != 0;
  view.two_active = report.two_active != 0;
  view.transitions = report.transitions;
  view.takeovers = report.takeovers;
  if (report.takeovers != 0) view.last_takeover_seconds = seconds(report.takeover_nanoseconds);
  view.adverts_sent = report.adverts_sent;
  view.adverts_received = report.adverts_received;
  view.send_errors = report.send_errors;
  view.announcements = report.announcements;
  view.takeovers_without_flows = report.table_limits;
  view.conflicts = report.conflicts;
  view.address_errors = report.address_errors;
  view.drops = drops_of<ha::AdvertDrop>(report.drops, changes.drops);
  view.peer_state = name_of_peer_state(report.peer_state);
  view.hears_active = report.peer_is_active != 0;
  view.held_back = report.held_back != 0;
  view.send_fails = is_recent(changes.send_errors);
  return view;
}

/// An interface is followed by astil-vrrp, so that its report tells how it is; all else here.
std::vector<api::TrackView> track_views(const config::VrrpGroup& group, const ha::GroupReport& report,
                                        const Tracks& tracks) {
  std::vector<api::TrackView> views;
  for (std::size_t i = 0; i < group.track.size(); ++i) {
    const config::Track& track = group.track[i];
    const Tracks::Known known = tracks.known(group.name, track.name);
    api::TrackView view{.name = track.name,
                        .type = config::kTrackTypes.show(track.type),
                        .what = subject_of(track),
                        .state = "unknown",
                        .error = known.error,
                        .subtract = track.subtract,
                        .subtracts = ((report.failing_tracks >> i) & 1U) != 0,
                        .passed = known.counters.passed,
                        .failed = known.counters.failed,
                        .not_made = known.counters.not_made,
                        .changes = known.counters.transitions};
    if (track.type == config::TrackType::interface) {
      view.state = view.subtracts ? "failing" : "well";
      if (view.subtracts) view.error = "it is down, has no carrier, or is not there";
    } else if (known.health != health::Health::unknown) {
      view.state = known.health == health::Health::up ? "well" : "failing";
    }
    views.push_back(std::move(view));
  }
  return views;
}

bool is_recent(const std::vector<api::AdvertDropView>& drops, std::string_view reason) {
  const auto found = std::ranges::find(drops, reason, &api::AdvertDropView::reason);
  return found != drops.end() && found->recent;
}

std::string number_of(const api::GroupView& group) {
  return "VRID " + std::to_string(group.virtual_router_id) + " on " + group.interface;
}

/// Who is active, and who should be.
void add_election_problems(const api::GroupView& group, std::vector<api::ProblemView>& problems) {
  const std::string who = "group " + group.name;
  if (group.two_active)
    problems.push_back({who + " is active here and on another node: clients reach one or the other",
                        "see why adverts do not get through on " + group.interface});
  if (group.state == "fault")
    problems.push_back({who + " can not be active: " + group.interface +
                            ", or an interface of its sync group, is down or has no address",
                        "ip address show " + group.interface});
  if (group.state == "stopped")
    problems.push_back({who + " can not be active: this node does not forward packets", "see astil status"});
  if (group.peer_state == "none")
    problems.push_back(
        {who + " is not known to the other node, by its number (" + number_of(group) + ") and IP version",
         "compare the groups of the two nodes"});
  if (group.held_back)
    problems.push_back(
        {who + " hears nobody, and another one of its sync group hears who is active: it takes nothing",
         "see the network of " + group.interface + " between the nodes, and whether both have the group"});
  // A moment is needed to become it.
  const bool settled = std::chrono::system_clock::now() - group.since > std::chrono::seconds(3);
  const bool is_strange = !group.peer_state.empty() && group.peer_state != "active";
  if (group.state == "backup" && group.hears_active && is_strange && settled && !group.held_back)
    problems.push_back({who + " yields to " + group.peer + ", with priority " + std::to_string(group.peer_priority) +
                            ", which is not the other node",
                        "another router has " + number_of(group) + ": change one of the two, or set authenticate"});
  if (group.waits_for_flows)
    problems.push_back({who + " waits for the other node's flows before it takes over", "see astil ha status"});
}

void add_track_problems(const api::GroupView& group, std::vector<api::ProblemView>& problems) {
  const std::string who = "group " + group.name;
  for (const api::TrackView& track : group.tracks) {
    if (track.state == "unknown" && track.not_made != 0)
      problems.push_back(
          {who + " has a track '" + track.name + "' that can not be looked at (" + track.type + " " + track.what + ")",
           "the log says why"});
    if (track.subtracts && track.state != "unknown")
      problems.push_back({who + " has " + std::to_string(track.subtract) + " less priority: its track '" + track.name +
                              "' fails (" + track.type + " " + track.what +
                              (track.error.empty() ? "" : ": " + track.error) + ")",
                          "see astil ha status on both nodes"});
  }
}

/// What does not come through, now.
void add_advert_problems(const api::GroupView& group, std::vector<api::ProblemView>& problems) {
  const std::string who = "group " + group.name;
  // What could not be sent while the link went down is no riddle.
  const bool settled = std::chrono::system_clock::now() - group.since > std::chrono::seconds(20);
  if (group.send_fails && settled && group.state == "active")
    problems.push_back({who + " has adverts, or announcements, that can not be sent",
                        "ip -s link show " + group.interface + "; its MTU may be too small for so many addresses"});
  if (is_recent(group.drops, "checksum_kind"))
    problems.push_back(
        {who + " hears adverts whose checksum is of the other kind", "set checksum of both nodes alike"});
  if (is_recent(group.drops, "addresses"))
    problems.push_back({who + " hears adverts with other addresses than its own",
                        "compare the files of the two nodes; a service may be withdrawn on one of them"});
  if (is_recent(group.drops, "wrong_code") || is_recent(group.drops, "unauthenticated"))
    problems.push_back(
        {who + " hears adverts that are not authentic", "compare authenticate and the keys of the two nodes"});
  if (is_recent(group.drops, "replayed"))
    problems.push_back({who + " hears adverts that are older than others it had: they are dropped",
                        "the other node's clock was set back, or somebody sends recordings: synchronise the clocks"});
}

void add_path_problems(const api::PairView& view, std::vector<api::ProblemView>& problems) {
  for (const api::PathView& path : view.paths) {
    if (is_recent(path.drops, "own_name"))
      problems.push_back({"on path " + path.name + " a node calls itself " + view.node + ", as this one does",
                          "give each of the two another ha.node"});
    else if (!path.alive && is_recent(path.drops, "replayed"))
      problems.push_back(
          {"on path " + path.name + " come heartbeats that are older than others it had: they are dropped",
           "the other node's clock is behind, or somebody sends recordings: synchronise the clocks"});
    else if (is_recent(path.drops, "unauthentic"))
      problems.push_back({"on path " + path.name + " come heartbeats that are not authentic",
                          "compare the keys, and the versions, of the two nodes"});
    else if (view.heartbeats_alive && !path.alive)
      problems.push_back({"path " + path.name + " to the other node is silent", "ping " + path.peer.to_string()});
  }
}

api::SyncView sync_view(const FlowSync& sync) {
  const auto status = sync.status();
  if (!status) return {};
  const auto in_seconds = [](std::chrono::milliseconds time) { return std::chrono::duration<double>(time).count(); };
  api::SyncView view{.up = status->up,
                     .has_peer_table = status->has_peer_table,
                     .peer_has_table = status->peer_has_table,
                     .pending = status->pending,
                     .lag_seconds = in_seconds(status->lag),
                     .peer_pending = status->peer_pending,
                     .peer_lag_seconds = in_seconds(status->peer_lag),
                     .sessions = status->session.sessions,
                     .sent_datagrams = status->session.sent,
                     .sent_bytes = status->session.sent_bytes,
                     .send_errors = status->session.send_errors,
                     .received_datagrams = status->session.received,
                     .received_bytes = status->session.received_bytes,
                     .lost_datagrams = status->session.lost,
                     .bandwidth_limited = status->session.held_back,
                     .sent_flows = status->outgoing.flows,
                     .sent_ports = status->outgoing.ports,
                     .rekeyed = status->rekeyed,
                     .rekey_lost = status->rekey_lost,
                     .walk_seconds = seconds(status->walk_nanoseconds)};
  if (status->full.count() != 0) view.full_seconds = in_seconds(status->full);
  if (status->ring_digest != 0 && status->peer_ring_digest != 0)
    view.same_rings = status->ring_digest == status->peer_ring_digest;
  for (std::size_t i = 0; i < status->records.size(); ++i)
    view.records.push_back({ha::sync::to_string(static_cast<ha::sync::Fate>(i)), status->records[i]});
  for (std::size_t i = 0; i < status->session.dropped.size(); ++i)
    view.dropped.push_back({ha::sync::to_string(static_cast<ha::sync::Drop>(i)), status->session.dropped[i]});
  return view;
}

void add_sync_problems(const api::SyncView& sync, std::vector<api::ProblemView>& problems) {
  const auto count = [](const std::vector<api::SyncCountView>& counts, std::string_view what) {
    const auto found = std::ranges::find(counts, what, &api::SyncCountView::what);
    return found == counts.end() ? 0 : found->count;
  };
  if (!sync.up) {
    const bool keys = count(sync.dropped, "unknown_key") + count(sync.dropped, "unauthenticated") != 0;
    problems.push_back(
        {"no flow sync with the other node: connections would break if it took over",
         keys ? "compare the keys of the two nodes" : "see whether it is there, and ha.sync and ha.paths"});
    return;
  }
  if (sync.same_rings == false)
    problems.push_back(
        {"the rings of the two nodes differ: what is not in the flow table yet may have another backend there",
         "compare the files of the two nodes, and the health of the backends"});
}

}  // namespace

std::string name_of_peer_state(std::uint8_t state) {
  if (state == ha::kPeerStateUnknown || state > ha::kPeerHasNone) return "";
  if (state == ha::kPeerHasNone) return "none";
  return std::string(to_string(static_cast<ha::GroupState>(state - 1)));
}

api::PairView pair_view(const Pair& pair, const config::Ha& ha, const FlowSync& sync) {
  api::PairView view{.node = ha.node, .peer_node = ""};
  view.starts = pair.starts();
  view.hooks = pair.notified();
  view.has_heartbeats = ha.heartbeat.has_value();
  view.flows_complete = pair.gate().table() == TakeoverGate::Table::complete;
  if (ha.sync) view.sync = sync_view(sync);
  const auto& report = pair.report();
  if (!report) return view;
  view.runs = true;
  view.peer_node = report->head.peer_node.view();
  view.real_time = report->head.real_time != 0;
  view.late_seconds = seconds(report->head.late_nanoseconds);
  view.heartbeats_alive = report->head.heartbeats_alive != 0;
  if (pair.digest() != 0 && view.heartbeats_alive && report->head.peer_digest != 0)
    view.same_configuration = report->head.peer_digest == pair.digest();
  const ha::Report& changes = pair.changes();
  view.drops = drops_of<ha::AdvertDrop>(report->head.drops, changes.head.drops);
  const ha::Configuration& plan = pair.plan();
  for (std::size_t i = 0; i < std::min(plan.groups.size(), report->groups.size()); ++i) {
    api::GroupView& group = view.groups.emplace_back(group_view(plan.groups[i], report->groups[i], changes.groups[i]));
    const auto config = std::ranges::find(ha.groups, group.name, &config::VrrpGroup::name);
    if (config != ha.groups.end()) group.tracks = track_views(*config, report->groups[i], pair.tracks());
  }
  for (std::size_t i = 0; i < std::min(plan.paths.size(), report->paths.size()); ++i) {
    const ha::PathReport& path = report->paths[i];
    const std::uint64_t dropped = std::accumulate(path.drops.begin(), path.drops.end(), std::uint64_t{0});
    view.paths.push_back({.name = std::string(plan.paths[i].name.view()),
                          .local = from_record(plan.paths[i].local),
                          .peer = from_record(plan.paths[i].peer),
                          .alive = path.alive != 0,
                          .sent = path.sent,
                          .received = path.received,
                          .dropped = dropped,
                          .losses = path.losses,
                          .drops = drops_of<ha::HeartbeatDrop>(path.drops, changes.paths[i].drops)});
  }
  return view;
}

std::vector<api::ProblemView> pair_problems(const api::PairView& view) {
  std::vector<api::ProblemView> problems;
  if (!view.runs)
    return {{"astil-vrrp does not run, or does not answer: which addresses this node has is not known", "see the log"}};
  for (const api::GroupView& group : view.groups) {
    add_election_problems(group, problems);
    add_track_problems(group, problems);
    add_advert_problems(group, problems);
  }
  if (view.same_configuration == false)
    problems.push_back({"services, names, timeouts or groups are not configured as on the other node",
                        "compare the files of the two nodes, and apply the newer one on both"});
  if (view.sync) add_sync_problems(*view.sync, problems);
  if (view.has_heartbeats && !view.heartbeats_alive)
    problems.push_back({"no heartbeats of the other node on any path", "see whether it is there, and its key"});
  add_path_problems(view, problems);
  if (!view.real_time)
    problems.push_back({"astil-vrrp is not scheduled in real time: a busy host may delay its adverts",
                        "give the service CAP_SYS_NICE and CAP_IPC_LOCK"});
  return problems;
}

}  // namespace astil::app
