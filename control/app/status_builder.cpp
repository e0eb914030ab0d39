#include "control/app/status_builder.hpp"

#include <algorithm>

#include "control/app/pair_status.hpp"
#include "control/app/vlan_problems.hpp"
#include "control/config/keys.hpp"
#include "control/net/sysctl.hpp"

namespace astil::app {
namespace {

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[15 - i] = kDigits[(value >> (4 * i)) & 15U];
  return text;
}

/// A time of the steady clock on the wall's clock.
api::TimePoint on_wall(std::chrono::steady_clock::time_point time) {
  const auto ago = std::chrono::steady_clock::now() - time;
  return std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(ago);
}

api::BackendState state_of(health::Health health) {
  if (health == health::Health::unknown) return api::BackendState::unknown;
  return health == health::Health::up ? api::BackendState::up : api::BackendState::down;
}

/// Of a service that still has someone for new flows.
api::ProblemView too_few_problem(const api::ServiceView& service) {
  std::string what = "service " + service.name + " has fewer than " + std::to_string(service.minimum_up) +
                     (service.minimum_up == 1 ? " backend" : " backends") + " that are well: ";
  if (service.when_down == "fail-open") what += "all are used, whatever their checks say";
  if (service.when_down == "fallback") what += "its fallback backends are used";
  if (service.when_down == "withdraw") what += "its address is withdrawn, unless another service has it";
  return {what, "see its backends"};
}

/// Of the capture that runs, if one does.
std::string capture_text(const std::optional<api::CaptureQuery>& query) {
  if (!query) return {};
  std::string of = query->service ? "packets of service " + *query->service : "packets of all services";
  if (query->backend) of += ", backend " + *query->backend;
  if (query->client)
    of += ", clients " + query->client->address.to_string() + "/" + std::to_string(query->client->bits);
  return of + ", " + std::to_string(query->rate) + " a second at most";
}

}  // namespace

std::string link_state(const std::optional<net::Link>& link) {
  if (!link) return "missing";
  if (!link->up) return "down";
  return link->carrier ? "up" : "no carrier";
}

StatusBuilder::StatusBuilder(const Daemon& daemon) : daemon_(daemon), tables_(daemon.path_->tables()) {}

api::StatusView StatusBuilder::build() {
  view_.instance = daemon_.model_.instance;
  view_.version = ASTIL_VERSION;
  view_.started_at = daemon_.started_at_;
  view_.engine = config::kEngines.show(daemon_.model_.engine);
  view_.layout_version = tables_.settings().header.layout_version;
  view_.adopted = daemon_.adopted_;
  view_.config = daemon_.config_view();
  add_interfaces();
  add_tables();
  add_ports();
  add_flow_events();
  view_.orders_ok = daemon_.orders_ok_;
  view_.orders_refused = daemon_.orders_refused_;
  view_.flows_given_up = daemon_.path_->given_up();
  view_.limits_new_flows = daemon_.path_->limits_new_flows();
  view_.repairs = daemon_.repairs_.view();
  view_.listeners = daemon_.server_->listeners();
  view_.api = daemon_.server_->view();
  view_.events = daemon_.event_log_view();
  view_.capture = capture_text(daemon_.capture_feed_.query());
  if (daemon_.model_.ha) {
    view_.pair = pair_view(*daemon_.pair_, *daemon_.model_.ha, daemon_.path_->sync());
    view_.pair->handovers = daemon_.handovers_;
    view_.pair->handovers_failed = daemon_.handovers_failed_;
  }
  view_.dns = daemon_.name_server_.view(daemon_.site_facts(), daemon_.orders_of_sites());
  if (view_.dns) view_.dns->reports = daemon_.site_reports_.view(std::chrono::steady_clock::now());
  if (daemon_.settled_) add_services();
  add_problems();
  return std::move(view_);
}

void StatusBuilder::add_interfaces() {
  const auto attachments = daemon_.path_->engine().attachments();
  for (const std::string& name : daemon_.model_.interfaces) {
    const auto link = daemon_.network_->link(name);
    api::InterfaceView interface {
      .name = name, .ifindex = 0, .hook = "", .why = "", .state = link_state(link), .mac = ""
    };
    if (link) {
      interface.ifindex = link->ifindex;
      if (link->mac) interface.mac = net::to_string(*link->mac);
      const auto attached =
          std::find_if(attachments.begin(), attachments.end(),
                       [&](const dataplane::Attachment& attachment) { return attachment.ifindex == link->ifindex; });
      if (attached != attachments.end()) {
        interface.hook = attached->hook;
        interface.why = attached->why;
      }
    }
    view_.interfaces.push_back(std::move(interface));
  }
}

