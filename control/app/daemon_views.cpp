// What the daemon shows beside its status (control/app/status_builder.hpp): drops, flows, traces, and the names for
// what the tables know by number.
#include <set>

#include "control/app/daemon.hpp"
#include "control/app/tracer.hpp"
#include "control/config/address_kinds.hpp"
#include "control/config/suggest.hpp"

namespace astil::app {

Labels Daemon::labels_of(std::uint32_t backend) const {
  if (const auto found = labels_.find(backend); found != labels_.end()) return found->second;
  if (backend >= path_->tables().sizes.backends) return {};
  const core::Backend& record = path_->tables().backends()[backend];
  return {.service = service_name(record.service),
          .backend = config::show_endpoint(from_core(record.address), config::Port{host(record.port)})};
}

std::string Daemon::service_name(std::uint32_t id) const {
  const auto found = service_names_.find(id);
  return found == service_names_.end() ? "#" + std::to_string(id) : found->second;
}

api::VersionView Daemon::version() const {
  return {.version = ASTIL_VERSION, .layout_version = path_->tables().settings().header.layout_version};
}

api::DropsView Daemon::drops() const {
  api::DropsView view;
  for (std::size_t i = 0; i < static_cast<std::size_t>(core::Reason::count); ++i) {
    const core::ReasonText& reason = core::kReasons[i];
    if (reason.action != core::Action::drop) continue;
    view.drops.push_back({.reason = reason.name,
                          .description = reason.text,
                          .count = path_->tables().sum_reason(static_cast<core::Reason>(i))});
  }
  return view;
}

Result<api::TraceView> Daemon::trace(const api::TraceQuery& query) const {
  const auto interfaces = interface_states();
  if (interfaces.empty()) return Error{"no interface of the configuration is there", "see astil status"};
  const TraceEntry entry{
      .ingress = interfaces.front().ifindex, .ingress_mac = interfaces.front().mac, .tick = path_->engine().tick()};
  return app::trace(path_->tables(), entry, query,
                    {.service = [this](std::uint32_t id) { return service_name(id); },
                     .backend = [this](std::uint32_t number) { return labels_of(number).backend; },
                     .interface =
                         [this](std::uint32_t ifindex) {
                           const auto link = network_->link(ifindex);
                           return link ? link->name : "#" + std::to_string(ifindex);
                         }});
}

/// A name that nothing has, now or while its last flows are left, is a slip of the operator's.
Result<void> Daemon::check_names(const api::FlowFilter& filter) const {
  std::set<std::string> services;
  std::set<std::string> backends;
  for (const config::Service& service : model_.services) services.insert(service.name);
  for (std::uint32_t number = 0; number < path_->tables().sizes.backends; ++number) {
    if (path_->tables().backends()[number].service == core::kNoService) continue;
    const Labels labels = labels_of(number);
    services.insert(labels.service);
    backends.insert(labels.backend);
  }
  const auto check = [](const char* what, const std::optional<std::string>& name, const std::set<std::string>& known) {
    if (!name || known.contains(*name)) return Result<void>{};
    const std::vector<std::string_view> words(known.begin(), known.end());
    const std::string meant = config::did_you_mean(*name, words);
    return Result<void>(Error{std::string("there is no ") + what + " '" + *name + "'",
                              meant.empty() ? "astil status lists them" : meant});
  };
  if (auto checked = check("service", filter.service, services); checked.has_error()) return checked;
  return check("backend", filter.backend, backends);
}

Result<std::unique_ptr<api::FlowWalk>> Daemon::flows(const api::FlowFilter& filter) const {
  if (auto checked = check_names(filter); checked.has_error()) return checked.error();
  return std::make_unique<FlowWalk>(
      FlowSource{.tables = [this]() -> const dataplane::Tables& { return path_->tables(); },
                 .tables_made = [this] { return tables_made_; },
                 .tick = [this] { return path_->engine().tick(); },
                 .labels = [this](std::uint32_t backend) { return labels_of(backend); }},
      filter);
}

}  // namespace astil::app
