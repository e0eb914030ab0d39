// Another configuration: worked out as a plan, applied whole or not at all, taken back.
#include <algorithm>

#include "control/app/changes.hpp"
#include "control/app/daemon.hpp"
#include "control/base/log.hpp"
#include "control/base/regular_file.hpp"

namespace astil::app {
namespace {

constexpr const char* kStarting = "the daemon is starting: it follows once health checks and next hops are known";

/// Of the services that change; what moves later on in others moves whatever is applied.
void add_rings(api::ApplyView& view, const Forecast& forecast) {
  for (const balance::RingReport& ring : forecast.now) {
    view.rings.push_back({.service = ring.service, .slots = ring.slots, .moved = ring.moved, .least = ring.least});
  }
  for (const balance::RingReport& ring : forecast.well) {
    const auto same = std::find_if(view.rings.begin(), view.rings.end(),
                                   [&](const api::RingChange& now) { return now.service == ring.service; });
    if (same != view.rings.end()) {
      same->later = ring.moved;
      continue;
    }
    const bool changes = std::any_of(view.services.begin(), view.services.end(),
                                     [&](const auto& service) { return service.service == ring.service; });
    if (changes) view.rings.push_back({.service = ring.service, .slots = ring.slots, .later = ring.moved});
  }
}

}  // namespace

/// What a running daemon can not change; an empty error: nothing of that.
Error Daemon::refuse_change(const config::Model& wanted) const {
  if (wanted.instance != model_.instance) {
    return {"the instance is " + model_.instance + " and can not become " + wanted.instance + " while the daemon runs",
            "start another daemon with that file"};
  }
  if (wanted.socket != model_.socket || wanted.metrics != model_.metrics || wanted.remote != model_.remote) {
    return {"api.socket, api.metrics and api.remote can not change while the daemon runs",
            "restart astild; packets flow meanwhile"};
  }
  return {};
}

api::Refusal Daemon::refuse(api::Refusal refusal) {
  ++config_view_.applies_refused;
  config_view_.last_refused_at = std::chrono::system_clock::now();
  log::warning("configuration refused", {{"error", refusal.error.text()}, {"mistakes", refusal.diagnostics.size()}});
  return refusal;
}

/// A configuration that can be made the running one, as far as can be told without the tables.
Daemon::Accepted Daemon::accept(const std::string& yaml, const std::string& file_name) const {
  auto loaded = config::load(yaml, file_name);
  if (loaded.has_error()) {
    return api::Refusal{.error = {"the configuration has mistakes", "nothing has changed"},
                        .diagnostics = loaded.error()};
  }
  if (detached_) return api::Refusal{.error = {"the packet path is detached", "start astild again"}, .diagnostics = {}};
  if (Error no = refuse_change(*loaded); !no.what.empty()) return api::Refusal{.error = no, .diagnostics = {}};
  if (auto checked = check_interfaces(*loaded); checked.has_error())
    return api::Refusal{.error = checked.error(), .diagnostics = {}};
  if (auto host = check_host(engine_for(*loaded), path_->options()); host.has_error())
    return api::Refusal{.error = host.error(), .diagnostics = {}};
  if (loaded->ha) {
    if (const auto keys = read_keys(*loaded->ha); keys.has_error())
      return api::Refusal{.error = keys.error(), .diagnostics = {}};
  }
  if (loaded->dns) {
    if (const auto zones = NameServer::check(*loaded->dns, loaded->services); zones.has_error())
      return api::Refusal{.error = zones.error(), .diagnostics = {}};
  }
  return std::move(*loaded);
}

Daemon::Applied Daemon::plan(const api::Change& change) {
  const auto accepted = accept(change.yaml, change.file);
  if (accepted.has_error()) return accepted.error();
  const auto with = with_found_after(*accepted);
  if (with.has_error()) return api::Refusal{.error = with.error(), .diagnostics = {}};
  const config::Model& wanted = *with;
  api::ApplyView view = describe_changes(model_, wanted, flow_counts());
  if (!settled_) {
    view.warnings.emplace_back(kStarting);
    return view;
  }
  const EngineOptions engine = engine_for(wanted);
  const bool same = engine.kind == path_->options().kind && engine.sizes == path_->options().sizes;
  const Room room = same ? Room::of_these_tables : Room::of_others;
  const auto forecast =
      path_->foresee(interface_states(wanted), planner_inputs(wanted, facts_after()), path_settings(wanted), room);
  if (forecast.has_error()) return api::Refusal{.error = forecast.error(), .diagnostics = {}};
  add_rings(view, *forecast);
  return view;
}

Daemon::Applied Daemon::apply(const api::Change& change) { return apply_by(change, api::ChangedBy::apply); }

Daemon::Applied Daemon::apply_by(const api::Change& change, api::ChangedBy by) {
  auto accepted = accept(change.yaml, change.file);
  if (accepted.has_error()) return refuse(accepted.error());
  if (confirmation_.awaits()) {
    return refuse({.error = {"a change waits for its confirmation",
                             "first keep it by 'astil confirm', or take it back "
                             "by 'astil rollback'"},
                   .diagnostics = {}});
  }
  const bool promised = change.confirm && !runs(change.yaml);
  if (promised) {
    if (auto kept = promise(change); kept.has_error()) return refuse({.error = kept.error(), .diagnostics = {}});
  }
  auto changed = change_to(std::move(*accepted));
  if (changed.has_error()) {
    if (promised) history_->drop_last();
    return changed;
  }
  config_view_.file = change.file;
  started_instead_.reset();
  if (promised) {
    confirmation_.await(*change.confirm);
    changed->confirm_within = static_cast<std::uint64_t>(change.confirm->count());
  } else if (!runs(change.yaml)) {
    history_->add({.time = std::chrono::system_clock::now(),
                   .by = by,
                   .uid = change.by.uid,
                   .file = change.file,
                   .token = change.by.token},
                  change.yaml);
  }
  changed->number = history_->running();
  note_configuration(*history_->find(changed->number));
  return changed;
}

/// Is this text the one that runs, for good?
bool Daemon::runs(const std::string& text) const {
  const api::HistoryEntry* last = history_->find(history_->running());
  return last != nullptr && last->digest == digest_of(text);
}

/// A change that goes back by itself has to do so whatever becomes of this process: so it is written down before it is
/// made.
Result<> Daemon::promise(const api::Change& change) {
  history_->add({.time = std::chrono::system_clock::now(),
                 .by = api::ChangedBy::apply,
                 .uid = change.by.uid,
                 .file = change.file,
                 .result = api::ChangeResult::awaiting,
                 .token = change.by.token},
                change.yaml);
  auto written = history_->flush();
  if (written.has_value()) return {};
  history_->drop_last();
  return Error{"a change that is to be confirmed has to be written down first: " + written.error().what,
               "make room there, or apply without --confirm"};
}

/// Makes an earlier configuration the running one. A change that waits for its confirmation is thereby taken back.
Daemon::Applied Daemon::go_back(std::uint64_t number, api::HistoryEntry entry) {
  auto text = history_->text(number);
  if (text.has_error()) return refuse({.error = text.error(), .diagnostics = {}});
  entry.file = history_->find(number)->file;
  entry.time = std::chrono::system_clock::now();
  auto accepted = accept(*text, entry.file);
  if (accepted.has_error()) return refuse(accepted.error());
  auto changed = change_to(std::move(*accepted));
  if (changed.has_error()) return changed;
  config_view_.file = entry.file;
  started_instead_.reset();
  if (confirmation_.awaits()) history_->settle(history_->running(), api::ChangeResult::taken_back);
  confirmation_.end();
  if (!runs(*text)) history_->add(std::move(entry), *text);
  changed->number = history_->running();
  note_configuration(*history_->find(changed->number));
  return changed;
}

Daemon::Applied Daemon::rollback(std::optional<std::uint64_t> number, const api::Caller& by) {
  const api::HistoryEntry* last = history_->find(history_->running());
  const std::uint64_t target = number.value_or(last == nullptr ? 0 : last->before);
  if (target == 0) {
    return refuse(
        {.error = {"the history has no configuration that ran before this one", "apply a file"}, .diagnostics = {}});
  }
  if (confirmation_.awaits() && target == history_->running()) {
    return refuse({.error = {"number " + std::to_string(target) + " runs, and waits for its confirmation",
                             "keep it by 'astil confirm', or take it back by 'astil rollback'"},
                   .diagnostics = {}});
  }
  auto changed = go_back(target, {.by = api::ChangedBy::rollback, .uid = by.uid, .token = by.token});
  if (changed.has_error()) return changed;
  ++config_view_.rollbacks;
  log::info("configuration rolled back", {{"to", target}, {"number", changed->number}});
  return changed;
}

/// At the deadline.
bool Daemon::take_back_unconfirmed() {
  const api::HistoryEntry unconfirmed = *history_->find(history_->running());
  auto changed = go_back(unconfirmed.before, {.by = api::ChangedBy::deadline});
  if (changed.has_error()) {
    log::error("unconfirmed configuration not taken back", {{"error", changed.error().error.text()}});
    return false;
  }
  ++config_view_.taken_back;
  log::warning("configuration taken back, nobody confirmed it",
               {{"number", unconfirmed.number}, {"to", unconfirmed.before}});
  return true;
}

api::Awaited<api::HistoryEntry> Daemon::confirm() {
  using Confirmed = std::optional<Result<api::HistoryEntry>>;
  if (!confirmation_.awaits()) {
    return [] { return Confirmed(Error{"no change waits for a confirmation", "astil history lists what ran"}); };
  }
  confirmation_.end();
  const std::uint64_t number = history_->running();
  history_->settle(number, api::ChangeResult::confirmed);
  log::info("configuration confirmed", {{"number", number}});
  event_log_.add(api::EventKind::configuration,
                 {.before = std::to_string(number), .after = std::to_string(number), .reason = "confirmed"});
  return [entry = *history_->find(number), written = history_->begin_flush()]() -> Confirmed {
    const auto outcome = written();
    if (!outcome) return std::nullopt;
    if (outcome->has_value()) return Confirmed(entry);
    return Confirmed(Error{
        "it is confirmed, but a restart of the daemon would take it back, since that could not be written down: " +
            outcome->error().what,
        "make room there: it is tried again"});
  };
}

api::HistoryView Daemon::history() const { return {.entries = history_->entries()}; }

/// What runs first: the file, or what the history has in its place. Whatever waited for a confirmation has not got it.
void Daemon::choose_start() {
  config_view_.file = options_.config_file;
  std::string text = options_.config_text;
  api::HistoryEntry entry{
      .time = std::chrono::system_clock::now(), .by = api::ChangedBy::start, .file = options_.config_file};
  const auto instead = instead_of(history_->entries(), digest_of(text));
  if (const api::HistoryEntry* last = history_->find(history_->running());
      last != nullptr && last->result == api::ChangeResult::awaiting) {
    log::warning("configuration taken back, the daemon ended before it was confirmed", {{"number", last->number}});
    ++config_view_.taken_back;
    history_->settle(last->number, api::ChangeResult::taken_back);
  }
  if (instead) {
    auto earlier = history_->text(*instead);
    auto model =
        earlier ? config::load(*earlier, history_->find(*instead)->file) : config::LoadResult(config::Diagnostics{});
    if (model.has_value() && refuse_change(*model).what.empty()) {
      entry.by = api::ChangedBy::deadline;
      entry.file = history_->find(*instead)->file;
      text = std::move(*earlier);
      configured_ = std::move(*model);
      model_ = configured_;
      config_view_.file = entry.file;
      started_instead_ = Error{options_.config_file + " has a configuration that was not confirmed: number " +
                                   std::to_string(*instead) + " of the history runs",
                               "change the file, or apply it"};
      log::warning("configuration of the history started with",
                   {{"number", *instead}, {"instead_of", options_.config_file}});
    } else {
      log::error(
          "configuration of the history not started with",
          {{"number", *instead}, {"error", earlier ? "it has mistakes, or other sockets" : earlier.error().text()}});
    }
  }
  if (!runs(text)) history_->add(std::move(entry), text);
  note_configuration(*history_->find(history_->running()));
}

api::ConfigView Daemon::config_view() const {
  api::ConfigView view = config_view_;
  view.number = history_->running();
  view.history_write_errors = history_->failures();
  if (const auto until = confirmation_.until()) {
    const auto left = *until - confirmation_alarm_.now();
    view.confirm_by =
        std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(left);
  }
  return view;
}

FlowCounts Daemon::flow_counts() const {
  // By name, as long as the running configuration is the one that was placed.
  std::map<std::pair<std::string, std::string>, std::uint64_t> of_backends;
  std::map<std::string, std::uint64_t> of_services;
  std::map<std::uint32_t, std::string> names;
  for (std::size_t i = 0; i < in_force().size(); ++i) {
    const config::Service& service = model_.services[i];
    names[in_force()[i].id] = service.name;
    for (std::size_t b = 0; b < service.backends.size(); ++b) {
      const std::uint64_t flows = path_->active_flows(in_force()[i].backends[b]);
      of_backends[{service.name, service.backends[b].name}] = flows;
      of_services[service.name] += flows;
    }
  }
  for (const dataplane::Retired& retired : path_->retired()) {
    if (const auto name = names.find(retired.service); name != names.end())
      of_services[name->second] += path_->active_flows(retired.number);
  }
  return {.all = path_->census().used,
          .of_service = [of_services = std::move(of_services)](const config::Service& service) -> std::uint64_t {
            const auto found = of_services.find(service.name);
            return found == of_services.end() ? 0 : found->second;
          },
          .of_backend = [of_backends = std::move(of_backends)](const config::Service& service,
                                                               const config::Backend& backend) -> std::uint64_t {
            const auto found = of_backends.find({service.name, backend.name});
            return found == of_backends.end() ? 0 : found->second;
          }};
}

/// What will be known once another model is followed, before anything new has been heard of its backends.
Facts Daemon::facts_after() const {
  return {.availability =
              [this](const config::Service& service, const config::Backend& backend) {
                if (orders_.state(service.name, backend.name) == api::AdminState::maintenance)
                  return balance::Availability::down;
                if (!service.health) return balance::Availability::up;
                return availability_of(checks_->would_be(subject_of(service, backend)));
              },
          .next_hop = [this](const config::address& host) -> std::optional<net::NextHop> {
            auto hop = network_->look_up(host);
            if (hop.has_error()) return std::nullopt;
            return *hop;
          },
          .intake = [this](const config::Service& service,
                           const config::Backend& backend) { return intake_of(service, backend); }};
}

Daemon::Applied Daemon::change_to(config::Model wanted) {
  Before before{.configured = std::exchange(configured_, std::move(wanted)),
                .found = discoveries_->sets(),
                .model = model_,
                .publications = publications_,
                .is_placed = is_placed_};
  follow_sources();
  if (auto fit = check_sets(configured_); fit.has_error()) return take_back(std::move(before), fit.error());
  config::Model with = with_found(configured_);
  api::ApplyView view = describe_changes(model_, with, flow_counts());
  (void)exchange_model(std::move(with));
  if (auto fitted = fit_tables(); fitted.has_error()) return take_back(std::move(before), fitted.error());
  // Before anything that clients could notice.
  if (auto attached = attach_interfaces(); attached.has_error()) return take_back(std::move(before), attached.error());
  follow_model();
  if (auto serving = name_server_.follow(model_, site_facts()); serving.has_error())
    return take_back(std::move(before), serving.error());
  if (settled_) {
    auto done = reconcile();
    if (done.has_error()) return take_back(std::move(before), done.error());
    note_applied();
    add_rings(view, {.now = std::move(done->rings), .well = path_->foresee_well(planner_inputs(model_, facts()))});
    for (const Error& shortcoming : done->shortcomings) view.warnings.push_back(shortcoming.text());
  } else {
    await_settling();
    view.warnings.emplace_back(kStarting);
  }
  for (const config::Service& service : model_.services) {
    const discovery::Report* const report = discoveries_->report(service.name);
    if (service.discovery && report != nullptr && !report->error.empty())
      view.warnings.push_back("the backends of service " + service.name + " are not as found: " + report->error);
  }
  for (const std::string& change : view.changes) log::info("configuration changed", {{"change", change}});
  return view;
}

Daemon::Applied Daemon::take_back(Before before, const Error& why) {
  configured_ = std::move(before.configured);
  follow_sources();
  // What was found since may be what could not be followed.
  discoveries_->put_back(before.found, why.text());
  (void)exchange_model(with_found(configured_));
  // Nothing else came into force meanwhile.
  is_placed_ = before.is_placed && publications_ == before.publications && model_ == before.model;
  follow_model();
  if (auto fitted = fit_tables(); fitted.has_error())
    log::error("table sizes not as before", {{"error", fitted.error().text()}});
  if (auto serving = name_server_.follow(model_, site_facts()); serving.has_error())
    log::error("name server not as before", {{"error", serving.error().text()}});
  if (settled_) follow();
  return refuse({.error = why, .diagnostics = {}});
}

void Daemon::reload() {
  auto text = base::read_regular_file(options_.config_file);
  if (text.has_error()) {
    ++config_view_.reloads_refused;
    static_cast<void>(refuse({.error = text.error(), .diagnostics = {}}));
    return;
  }
  auto applied = apply_by({.yaml = *text, .file = options_.config_file}, api::ChangedBy::reload);
  if (applied.has_value()) {
    ++config_view_.reloads_ok;
    log::info("configuration applied", {{"file", options_.config_file}, {"changes", applied->changes.size()}});
    for (const std::string& warning : applied->warnings) log::warning("not as configured", {{"why", warning}});
    return;
  }
  ++config_view_.reloads_refused;
  for (const config::Diagnostic& mistake : applied.error().diagnostics) {
    log::error("configuration mistake", {{"at", options_.config_file + ":" + std::to_string(mistake.line) + ":" +
                                                    std::to_string(mistake.column)},
                                         {"message", mistake.message}});
  }
}

}  // namespace astil::app