void StatusBuilder::add_tables() {
  const dataplane::PoolUse use = dataplane::pool_use(tables_);
  const core::Sizes& sizes = tables_.sizes;
  view_.tables = {
      {.name = "flows",
       .used = daemon_.path_->census().used,
       .capacity = std::uint64_t{sizes.flow_lines} * core::kEntriesPerLine},
      {.name = "services", .used = use.services, .capacity = sizes.services},
      {.name = "backends", .used = use.backends, .capacity = sizes.backends},
      {.name = "ring_slots", .used = use.ring_slots, .capacity = std::uint64_t{sizes.ring_lines} * core::kSlotsPerLine},
      {.name = "source_ranges", .used = use.source_ranges, .capacity = sizes.source_ranges},
  };
  for (std::size_t place = 0; place < core::kPortSources; ++place) {
    const core::Address& source = tables_.settings().port_sources[place];
    if (dataplane::is_free(source)) continue;
    view_.tables.push_back({.name = "ports of " + from_core(source).to_string(),
                            .used = daemon_.path_->census().ports.used[place],
                            .capacity = 65536 - core::kFirstPort});
  }
}

/// What an engine with a process of its own says of it; why it does not forward comes first of all problems.
void StatusBuilder::add_ports() {
  const auto report = daemon_.path_->engine().port_report();
  if (!report) return;
  for (const auto& port : report->ports) {
    api::PortView view{.interface = port.interface,
                       .device = port.device,
                       .driver = port.driver,
                       .state = port.open ? "open" : "closed",
                       .missed = port.missed,
                       .errors = port.errors,
                       .no_buffer = port.no_buffer,
                       .from_kernel = port.from_kernel,
                       .from_kernel_lost = port.from_kernel_lost,
                       .kernel_refused = port.kernel_refused,
                       .queues = {}};
    for (const auto& queue : port.queues) {
      view.queues.push_back({.received_packets = queue.received_packets,
                             .received_bytes = queue.received_bytes,
                             .sent_packets = queue.sent_packets,
                             .sent_bytes = queue.sent_bytes,
                             .not_sent = queue.not_sent,
                             .to_kernel = queue.to_kernel,
                             .to_kernel_lost = queue.to_kernel_lost});
    }
    view_.ports.push_back(std::move(view));
  }
  for (const auto& worker : report->workers) {
    view_.workers.push_back({.core = worker.core,
                             .burst = report->burst,
                             .polls = worker.polls,
                             .empty_polls = worker.empty_polls,
                             .sleeps = worker.sleeps,
                             .slept_seconds = worker.slept_seconds,
                             .bursts = worker.bursts,
                             .packets = worker.packets,
                             .full_bursts = worker.full_bursts,
                             .unfit = worker.unfit,
                             .strays = worker.strays,
                             .events_lost = worker.events_lost});
  }
  if (report->running && report->stands_still) {
    view_.problems.push_back(
        {"worker " + std::to_string(*report->stands_still) + " of astil-dpdk stands still, and its packets are lost",
         "is it stopped? systemctl restart astil-dpdk@" + view_.instance});
  }
  if (report->running && report->as_planned) return;
  if (!report->problem.what.empty()) {
    view_.problems.push_back({"astil-dpdk does not forward: " + report->problem.what, report->problem.remedy});
  } else if (!report->running) {
    view_.problems.push_back(
        {"astil-dpdk does not run, and no packet is forwarded", "systemctl start astil-dpdk@" + view_.instance});
  } else {
    view_.problems.push_back(
        {"astil-dpdk opens its ports, and no packet is forwarded yet",
         "it takes as long as dataplane.dpdk.memory is large; its log: journalctl -u astil-dpdk@" + view_.instance});
  }
}

void StatusBuilder::add_flow_events() {
  for (std::size_t i = 0; i < static_cast<std::size_t>(core::FlowEvent::count); ++i) {
    view_.flow_events.push_back({.event = core::kFlowEvents[i].name,
                                 .description = core::kFlowEvents[i].text,
                                 .count = tables_.sum_event(static_cast<core::FlowEvent>(i))});
  }
}

api::Traffic StatusBuilder::traffic_of(std::uint32_t backend) const {
  const core::Counter counted = tables_.sum_counter(backend);
  return {.packets = counted.packets,
          .bytes = counted.bytes,
          .new_connections = counted.connections,
          .active_flows = daemon_.path_->active_flows(backend),
          .refused_connections = counted.refused};
}

