#include "control/cli/render_pair.hpp"

namespace astil::cli {
namespace {

Tone tone_of(const api::GroupView& group) {
  if (group.two_active || group.state == "fault") return Tone::bad;
  if (group.state == "stopped") return Tone::warning;
  return group.state == "active" ? Tone::good : Tone::plain;
}

std::string milliseconds_text(double seconds) {
  const auto microseconds = static_cast<std::uint64_t>(seconds * 1e6);
  return std::to_string(microseconds / 1000) + "." + std::to_string(microseconds / 100 % 10) + " ms";
}

std::string addresses_text(const api::GroupView& group) {
  std::string text;
  for (const auto& host : group.addresses) text += (text.empty() ? "" : " ") + host.to_string();
  return text;
}

std::string state_text(const api::GroupView& group) {
  std::string text = group.state;
  if (group.two_active) text += ", another too";
  if (group.waits_for_flows) text += ", waits for flows";
  return text;
}

std::string priority_text(const api::GroupView& group) {
  std::string text = std::to_string(group.priority);
  if (group.priority != group.configured_priority) text += " of " + std::to_string(group.configured_priority);
  return text;
}

std::string age_text(api::TimePoint since, api::TimePoint now) {
  return duration_text(std::chrono::duration_cast<std::chrono::seconds>(now - since));
}

std::string drops_line(const std::string& of, const std::vector<api::AdvertDropView>& drops) {
  std::string text;
  for (const auto& drop : drops) {
    if (drop.count != 0) text += (text.empty() ? "" : ", ") + drop.reason + " " + count_text(drop.count);
  }
  return text.empty() ? "" : "  " + of + ": " + text + "\n";
}

std::string counts_line(const std::string& of, const std::vector<api::SyncCountView>& counts) {
  std::string text;
  for (const auto& each : counts) {
    if (each.count != 0) text += (text.empty() ? "" : ", ") + each.what + " " + count_text(each.count);
  }
  return text.empty() ? "" : "  " + of + ": " + text + "\n";
}

std::string tracks_text(const std::vector<api::GroupView>& groups, Colour colour) {
  Table tracks({{"TRACK"}, {"GROUP"}, {"STATE"}, {"TAKES", Align::right}, {"LOOKS AT"}, {"ERROR"}});
  bool any = false;
  for (const auto& group : groups) {
    for (const auto& track : group.tracks) {
      any = true;
      const Tone tone = track.state == "well" ? Tone::good : track.state == "failing" ? Tone::bad : Tone::warning;
      const std::string of = std::to_string(track.subtract);
      tracks.add({{track.name},
                  {group.name},
                  {track.state, tone},
                  {track.subtracts ? of : "0 of " + of},
                  {track.type + " " + printable(track.what)},
                  {printable(track.error)}});
    }
  }
  return any ? "\n" + tracks.text(colour) : "";
}

std::string sync_text(const api::SyncView& sync, Colour colour) {
  if (!sync.up)
    return "\nflow sync: " + paint("no session", Tone::bad, colour) + "\n" + counts_line("dropped", sync.dropped);
  std::string text = "\nflow sync: the other node has ";
  text += sync.peer_has_table ? "all flows of " + milliseconds_text(sync.lag_seconds) + " ago"
                              : paint("not all flows yet", Tone::warning, colour);
  text += ", " + count_text(sync.pending) + " to send; this node has ";
  text += sync.has_peer_table ? "all of its flows" : paint("not all of its flows yet", Tone::warning, colour);
  if (sync.full_seconds) text += ", which took " + milliseconds_text(*sync.full_seconds);
  if (sync.same_rings)
    text += *sync.same_rings ? "; the rings are the same" : "; " + paint("the rings differ", Tone::warning, colour);
  text += "\n  sent: " + count_text(sync.sent_flows) + " flows, " + count_text(sync.sent_ports) + " ports, " +
          count_text(sync.sent_datagrams) + " datagrams, of them " + count_text(sync.lost_datagrams) + " lost\n";
  return text + counts_line("received", sync.records) + counts_line("dropped", sync.dropped);
}

}  // namespace

std::string pair_text(const api::PairView& pair, api::TimePoint now, Colour colour) {
  std::string text = "node " + printable(pair.node);
  if (!pair.peer_node.empty()) text += ", the other one " + printable(pair.peer_node);
  if (!pair.runs) return text + ": " + paint("astil-vrrp does not run", Tone::bad, colour) + "\n";
  if (pair.has_heartbeats) text += pair.heartbeats_alive ? ", alive" : ", " + paint("silent", Tone::bad, colour);
  if (pair.same_configuration == false) text += ", " + paint("configured differently", Tone::warning, colour);
  text += pair.flows_complete ? "" : ", its flows not all here";
  text += pair.real_time ? "" : ", " + paint("not in real time", Tone::warning, colour);
  text += ", timers late by " + milliseconds_text(pair.late_seconds) + " at most\n\n";

  Table groups({{"GROUP"},
                {"STATE"},
                {"FOR"},
                {"CAUSE"},
                {"PRIORITY"},
                {"PEER"},
                {"TAKEOVERS", Align::right},
                {"LAST TOOK", Align::right},
                {"ADDRESSES"}});
  for (const auto& group : pair.groups) {
    groups.add({{group.name},
                {state_text(group), tone_of(group)},
                {age_text(group.since, now)},
                {group.cause},
                {priority_text(group)},
                {group.peer.empty() ? "" : group.peer + " " + std::to_string(group.peer_priority)},
                {count_text(group.takeovers)},
                {group.last_takeover_seconds ? milliseconds_text(*group.last_takeover_seconds) : ""},
                {addresses_text(group)}});
  }
  text += groups.text(colour) + tracks_text(pair.groups, colour);

  if (!pair.paths.empty() && pair.has_heartbeats) {
    Table paths({{"PATH"},
                 {"STATE"},
                 {"LOCAL"},
                 {"PEER"},
                 {"SENT", Align::right},
                 {"RECEIVED", Align::right},
                 {"DROPPED", Align::right},
                 {"LOSSES", Align::right}});
    for (const auto& path : pair.paths) {
      paths.add({{path.name},
                 {path.alive ? "alive" : "silent", path.alive ? Tone::good : Tone::bad},
                 {path.local.to_string()},
                 {path.peer.to_string()},
                 {count_text(path.sent)},
                 {count_text(path.received)},
                 {count_text(path.dropped)},
                 {count_text(path.losses)}});
    }
    text += "\n" + paths.text(colour);
  }

  if (pair.sync) text += sync_text(*pair.sync, colour);

  std::string drops = drops_line("of no group here", pair.drops);
  for (const auto& group : pair.groups) drops += drops_line(group.name, group.drops);
  return drops.empty() ? text : text + "\nadverts dropped, or noted\n" + drops;
}

}  // namespace astil::cli
