// What the daemon tells of changes of state: it looks at itself after each publication, and the log of events finds
// what is new.
#include <algorithm>

#include "control/api/json.hpp"
#include "control/app/daemon.hpp"
#include "control/app/rotation_reason.hpp"
#include "control/app/status_builder.hpp"
#include "control/config/keys.hpp"
#include "control/config/suggest.hpp"

namespace astil::app {

void Daemon::recall_events() {
  event_file_.emplace(options_.state_directory + "/" + model_.instance + ".events");
  event_file_->read([this](api::EventView event) { event_log_.restore(std::move(event)); });
}

api::EventLogView Daemon::event_log_view() const {
  return {.number = event_log_.number(),
          .followers = event_log_.followers(),
          .slow = event_log_.slow(),
          .unkept = event_file_->unkept(),
          .failure = event_file_->failure()};
}

bool Daemon::is_in_rotation(std::size_t service, std::size_t backend) const {
  return path_->published().services[service].backends[backend].rotation == dataplane::Rotation::in;
}

std::string Daemon::why_in_or_out(std::size_t service, std::size_t backend) const {
  const config::Service& wanted = model_.services[service];
  const config::Backend& config = wanted.backends[backend];
  Circumstances of{.in_rotation = is_in_rotation(service, backend),
                   .admin = orders_.state(wanted.name, config.name),
                   .checked = wanted.health.has_value(),
                   .weight = static_cast<std::uint32_t>(config.weight),
                   .fallback = config.is_fallback,
                   .too_few = path_->has_too_few(service),
                   .when_down = config::kWhenDown.show(wanted.when_down)};
  if (const auto state = checks_->state({.service = wanted.name, .backend = config.name})) {
    if (state->health == health::Health::up) of.health = api::BackendState::up;
    if (state->health == health::Health::down) of.health = api::BackendState::down;
    of.last_error = state->last_error;
  }
  const auto hop = network_->next_hop(config.host);
  if (hop.has_error()) {
    of.unreachable = hop.error().text();
  } else if (wanted.forwarding == config::Forwarding::tunnel && !wanted.tunnel.source &&
             hop->source_address.is_unspecified()) {
    of.unreachable = "the balancer has no address to tunnel from";
  }
  return rotation_reason(of);
}

/// After a publication.
void Daemon::note_states() {
  std::set<EventLog::Key> configured;
  for (std::size_t i = 0; i < in_force().size(); ++i) {
    const config::Service& service = model_.services[i];
    for (std::size_t b = 0; b < service.backends.size(); ++b) {
      const std::string& backend = service.backends[b].name;
      configured.emplace(service.name, backend);
      const char* now = is_in_rotation(i, b) ? "in" : "out";
      if (event_log_.state(api::EventKind::rotation, {service.name, backend}) == now) continue;
      event_log_.change(api::EventKind::rotation,
                        {.service = service.name, .backend = backend, .after = now, .reason = why_in_or_out(i, b)});
    }
    const bool too_few = path_->has_too_few(i);
    const std::string then = config::kWhenDown.show(service.when_down);
    event_log_.change(api::EventKind::service,
                      {.service = service.name,
                       .after = withdrawn_.contains(service.name) ? "withdrawn"
                                : too_few                         ? "too-few"
                                                                  : "enough",
                       .reason = too_few ? "fewer than " + std::to_string(service.minimum_up) +
                                               " backends are well, and then it does " + then
                                         : "enough backends are well"},
                      "enough");
  }
  event_log_.keep_only(configured);
  note_interfaces();
}

void Daemon::note_interfaces() {
  for (const std::string& name : model_.interfaces) {
    std::string state = link_state(network_->link(name));
    std::ranges::replace(state, ' ', '-');
    event_log_.change(api::EventKind::interface, {.interface = name, .after = std::move(state)}, "up");
  }
}

/// An entry of the history that runs from now on.
void Daemon::note_configuration(const api::HistoryEntry& entry) {
  std::string how = "by " + api::to_string(entry.by);
  if (entry.uid || !entry.token.empty()) how += " of " + api::Caller{.uid = entry.uid, .token = entry.token}.name();
  if (entry.result == api::ChangeResult::awaiting) how += ", not confirmed yet";
  event_log_.change(api::EventKind::configuration,
                    {.after = std::to_string(entry.number), .reason = how + ": " + entry.file});
  if (pair_) tell_digest();
}

Result<api::WhyView> Daemon::why(const api::BackendFilter& filter) const {
  api::WhyView view;
  const auto add = [&](const EventLog::Key& key) -> api::BackendHistory& {
    return view.backends.emplace_back(
        api::BackendHistory{.service = key.first, .backend = key.second, .events = event_log_.of_backend(key)});
  };
  std::set<EventLog::Key> configured;
  for (std::size_t i = 0; i < model_.services.size(); ++i) {
    const config::Service& service = model_.services[i];
    for (std::size_t b = 0; b < service.backends.size(); ++b) {
      const EventLog::Key key(service.name, service.backends[b].name);
      configured.insert(key);
      if (key.second != filter.backend || (filter.service && key.first != *filter.service)) continue;
      api::BackendHistory& history = add(key);
      history.configured = true;
      const bool placed = settled_ && i < in_force().size();
      history.in_rotation = placed && is_in_rotation(i, b);
      history.reason = placed ? why_in_or_out(i, b) : "the daemon is starting";
    }
  }
  for (const EventLog::Key& key : event_log_.backends()) {
    if (key.second != filter.backend || (filter.service && key.first != *filter.service)) continue;
    if (!configured.contains(key)) add(key).reason = "not in the configuration";
  }
  if (!view.backends.empty()) return view;
  return named(filter).error();
}

api::EventsView Daemon::events(const api::EventFilter& filter, std::size_t limit) const {
  return {.events = event_log_.last(filter, limit)};
}

Result<std::unique_ptr<api::EventFollower>> Daemon::follow_events(const api::EventFilter& filter,
                                                                  std::optional<std::uint64_t> after) {
  return event_log_.follow(filter, after);
}

}  // namespace astil::app
