// The declarations of a pair's metrics.
#include "control/api/metric.hpp"

namespace astil::api {
namespace {

using prometheus::MetricType;

/// Every group of a pair.
auto each_group(double (*value)(const GroupView&)) {
  return [value](const MetricsSource& source, const Emit& emit) {
    if (!source.status.pair) return;
    for (const auto& group : source.status.pair->groups) emit({group.name}, value(group));
  };
}

auto each_path(double (*value)(const PathView&)) {
  return [value](const MetricsSource& source, const Emit& emit) {
    if (!source.status.pair) return;
    for (const auto& path : source.status.pair->paths) emit({path.name}, value(path));
  };
}

void collect_path_drops(const MetricsSource& source, const Emit& emit) {
  if (!source.status.pair) return;
  for (const auto& path : source.status.pair->paths) {
    for (const auto& drop : path.drops) emit({path.name, drop.reason}, number(drop.count));
  }
}

void collect_group_states(const MetricsSource& source, const Emit& emit) {
  if (!source.status.pair) return;
  for (const auto& group : source.status.pair->groups) {
    for (const char* state : {"stopped", "fault", "backup", "active"})
      emit({group.name, state}, group.state == state ? 1 : 0);
  }
}

auto each_track(double (*value)(const TrackView&)) {
  return [value](const MetricsSource& source, const Emit& emit) {
    if (!source.status.pair) return;
    for (const auto& group : source.status.pair->groups) {
      for (const auto& track : group.tracks) emit({group.name, track.name}, value(track));
    }
  };
}

void collect_track_states(const MetricsSource& source, const Emit& emit) {
  if (!source.status.pair) return;
  for (const auto& group : source.status.pair->groups) {
    for (const auto& track : group.tracks) {
      if (track.state != "unknown") emit({group.name, track.name}, track.state == "well" ? 1 : 0);
    }
  }
}

void collect_track_probes(const MetricsSource& source, const Emit& emit) {
  if (!source.status.pair) return;
  for (const auto& group : source.status.pair->groups) {
    for (const auto& track : group.tracks) {
      if (track.type != "gateway" && track.type != "exec") continue;
      emit({group.name, track.name, "passed"}, number(track.passed));
      emit({group.name, track.name, "failed"}, number(track.failed));
      emit({group.name, track.name, "not_made"}, number(track.not_made));
    }
  }
}

void collect_takeover_times(const MetricsSource& source, const Emit& emit) {
  if (!source.status.pair) return;
  for (const auto& group : source.status.pair->groups) {
    if (group.last_takeover_seconds) emit({group.name}, *group.last_takeover_seconds);
  }
}

void collect_advert_drops(const MetricsSource& source, const Emit& emit) {
  if (!source.status.pair) return;
  for (const auto& group : source.status.pair->groups) {
    for (const auto& drop : group.drops) emit({group.name, drop.reason}, number(drop.count));
  }
  for (const auto& drop : source.status.pair->drops) emit({"", drop.reason}, number(drop.count));
}

void collect_handovers(const MetricsSource& source, const Emit& emit) {
  if (!source.status.pair) return;
  emit({"done"}, number(source.status.pair->handovers));
  emit({"failed"}, number(source.status.pair->handovers_failed));
}

auto once_of_pair(double (*value)(const PairView&)) {
  return [value](const MetricsSource& source, const Emit& emit) {
    if (source.status.pair) emit({}, value(*source.status.pair));
  };
}

}  // namespace

std::vector<Metric> pair_metrics() {
  const std::vector<std::string_view> kGroup{"group"};
  const std::vector<std::string_view> kPath{"path"};
  const std::vector<std::string_view> kTrack{"group", "track"};
  return {
      {"astil_ha_election_up",
       MetricType::Gauge,
       "1 if astil-vrrp runs, else 0; absent where the balancer is alone.",
       {},
       once_of_pair([](const PairView& p) { return p.runs ? 1.0 : 0.0; })},
      {"astil_ha_election_starts_total",
       MetricType::Counter,
       "Times that the daemon started astil-vrrp.",
       {},
       once_of_pair([](const PairView& p) { return number(p.starts); })},
      {"astil_ha_real_time",
       MetricType::Gauge,
       "1 if astil-vrrp is scheduled in real time and its memory locked, else 0.",
       {},
       once_of_pair([](const PairView& p) { return p.real_time ? 1.0 : 0.0; })},
      {"astil_ha_late_seconds",
       MetricType::Gauge,
       "The most that one of its timers was late since it was started.",
       {},
       once_of_pair([](const PairView& p) { return p.late_seconds; })},
      {"astil_ha_flows_complete",
       MetricType::Gauge,
       "1 if the other node's flows are here, or nobody brings them, else 0.",
       {},
       once_of_pair([](const PairView& p) { return p.flows_complete ? 1.0 : 0.0; })},
      {"astil_ha_heartbeats_alive",
       MetricType::Gauge,
       "1 if the other node's heartbeats come on any path, else 0.",
       {},
       once_of_pair([](const PairView& p) { return p.heartbeats_alive ? 1.0 : 0.0; })},
      {"astil_ha_same_configuration",
       MetricType::Gauge,
       "1 if services, names and timeouts are configured as on the other node or not known to differ, else 0.",
       {},
       once_of_pair([](const PairView& p) { return p.same_configuration.value_or(true) ? 1.0 : 0.0; })},
      {"astil_ha_handovers_total",
       MetricType::Counter,
       "Handovers and moves of addresses by order, by how they ended; those that were refused at once do not count.",
       {"result"},
       collect_handovers},
      {"astil_ha_group_state",
       MetricType::Gauge,
       "1 for the state that the group is in, 0 for the others.",
       {"group", "state"},
       collect_group_states},
      {"astil_ha_group_priority", MetricType::Gauge, "The priority in force.", kGroup,
       each_group([](const GroupView& g) { return double(g.priority); })},
      {"astil_ha_track_well", MetricType::Gauge,
       "1 if what the group tracks is well, 0 if it is not; absent until it has been looked at.", kTrack,
       collect_track_states},
      {"astil_ha_track_subtracted", MetricType::Gauge, "What it takes from the group's priority now.", kTrack,
       each_track([](const TrackView& t) { return t.subtracts ? double(t.subtract) : 0.0; })},
      {"astil_ha_track_changes_total", MetricType::Counter,
       "Changes of its state, the first one included; of interfaces none are counted.", kTrack,
       each_track([](const TrackView& t) { return number(t.changes); })},
      {"astil_ha_track_probes_total",
       MetricType::Counter,
       "Probes of gateways and commands, by result; those that were not made say nothing.",
       {"group", "track", "result"},
       collect_track_probes},
      {"astil_ha_group_transitions_total", MetricType::Counter, "Changes of the group's state.", kGroup,
       each_group([](const GroupView& g) { return number(g.transitions); })},
      {"astil_ha_group_takeovers_total", MetricType::Counter, "Changes to active.", kGroup,
       each_group([](const GroupView& g) { return number(g.takeovers); })},
      {"astil_ha_group_takeovers_without_flows_total", MetricType::Counter,
       "Takeovers from a living node although its flows were not here: takeover_limit had passed.", kGroup,
       each_group([](const GroupView& g) { return number(g.takeovers_without_flows); })},
      {"astil_ha_group_takeover_seconds", MetricType::Gauge,
       "The last takeover, from the last sign of the former active node to the addresses being here.", kGroup,
       collect_takeover_times},
      {"astil_ha_group_two_active", MetricType::Gauge, "1 if another node is active too, else 0.", kGroup,
       each_group([](const GroupView& g) { return g.two_active ? 1.0 : 0.0; })},
      {"astil_ha_group_conflicts_total", MetricType::Counter, "Times that another node was active too.", kGroup,
       each_group([](const GroupView& g) { return number(g.conflicts); })},
      {"astil_ha_adverts_sent_total", MetricType::Counter, "Adverts sent.", kGroup,
       each_group([](const GroupView& g) { return number(g.adverts_sent); })},
      {"astil_ha_adverts_received_total", MetricType::Counter, "Adverts received and taken.", kGroup,
       each_group([](const GroupView& g) { return number(g.adverts_received); })},
      {"astil_ha_advert_drops_total",
       MetricType::Counter,
       "Adverts that were dropped, by reason; `addresses` is counted, and not dropped. Without a group: of none here.",
       {"group", "reason"},
       collect_advert_drops},
      {"astil_ha_send_errors_total", MetricType::Counter, "Adverts and announcements that could not be sent.", kGroup,
       each_group([](const GroupView& g) { return number(g.send_errors); })},
      {"astil_ha_announcements_total", MetricType::Counter, "Gratuitous ARP and neighbour advertisements sent.", kGroup,
       each_group([](const GroupView& g) { return number(g.announcements); })},
      {"astil_ha_address_errors_total", MetricType::Counter, "Addresses that could not be added or removed.", kGroup,
       each_group([](const GroupView& g) { return number(g.address_errors); })},
      {"astil_ha_path_alive", MetricType::Gauge, "1 if heartbeats come on the path, else 0.", kPath,
       each_path([](const PathView& p) { return p.alive ? 1.0 : 0.0; })},
      {"astil_ha_path_sent_total", MetricType::Counter, "Heartbeats sent.", kPath,
       each_path([](const PathView& p) { return number(p.sent); })},
      {"astil_ha_path_received_total", MetricType::Counter, "Heartbeats received and taken.", kPath,
       each_path([](const PathView& p) { return number(p.received); })},
      {"astil_ha_path_dropped_total",
       MetricType::Counter,
       "Heartbeats dropped: not authentic, not newer than the last one, or from a node with this one's name.",
       {"path", "reason"},
       collect_path_drops},
      {"astil_ha_path_losses_total", MetricType::Counter, "Times that the path fell silent.", kPath,
       each_path([](const PathView& p) { return number(p.losses); })},
  };
}

}  // namespace astil::api