api::HealthView StatusBuilder::health_of(const config::Service& service, const config::Backend& backend) const {
  const health::TargetKey key{.service = service.name, .backend = backend.name};
  api::HealthView view;
  view.since = daemon_.started_at_;
  const auto state = daemon_.checks_->state(key);
  if (!state) return view;
  view.state = state_of(state->health);
  if (state->health != health::Health::unknown) view.since = on_wall(state->since);
  view.last_error = state->last_error;
  if (state->last_duration.count() > 0)
    view.last_check_seconds = std::chrono::duration<double>(state->last_duration).count();
  if (const auto counters = daemon_.checks_->counters(key)) {
    view.checks_ok = counters->passed;
    view.checks_failed = counters->failed;
    view.checks_not_made = counters->not_made;
    view.holds = counters->holds;
  }
  if (state->held_until) {
    const std::chrono::duration<double> left = *state->held_until - std::chrono::steady_clock::now();
    view.held_seconds = std::max(0.0, left.count());
  }
  view.suspect = daemon_.suspicions_.why(key);
  for (const auto& [name, each] : daemon_.checks_->checks(key))
    view.checks.push_back({.name = name, .state = state_of(each.health), .last_error = each.last_error});
  return view;
}

api::NextHopView StatusBuilder::next_hop_of(const config::Backend& backend) const {
  const auto hop = daemon_.network_->next_hop(backend.host);
  if (hop.has_error()) return {.interface = "", .mac = "", .unresolved = hop.error().text()};
  const auto link = daemon_.network_->link(hop->ifindex);
  return {.interface = link ? link->name : "", .mac = net::to_string(hop->neighbour_mac), .unresolved = ""};
}

api::BackendView StatusBuilder::backend_view(std::size_t service, std::size_t backend) const {
  const config::Service& wanted = daemon_.model_.services[service];
  const config::Backend& config = wanted.backends[backend];
  const std::uint32_t number = daemon_.in_force()[service].backends[backend];
  const dataplane::ServiceState& published = daemon_.path_->published().services[service];
  api::BackendView view{.name = config.name,
                        .address = config.host,
                        .port = static_cast<std::uint16_t>(config.port),
                        .weight = static_cast<std::uint32_t>(config.weight),
                        .health = health_of(wanted, config),
                        .next_hop = next_hop_of(config),
                        .traffic = traffic_of(number)};
  view.in_rotation = published.backends[backend].rotation == dataplane::Rotation::in;
  view.draining = !view.in_rotation && view.traffic.active_flows != 0;
  const BackendOrders::Order order = daemon_.orders_.of(wanted.name, config.name);
  view.admin = order.state;
  if (order.state != api::AdminState::active) view.admin_since = order.since;
  view.fallback = config.is_fallback;
  view.found = config.is_found;
  if (view.in_rotation) view.weight_share = daemon_.path_->weight_share(service, backend);
  set_empty_in(wanted.name, view);
  return view;
}

void StatusBuilder::set_empty_in(const std::string& service, api::BackendView& view) const {
  if (!view.draining) return;
  if (const auto left = daemon_.drains_.empty_in({service, view.name})) view.empty_in_seconds = left->count();
}

/// Slots of the ring by place of the backend in the configuration.
std::vector<std::uint32_t> StatusBuilder::ring_counts(std::size_t service) const {
  const dataplane::ServiceState& published = daemon_.path_->published().services[service];
  std::vector<std::uint32_t> counts(published.backends.size(), 0);
  for (const std::uint16_t backend : published.ring) ++counts[backend];
  return counts;
}

/// Uses of backends that are no longer in the configuration and still have flows.
void StatusBuilder::add_retired(std::uint32_t service_id, api::ServiceView& view) const {
  const auto found = retired_.find(service_id);
  if (found == retired_.end()) return;
  for (const std::uint32_t number : found->second) {
    const core::Backend& record = tables_.backends()[number];
    api::BackendView backend{.name = daemon_.labels_of(number).backend,
                             .address = from_core(record.address),
                             .port = host(record.port),
                             .draining = true,
                             .retired = true,
                             .health = {},
                             .next_hop = {},
                             .traffic = traffic_of(number)};
    backend.next_hop.mac = net::to_string(mac_of(record.destination_mac));
    set_empty_in(view.name, backend);
    view.traffic.active_flows += backend.traffic.active_flows;
    view.backends.push_back(std::move(backend));
  }
}

void StatusBuilder::add_services() {
  for (const dataplane::Retired& retired : daemon_.path_->retired())
    retired_[retired.service].push_back(retired.number);
  for (std::size_t i = 0; i < daemon_.in_force().size(); ++i) add_service(i);
}

