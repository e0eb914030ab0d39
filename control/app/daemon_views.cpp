// What the daemon shows beside its status (control/app/status_builder.hpp): drops, flows, traces, and the names for
// what the tables know by number.
#include <map>
#include <set>

#include "control/app/capture_filter.hpp"
#include "control/app/daemon.hpp"
#include "control/app/tracer.hpp"
#include "control/config/address_kinds.hpp"
#include "control/config/suggest.hpp"

namespace astil::app {
namespace {

Result<void> check_name(const char* what, const std::optional<std::string>& name, const std::set<std::string>& known,
                        const char* list) {
  if (!name || known.contains(*name)) return {};
  const std::vector<std::string_view> words(known.begin(), known.end());
  const std::string meant = config::did_you_mean(*name, words);
  return Error{std::string("there is no ") + what + " '" + *name + "'", meant.empty() ? list : meant};
}

/// Leaves what was asked for.
void narrow(api::DropsView& view, const api::DropFilter& filter) {
  if (filter.reason)
    std::erase_if(view.drops, [&](const api::DropView& drop) { return drop.reason != *filter.reason; });
  if (!filter.service) return;
  for (api::DropView& drop : view.drops) {
    std::erase_if(drop.services, [&](const auto& service) { return service.service != *filter.service; });
    drop.count = drop.services.empty() ? 0 : drop.services.front().count;
    drop.without_service = 0;
  }
}

}  // namespace

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

Result<api::DropsView> Daemon::drops(const api::DropFilter& filter) const {
  if (auto checked = check_names(filter); checked.has_error()) return checked.error();
  const dataplane::Tables& tables = path_->tables();
  api::DropsView view;
  for (std::size_t i = static_cast<std::size_t>(core::kFirstRefusal); i < std::size(core::kReasons); ++i) {
    view.drops.push_back({.reason = core::kReasons[i].name,
                          .description = core::kReasons[i].text,
                          .count = tables.sum_reason(static_cast<core::Reason>(i)),
                          .services = {},
                          .without_service = 0});
    view.drops.back().without_service = view.drops.back().count;
  }
  std::map<std::uint32_t, std::string> named;
  for (std::size_t i = 0; i < in_force().size(); ++i) named[in_force()[i].id] = model_.services[i].name;
  for (std::uint32_t place = 0; place < tables.drop_stride(); ++place) {
    const core::ServiceDrops drops = tables.sum_drops(place);
    const auto name = named.find(place);
    for (std::size_t i = 0; i < view.drops.size(); ++i) {
      view.drops[i].without_service -= std::min(view.drops[i].without_service, drops.counts[i]);
      if (name != named.end() && drops.counts[i] != 0)
        view.drops[i].services.push_back({name->second, drops.counts[i]});
    }
  }
  narrow(view, filter);
  return view;
}

Result<std::unique_ptr<api::DropFollower>> Daemon::follow_drops(const api::DropFilter& filter) {
  if (auto checked = check_names(filter); checked.has_error()) return checked.error();
  return drop_feed_.follow(filter);
}

Result<api::TraceView> Daemon::trace(const api::TraceQuery& query) const {
  const auto interfaces = named_interfaces(model_);
  if (interfaces.empty()) return Error{"no interface of the configuration is there", "see astil status"};
  const TraceEntry entry{.ingress = interfaces.front().ifindex,
                         .ingress_mac = interfaces.front().mac,
                         .tick = path_->engine().tick(),
                         .source_clock = path_->engine().source_clock()};
  return app::trace(path_->tables(), entry, query, names());
}

Names Daemon::names() const {
  return {.service = [this](std::uint32_t id) { return service_name(id); },
          .backend = [this](std::uint32_t number) { return labels_of(number).backend; },
          .interface =
              [this](std::uint32_t ifindex) {
                const auto link = network_->link(ifindex);
                return link ? link->name : "#" + std::to_string(ifindex);
              }};
}

CaptureFeed::Path Daemon::capture_path() {
  return {.start = [this](const core::CaptureFilter& filter,
                          const dataplane::CaptureTaker& take) { return path_->engine().start_capture(filter, take); },
          .stop = [this] { return path_->engine().stop_capture(); },
          .interfaces =
              [this] {
                std::vector<std::uint32_t> interfaces;
                for (const auto& attachment : path_->engine().attachments()) interfaces.push_back(attachment.ifindex);
                return interfaces;
              }};
}

Result<std::unique_ptr<api::Capture>> Daemon::capture(const api::CaptureQuery& query) {
  if (detached_) return Error{"the packet path is detached", "start astild again"};
  const auto filter = capture_filter(query);
  if (filter.has_error()) return filter.error();
  return capture_feed_.begin(query, *filter);
}

/// Of a service that is placed; else of one whose last flows are left.
std::optional<std::uint32_t> Daemon::service_id(const std::string& name) const {
  for (std::size_t i = 0; i < in_force().size(); ++i) {
    if (model_.services[i].name == name) return in_force()[i].id;
  }
  for (const auto& [id, known] : service_names_) {
    if (known == name) return id;
  }
  return std::nullopt;
}

Result<core::CaptureFilter> Daemon::capture_filter(const api::CaptureQuery& query) const {
  const api::FlowFilter names{.service = query.service, .backend = query.backend, .client = {}};
  if (auto checked = check_names(names); checked.has_error()) return checked.error();
  CaptureTargets targets;
  if (query.service) {
    targets.service = service_id(*query.service);
    if (!targets.service)
      return Error{"service " + *query.service + " is not in the packet path yet", "the daemon is starting: try again"};
  }
  if (!query.backend) return filter_of(query, targets);
  std::vector<std::uint32_t>& numbers = targets.backends.emplace();
  for (std::uint32_t number = 0; number < path_->tables().sizes.backends; ++number) {
    if (path_->tables().backends()[number].service == core::kNoService) continue;
    const Labels labels = labels_of(number);
    if (labels.backend == *query.backend && (!query.service || labels.service == *query.service))
      numbers.push_back(number);
  }
  if (numbers.empty())
    return Error{"service " + *query.service + " has no backend '" + *query.backend + "'", "astil status lists them"};
  if (numbers.size() > core::kMaxCapturedBackends) {
    return Error{std::to_string(numbers.size()) + " services have a backend " + *query.backend + ", and " +
                     std::to_string(core::kMaxCapturedBackends) + " can be captured at once",
                 "name one with --service"};
  }
  return filter_of(query, targets);
}

/// Those in the configuration.
std::set<std::string> Daemon::service_names() const {
  std::set<std::string> names;
  for (const config::Service& service : model_.services) names.insert(service.name);
  return names;
}

Result<void> Daemon::check_names(const api::DropFilter& filter) const {
  std::set<std::string> reasons;
  for (std::size_t i = static_cast<std::size_t>(core::kFirstRefusal); i < std::size(core::kReasons); ++i)
    reasons.insert(core::kReasons[i].name);
  if (auto checked = check_name("service", filter.service, service_names(), "astil status lists them");
      checked.has_error())
    return checked;
  return check_name("reason to drop", filter.reason, reasons, "astil drops lists them");
}

/// A name that nothing has, now or while its last flows are left, is a slip of the operator's.
Result<void> Daemon::check_names(const api::FlowFilter& filter) const {
  std::set<std::string> services = service_names();
  std::set<std::string> backends;
  for (std::uint32_t number = 0; number < path_->tables().sizes.backends; ++number) {
    if (path_->tables().backends()[number].service == core::kNoService) continue;
    const Labels labels = labels_of(number);
    services.insert(labels.service);
    backends.insert(labels.backend);
  }
  const char* list = "astil status lists them";
  if (auto checked = check_name("service", filter.service, services, list); checked.has_error()) return checked;
  return check_name("backend", filter.backend, backends, list);
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