void StatusBuilder::add_service(std::size_t index) {
  const config::Service& wanted = daemon_.model_.services[index];
  const dataplane::ServiceState& published = daemon_.path_->published().services[index];
  const std::uint32_t id = daemon_.in_force()[index].id;
  api::ServiceView view{.name = wanted.name,
                        .address = wanted.host,
                        .port = static_cast<std::uint16_t>(wanted.port),
                        .protocol = wanted.protocol == config::Protocol::udp ? "udp" : "tcp",
                        .forwarding = config::kForwardings.show(wanted.forwarding),
                        .scheduler = config::kSchedulers.show(wanted.scheduler),
                        .ring_slots = static_cast<std::uint32_t>(published.ring.size()),
                        .ring_digest = hex(balance::ring_digest(published)),
                        .traffic = {},
                        .backends = {},
                        .affinity_seconds = std::nullopt};
  view.minimum_up = wanted.minimum_up;
  view.when_down = config::kWhenDown.show(wanted.when_down);
  view.too_few = daemon_.path_->has_too_few(index);
  if (wanted.sources) {
    const config::Sources& sources = *wanted.sources;
    view.sources = {.allowed_prefixes = sources.allow.size(),
                    .denied_prefixes = sources.deny.size(),
                    .new_flows_per_second = sources.new_flows_per_second.value_or(0),
                    .burst = sources.burst.value_or(0),
                    .source_prefix = wanted.host.is_v4() ? sources.prefixes.ipv4 : sources.prefixes.ipv6};
  }
  view.discovery = daemon_.discovery_view(wanted);
  if (wanted.affinity) view.affinity_seconds = std::chrono::duration<double>(wanted.affinity->timeout).count();
  const auto slots = ring_counts(index);
  for (std::size_t b = 0; b < wanted.backends.size(); ++b) {
    view.backends.push_back(backend_view(index, b));
    if (view.ring_slots != 0) view.backends.back().ring_share = static_cast<double>(slots[b]) / view.ring_slots;
  }
  add_retired(id, view);
  const core::Counter removed = tables_.sum_counter(std::size_t{tables_.sizes.backends} + id);
  view.traffic = {.packets = removed.packets,
                  .bytes = removed.bytes,
                  .new_connections = removed.connections,
                  .active_flows = 0,
                  .refused_connections = removed.refused};
  for (const api::BackendView& backend : view.backends) {
    view.traffic.packets += backend.traffic.packets;
    view.traffic.bytes += backend.traffic.bytes;
    view.traffic.new_connections += backend.traffic.new_connections;
    view.traffic.refused_connections += backend.traffic.refused_connections;
    view.traffic.active_flows += backend.traffic.active_flows;
  }
  view_.services.push_back(std::move(view));
}

void StatusBuilder::add_problems_of_changes() {
  auto& problems = view_.problems;
  if (const auto until = daemon_.confirmation_.until()) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*until - daemon_.confirmation_alarm_.now());
    problems.push_back({"the configuration is not confirmed: in " +
                            std::to_string(std::max<std::int64_t>(left.count(), 0)) + " s what ran before comes back",
                        "astil confirm, or astil rollback"});
  }
  for (const api::ListenerView& listener : view_.listeners) {
    if (!listener.failure.empty())
      problems.push_back(
          {"the API can not be asked at " + listener.where + ": " + listener.failure, "it is tried again"});
  }
  if (!view_.events.failure.empty()) {
    problems.push_back({"the history of states is not kept: " + view_.events.failure,
                        "make room there, and let the daemon write; nothing else is concerned"});
  }
  if (const auto& instead = daemon_.started_instead_) problems.push_back({instead->what, instead->remedy});
  if (const auto& failure = daemon_.history_->failure()) {
    problems.push_back({"the history of configurations can not be written: " + failure->what,
                        "make room there; it is tried again, and nothing else is concerned"});
  }
}

void StatusBuilder::add_problems() {
  auto& problems = view_.problems;
  if (!daemon_.settled_)
    problems.push_back({"the daemon is starting", "health checks and next hops are being looked up"});
  if (const auto& damage = daemon_.site_orders_.damage()) problems.push_back({damage->what, damage->remedy});
  if (const auto& damage = daemon_.orders_.damage()) problems.push_back({damage->what, damage->remedy});
  add_problems_of_changes();
  if (view_.dns) {
    for (const api::DnsReportView& report : view_.dns->reports) {
      if (!report.failure.empty())
        problems.push_back({"site " + report.site + " does not tell of itself: " + report.failure,
                            report.stale ? "what it said last counts no more" : "what it said last counts yet"});
    }
  }
  if (view_.pair && daemon_.settled_) {
    for (const api::ProblemView& problem : pair_problems(*view_.pair)) problems.push_back(problem);
  }
  for (const std::string& failing : daemon_.repairs_.failing()) {
    view_.problems.push_back({"what somebody else has changed is not put right: " + failing, "see the log"});
  }
  for (const Error& failure : daemon_.failures_) {
    problems.push_back({failure.what, failure.remedy.empty() ? "it is tried again; see the daemon's log"
                                                             : failure.remedy + "; it is tried again"});
  }
  for (const api::InterfaceView& interface : view_.interfaces) {
    if (interface.state != "up")
      problems.push_back({"interface " + interface.name + " is " + interface.state, "ip link show " + interface.name});
    if (interface.hook.empty() && interface.state != "missing") {
      problems.push_back({"the packet path is not attached to " + interface.name, "see the daemon's log"});
    }
  }
  for (api::ProblemView& problem : vlan_problems(daemon_.network_->links(), daemon_.model_.interfaces))
    problems.push_back(std::move(problem));
  if (view_.limits_new_flows) {
    problems.push_back({"more than " + std::to_string(daemon_.model_.new_flows_per_second) +
                            " new flows a second come in on a CPU: those above go by the ring, whatever the scheduler",
                        "see whether it is a flood; if not, raise dataplane.new_flows_per_second"});
  }
  for (const api::ServiceView& service : view_.services) {
    const bool none =
        std::none_of(service.backends.begin(), service.backends.end(), [](const auto& b) { return b.in_rotation; });
    if (service.too_few && !none) problems.push_back(too_few_problem(service));
    if (service.discovery && !service.discovery->error.empty()) {
      problems.push_back({"the backends of service " + service.name + " are not as found: " + service.discovery->error +
                              "; the last " + std::to_string(service.discovery->backends) + " stay",
                          "see " + service.discovery->source});
    }
    if (none) {
      const auto ordered = std::count_if(service.backends.begin(), service.backends.end(),
                                         [](const auto& b) { return b.admin != api::AdminState::active; });
      const std::string withdrawn =
          service.too_few && service.when_down == "withdraw" ? ", its address is withdrawn" : "";
      const std::string out = ordered == 0 ? "" : " (" + std::to_string(ordered) + " ordered out)";
      problems.push_back(
          {"service " + service.name + " has no backend in rotation" + out + ": its packets are dropped" + withdrawn,
           ordered == 0 ? "see its backends" : "astil backend activate NAME"});
    }
    for (const api::BackendView& backend : service.backends) {
      const std::string who = "backend " + backend.name + " of service " + service.name;
      if (backend.health.state == api::BackendState::down) {
        problems.push_back(
            {who + " is down: " + backend.health.last_error, "check the server at " + backend.address.to_string()});
      }
      if (!backend.health.suspect.empty())
        problems.push_back(
            {who + " is suspect: " + backend.health.suspect, "its checks are made each second meanwhile"});
      const auto hop = daemon_.network_->next_hop(backend.address);
      if (service.forwarding == "tunnel" && hop.has_value() && hop->source_address.is_unspecified()) {
        problems.push_back(
            {who + " is not used: the balancer has no address to tunnel from to " + backend.address.to_string(),
             "give the interface an address, or set tunnel.source"});
      }
      if (!backend.next_hop.unresolved.empty()) {
        problems.push_back({who + " can not be reached: " + backend.next_hop.unresolved,
                            "ip route get " + backend.address.to_string()});
      }
    }
  }
  const auto any_nat = [this](bool ipv4) {
    const auto& services = daemon_.model_.services;
    return std::any_of(services.begin(), services.end(), [&](const config::Service& service) {
      return service.forwarding == config::Forwarding::nat && service.host.is_v4() == ipv4;
    });
  };
  if (daemon_.model_.engine != config::EngineKind::kernel) return;  // which asks for ways of its own packets
  for (const bool ipv4 : {true, false}) {
    if (!any_nat(ipv4)) continue;
    for (const std::string& name : daemon_.model_.interfaces) {
      const auto forwarding = ipv4 ? net::sysctl_ipv4(name, "forwarding") : net::sysctl_ipv6(name, "forwarding");
      if (!forwarding.has_value() || *forwarding != 0) continue;
      problems.push_back(
          {"replies under nat that come in by " + name + " can not be routed: forwarding is off",
           std::string("sysctl -w net.") + (ipv4 ? "ipv4" : "ipv6") + ".conf." + name + ".forwarding=1"});
    }
  }
}

api::StatusView Daemon::status() const { return StatusBuilder(*this).build(); }

}  // namespace astil::app
