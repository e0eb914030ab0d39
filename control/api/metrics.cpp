// The declarations of all metrics, and what walks them.
#include "control/api/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <functional>
#include <map>
#include <span>
#include <string_view>

#include "control/api/metric.hpp"

namespace astil::api {
namespace {

using prometheus::MetricType;

double seconds(TimePoint time) {
  return std::chrono::duration<double>(std::chrono::floor<std::chrono::seconds>(time.time_since_epoch())).count();
}

/// One sample of the whole daemon.
auto once(double (*value)(const StatusView&)) {
  return [value](const MetricsSource& source, const Emit& emit) { emit({}, value(source.status)); };
}

auto each_service(double (*value)(const ServiceView&)) {
  return [value](const MetricsSource& source, const Emit& emit) {
    for (const auto& service : source.status.services) emit({service.name}, value(service));
  };
}

/// Every backend, retired ones too: of what it carries.
auto each_backend(double (*value)(const BackendView&)) {
  return [value](const MetricsSource& source, const Emit& emit) {
    for (const auto& service : source.status.services) {
      for (const auto& backend : service.backends) emit({service.name, backend.name}, value(backend));
    }
  };
}

/// Those in the configuration: nothing is asked, or known, of the others.
auto each_configured(double (*value)(const BackendView&)) {
  return [value](const MetricsSource& source, const Emit& emit) {
    for (const auto& service : source.status.services) {
      for (const auto& backend : service.backends) {
        if (!backend.retired) emit({service.name, backend.name}, value(backend));
      }
    }
  };
}

void collect_build(const MetricsSource& source, const Emit& emit) {
  emit({source.status.version, source.status.engine, std::to_string(source.status.layout_version)}, 1);
}

void collect_applies(const MetricsSource& source, const Emit& emit) {
  emit({"ok"}, number(source.status.config.applies_ok));
  emit({"refused"}, number(source.status.config.applies_refused));
}

void collect_orders(const MetricsSource& source, const Emit& emit) {
  emit({"ok"}, number(source.status.orders_ok));
  emit({"refused"}, number(source.status.orders_refused));
}

void collect_changes(const MetricsSource& source, const Emit& emit) {
  emit({"ok"}, number(source.status.api.changes_ok));
  emit({"refused"}, number(source.status.api.changes_refused));
}

void collect_not_let_in(const MetricsSource& source, const Emit& emit) {
  const ApiView& api = source.status.api;
  emit({"no-token"}, number(api.no_token));
  emit({"role"}, number(api.forbidden));
  emit({"handshake"}, number(api.failed_handshakes));
  emit({"timeout"}, number(api.timed_out));
}

void collect_repairs(const MetricsSource& source, const Emit& emit) {
  for (const auto& repair : source.status.repairs) {
    emit({repair.what, "ok"}, number(repair.done));
    emit({repair.what, "failed"}, number(repair.failed));
  }
}

void collect_found(const MetricsSource& source, const Emit& emit) {
  for (const auto& service : source.status.services) {
    if (service.discovery) emit({service.name}, number(service.discovery->backends));
  }
}

void collect_discoveries(const MetricsSource& source, const Emit& emit) {
  for (const auto& service : source.status.services) {
    if (!service.discovery) continue;
    emit({service.name, "ok"}, number(service.discovery->followed));
    emit({service.name, "failed"}, number(service.discovery->failed));
    emit({service.name, "refused"}, number(service.discovery->refused));
  }
}

void collect_found_at(const MetricsSource& source, const Emit& emit) {
  for (const auto& service : source.status.services) {
    if (service.discovery && service.discovery->at) emit({service.name}, seconds(*service.discovery->at));
  }
}

void collect_held(const MetricsSource& source, const Emit& emit) {
  for (const auto& service : source.status.services) {
    for (const auto& backend : service.backends) {
      if (!backend.retired) emit({service.name, backend.name}, backend.health.held_seconds ? 1 : 0);
    }
  }
}

void collect_empty_in(const MetricsSource& source, const Emit& emit) {
  for (const auto& service : source.status.services) {
    for (const auto& backend : service.backends) {
      if (backend.empty_in_seconds) emit({service.name, backend.name}, *backend.empty_in_seconds);
    }
  }
}

void collect_reloads(const MetricsSource& source, const Emit& emit) {
  emit({"ok"}, number(source.status.config.reloads_ok));
  emit({"refused"}, number(source.status.config.reloads_refused));
}

void collect_listen_failures(const MetricsSource& source, const Emit& emit) {
  for (const auto& listener : source.status.listeners) emit({listener.name}, number(listener.failures));
}

void collect_last_apply(const MetricsSource& source, const Emit& emit) {
  if (const auto& at = source.status.config.applied_at) emit({}, seconds(*at));
}

void collect_last_refusal(const MetricsSource& source, const Emit& emit) {
  if (const auto& at = source.status.config.last_refused_at) emit({}, seconds(*at));
}

void collect_interfaces(const MetricsSource& source, const Emit& emit) {
  for (const auto& i : source.status.interfaces) emit({i.name, i.hook}, i.state == "up" ? 1 : 0);
}

auto each_port(std::uint64_t PortView::*member) {
  return [member](const MetricsSource& source, const Emit& emit) {
    for (const auto& port : source.status.ports) emit({port.interface}, number(port.*member));
  };
}

auto each_queue(std::uint64_t QueueView::*member) {
  return [member](const MetricsSource& source, const Emit& emit) {
    for (const auto& port : source.status.ports) {
      for (std::size_t i = 0; i < port.queues.size(); ++i)
        emit({port.interface, std::to_string(i)}, number(port.queues[i].*member));
    }
  };
}

auto each_worker(std::uint64_t WorkerView::*member) {
  return [member](const MetricsSource& source, const Emit& emit) {
    for (std::size_t i = 0; i < source.status.workers.size(); ++i)
      emit({std::to_string(i)}, number(source.status.workers[i].*member));
  };
}

void collect_port_states(const MetricsSource& source, const Emit& emit) {
  for (const auto& port : source.status.ports) emit({port.interface, port.driver}, port.state == "open" ? 1 : 0);
}

void collect_sleep(const MetricsSource& source, const Emit& emit) {
  for (std::size_t i = 0; i < source.status.workers.size(); ++i)
    emit({std::to_string(i)}, source.status.workers[i].slept_seconds);
}

void collect_drops(const MetricsSource& source, const Emit& emit) {
  for (const auto& drop : source.drops.drops) {
    std::map<std::string_view, std::uint64_t> counts;
    for (const auto& [service, count] : drop.services) counts[service] = count;
    for (const auto& service : source.status.services) emit({service.name, drop.reason}, number(counts[service.name]));
    emit({"", drop.reason}, number(drop.without_service));
  }
}

void collect_checks(const MetricsSource& source, const Emit& emit) {
  for (const auto& service : source.status.services) {
    for (const auto& backend : service.backends) {
      if (backend.retired) continue;
      emit({service.name, backend.name, "ok"}, number(backend.health.checks_ok));
      emit({service.name, backend.name, "failed"}, number(backend.health.checks_failed));
      emit({service.name, backend.name, "not_made"}, number(backend.health.checks_not_made));
    }
  }
}

void collect_check_durations(const MetricsSource& source, const Emit& emit) {
  for (const auto& service : source.status.services) {
    for (const auto& backend : service.backends) {
      if (backend.retired) continue;
      if (const auto& took = backend.health.last_check_seconds) emit({service.name, backend.name}, *took);
    }
  }
}

void collect_flow_events(const MetricsSource& source, const Emit& emit) {
  for (const auto& event : source.status.flow_events) emit({event.event}, number(event.count));
}

auto each_table(std::uint64_t TableView::*member) {
  return [member](const MetricsSource& source, const Emit& emit) {
    for (const auto& table : source.status.tables) emit({table.name}, number(table.*member));
  };
}

double configured(const ServiceView& service) {
  double count = 0;
  for (const auto& backend : service.backends) count += backend.retired ? 0 : 1;
  return count;
}

double in_rotation(const ServiceView& service) {
  double count = 0;
  for (const auto& backend : service.backends) count += backend.in_rotation ? 1 : 0;
  return count;
}

/// With those that are declared in files of their own.
std::vector<Metric> with_more(std::vector<Metric> metrics) {
  for (Metric& metric : dns_metrics()) metrics.push_back(std::move(metric));
  for (Metric& metric : pair_metrics()) metrics.push_back(std::move(metric));
  for (Metric& metric : sync_metrics()) metrics.push_back(std::move(metric));
  return metrics;
}

// The order is the order of the reference page and of a scrape.
const std::vector<Metric>& all_metrics() {
  using S = ServiceView;
  using B = BackendView;
  static const std::vector<std::string_view> kService{"service"};
  static const std::vector<std::string_view> kBackend{"service", "backend"};
  static const std::vector<std::string_view> kPort{"interface"};
  static const std::vector<std::string_view> kQueue{"interface", "worker"};
  static const std::vector<std::string_view> kWorker{"worker"};
  static const std::vector<Metric> kMetrics = with_more({
      {"astil_build_info",
       MetricType::Gauge,
       "Always 1; the labels say which build runs.",
       {"version", "engine", "layout"},
       collect_build},
      {"astil_start_time_seconds",
       MetricType::Gauge,
       "When the daemon started, in seconds since the epoch.",
       {},
       once([](const StatusView& s) { return seconds(s.started_at); })},
      {"astil_problems",
       MetricType::Gauge,
       "Problems that `astil status` lists now.",
       {},
       once([](const StatusView& s) { return number(s.problems.size()); })},
      {"astil_config_applies_total",
       MetricType::Counter,
       "Attempts to apply a configuration since the daemon started, by result: ok or refused.",
       {"result"},
       collect_applies},
      {"astil_config_last_apply_timestamp_seconds",
       MetricType::Gauge,
       "When the running configuration was applied, in seconds since the epoch.",
       {},
       collect_last_apply},
      {"astil_config_last_refusal_timestamp_seconds",
       MetricType::Gauge,
       "When a configuration was last refused, in seconds since the epoch; absent if none was.",
       {},
       collect_last_refusal},
      {"astil_backend_orders_total",
       MetricType::Counter,
       "Orders to drain, maintain or activate a backend since the daemon started, by result: ok or refused.",
       {"result"},
       collect_orders},
      {"astil_events_total",
       MetricType::Counter,
       "Changes of state, as astil events lists them, since the history of states began.",
       {},
       once([](const StatusView& s) { return number(s.events.number); })},
      {"astil_event_followers", MetricType::Gauge, "Clients that follow events now.", {}, once([](const StatusView& s) {
         return number(s.events.followers);
       })},
      {"astil_event_followers_dropped_total",
       MetricType::Counter,
       "Clients that were dropped since they did not take events in time, since the daemon started.",
       {},
       once([](const StatusView& s) { return number(s.events.slow); })},
      {"astil_events_not_kept_total",
       MetricType::Counter,
       "Changes of state that could not be written to the history's file, since the daemon started.",
       {},
       once([](const StatusView& s) { return number(s.events.unkept); })},
      {"astil_capture_running",
       MetricType::Gauge,
       "1 while packets are captured, else 0.",
       {},
       once([](const StatusView& s) { return s.capture.empty() ? 0.0 : 1.0; })},
      {"astil_flows_given_up_total",
       MetricType::Counter,
       "Flows of removed backends that were given up at the service's removal_limit, since the daemon started.",
       {},
       once([](const StatusView& s) { return number(s.flows_given_up); })},
      {"astil_config_reloads_total",
       MetricType::Counter,
       "SIGHUPs since the daemon started, by what became of the file: ok or refused.",
       {"result"},
       collect_reloads},
      {"astil_config_taken_back_total",
       MetricType::Counter,
       "Changes that were taken back since nobody confirmed them, since the daemon started.",
       {},
       once([](const StatusView& s) { return number(s.config.taken_back); })},
      {"astil_config_rollbacks_total",
       MetricType::Counter,
       "Rollbacks that were asked for and done since the daemon started.",
       {},
       once([](const StatusView& s) { return number(s.config.rollbacks); })},
      {"astil_config_awaits_confirmation",
       MetricType::Gauge,
       "1 while a change waits for its confirmation, else 0.",
       {},
       once([](const StatusView& s) { return s.config.confirm_by ? 1.0 : 0.0; })},
      {"astil_config_history_write_errors_total",
       MetricType::Counter,
       "Attempts to write the history of configurations that failed, since the daemon started.",
       {},
       once([](const StatusView& s) { return number(s.config.history_write_errors); })},
      {"astil_repairs_total",
       MetricType::Counter,
       "What was changed behind the daemon's back and put right, since the daemon started, by what it was (attachment, "
       "pin, table, address, next-hop, probe) and result: ok or failed.",
       {"what", "result"},
       collect_repairs},
      {"astil_api_changes_total",
       MetricType::Counter,
       "Changes that were asked of the API, since the daemon started, by result: ok or refused.",
       {"result"},
       collect_changes},
      {"astil_api_not_let_in_total",
       MetricType::Counter,
       "Requests to the API that were not answered, since the daemon started, by reason: no-token (without a valid "
       "one), "
       "role (it may not), handshake (no TLS came about), timeout (over the network, in the middle of a request).",
       {"reason"},
       collect_not_let_in},
      {"astil_api_remote_connections",
       MetricType::Gauge,
       "Connections to api.remote now.",
       {},
       once([](const StatusView& s) { return number(s.api.connections); })},
      {"astil_api_listen_failures_total",
       MetricType::Counter,
       "Attempts to listen for requests that failed, and losses of the socket's file, since the daemon started, by "
       "listener: socket, metrics or remote.",
       {"listener"},
       collect_listen_failures},
      {"astil_interface_up",
       MetricType::Gauge,
       "1 if the interface is up and has a carrier, else 0.",
       {"interface", "hook"},
       collect_interfaces},
      {"astil_port_open",
       MetricType::Gauge,
       "Of engine dpdk: 1 if the port is open, else 0.",
       {"interface", "driver"},
       collect_port_states},
      {"astil_port_missed_packets_total", MetricType::Counter,
       "Packets that came while the port's receive queues were full.", kPort, each_port(&PortView::missed)},
      {"astil_port_errors_total", MetricType::Counter, "Packets that came broken.", kPort,
       each_port(&PortView::errors)},
      {"astil_port_no_buffer_total", MetricType::Counter, "Packets that came while no packet buffer was free.", kPort,
       each_port(&PortView::no_buffer)},
      {"astil_port_from_kernel_packets_total", MetricType::Counter, "Packets that the kernel sent by the port.", kPort,
       each_port(&PortView::from_kernel)},
      {"astil_port_from_kernel_lost_total", MetricType::Counter,
       "Packets that the kernel sent by the port, lost since its worker was behind.", kPort,
       each_port(&PortView::from_kernel_lost)},
      {"astil_port_kernel_refused_total", MetricType::Counter,
       "Packets handed to the kernel by an interface that was down, or overrun.", kPort,
       each_port(&PortView::kernel_refused)},
      {"astil_queue_received_packets_total", MetricType::Counter, "Packets received by the port's queue.", kQueue,
       each_queue(&QueueView::received_packets)},
      {"astil_queue_received_bytes_total", MetricType::Counter, "Bytes of frames received by the port's queue.", kQueue,
       each_queue(&QueueView::received_bytes)},
      {"astil_queue_sent_packets_total", MetricType::Counter, "Packets sent by the port's queue.", kQueue,
       each_queue(&QueueView::sent_packets)},
      {"astil_queue_sent_bytes_total", MetricType::Counter, "Bytes of frames sent by the port's queue.", kQueue,
       each_queue(&QueueView::sent_bytes)},
      {"astil_queue_not_sent_total", MetricType::Counter, "Packets lost since the port's queue took no more.", kQueue,
       each_queue(&QueueView::not_sent)},
      {"astil_queue_to_kernel_total", MetricType::Counter, "Packets handed to the kernel: not ours.", kQueue,
       each_queue(&QueueView::to_kernel)},
      {"astil_queue_to_kernel_lost_total", MetricType::Counter, "Such packets that were lost since it was behind.",
       kQueue, each_queue(&QueueView::to_kernel_lost)},
      {"astil_worker_polls_total", MetricType::Counter, "Rounds of the worker over its queues.", kWorker,
       each_worker(&WorkerView::polls)},
      {"astil_worker_empty_polls_total", MetricType::Counter, "Rounds that found no packet.", kWorker,
       each_worker(&WorkerView::empty_polls)},
      {"astil_worker_sleeps_total", MetricType::Counter, "How often the worker slept for want of packets.", kWorker,
       each_worker(&WorkerView::sleeps)},
      {"astil_worker_slept_seconds_total", MetricType::Counter, "How long.", kWorker, collect_sleep},
      {"astil_worker_bursts_total", MetricType::Counter, "Bursts of packets that the worker took.", kWorker,
       each_worker(&WorkerView::bursts)},
      {"astil_worker_full_bursts_total", MetricType::Counter,
       "Bursts of as many packets as dataplane.dpdk.burst lets be.", kWorker, each_worker(&WorkerView::full_bursts)},
      {"astil_worker_packets_total", MetricType::Counter, "Packets in the worker's bursts.", kWorker,
       each_worker(&WorkerView::packets)},
      {"astil_worker_unfit_total", MetricType::Counter, "Frames lost since they were longer than a packet buffer.",
       kWorker, each_worker(&WorkerView::unfit)},
      {"astil_worker_strays_total", MetricType::Counter,
       "Packets lost since they were to leave by an interface without "
       "a port.",
       kWorker, each_worker(&WorkerView::strays)},
      {"astil_worker_events_lost_total", MetricType::Counter, "What the worker could not tell the daemon in time.",
       kWorker, each_worker(&WorkerView::events_lost)},
      {"astil_drops_total",
       MetricType::Counter,
       "Packets dropped, by service and reason; `astil drops` describes each. An empty service: packets for "
       "no service in particular.",
       {"service", "reason"},
       collect_drops},
      {"astil_table_entries",
       MetricType::Gauge,
       "Entries in use in a table of the packet path.",
       {"table"},
       each_table(&TableView::used)},
      {"astil_table_capacity",
       MetricType::Gauge,
       "Entries that a table of the packet path can hold.",
       {"table"},
       each_table(&TableView::capacity)},
      {"astil_flow_table_events_total",
       MetricType::Counter,
       "What befell entries of the flow table and new flows, by event: docs/operations.md describes each.",
       {"event"},
       collect_flow_events},
      {"astil_new_flows_limited",
       MetricType::Gauge,
       "1 while more new flows come in than dataplane.new_flows_per_second lets in, and for 30 s after, else 0.",
       {},
       once([](const StatusView& s) { return s.limits_new_flows ? 1.0 : 0.0; })},

      {"astil_service_packets_total", MetricType::Counter, "Packets forwarded for the service.", kService,
       each_service([](const S& s) { return number(s.traffic.packets); })},
      {"astil_service_bytes_total", MetricType::Counter,
       "Bytes of IP datagrams forwarded for the service, as received.", kService,
       each_service([](const S& s) { return number(s.traffic.bytes); })},
      {"astil_service_connections_total", MetricType::Counter, "Connections placed on a backend of the service.",
       kService, each_service([](const S& s) { return number(s.traffic.new_connections); })},
      {"astil_service_active_flows", MetricType::Gauge, "Flows of the service in the flow table.", kService,
       each_service([](const S& s) { return number(s.traffic.active_flows); })},
      {"astil_service_backends", MetricType::Gauge, "Backends that are configured for the service.", kService,
       each_service(configured)},
      {"astil_service_backends_in_rotation", MetricType::Gauge, "Backends of the service that get new connections.",
       kService, each_service(in_rotation)},
      {"astil_service_minimum_backends", MetricType::Gauge,
       "Backends of the service that must be in rotation; with fewer its when_down applies.", kService,
       each_service([](const S& s) { return number(s.minimum_up); })},
      {"astil_service_too_few_backends", MetricType::Gauge,
       "1 while fewer backends of the service are in rotation than must be, and its when_down applies, else 0.",
       kService, each_service([](const S& s) { return s.too_few ? 1.0 : 0.0; })},
      {"astil_service_ring_slots", MetricType::Gauge, "Length of the service's ring.", kService,
       each_service([](const S& s) { return number(s.ring_slots); })},

      {"astil_backend_packets_total", MetricType::Counter, "Packets forwarded to, and under nat from, the backend.",
       kBackend, each_backend([](const B& b) { return number(b.traffic.packets); })},
      {"astil_backend_bytes_total", MetricType::Counter,
       "Bytes of IP datagrams forwarded to, and under nat from, the backend, as received.", kBackend,
       each_backend([](const B& b) { return number(b.traffic.bytes); })},
      {"astil_backend_connections_total", MetricType::Counter, "Connections placed on the backend.", kBackend,
       each_backend([](const B& b) { return number(b.traffic.new_connections); })},
      {"astil_backend_active_flows", MetricType::Gauge, "Flows of the backend in the flow table.", kBackend,
       each_backend([](const B& b) { return number(b.traffic.active_flows); })},
      {"astil_backend_up", MetricType::Gauge, "0 if the backend's health checks say it is down, else 1.", kBackend,
       each_configured([](const B& b) { return b.health.state == BackendState::down ? 0.0 : 1.0; })},
      {"astil_backend_state_change_timestamp_seconds", MetricType::Gauge,
       "When the backend last went up or down, in seconds since the epoch.", kBackend,
       each_configured([](const B& b) { return seconds(b.health.since); })},
      {"astil_backend_checks_total",
       MetricType::Counter,
       "Health checks of the backend, by result: ok, failed, or not_made (this host could not make it, or forwarded "
       "nothing meanwhile; it changes no state).",
       {"service", "backend", "result"},
       collect_checks},
      {"astil_backend_check_duration_seconds", MetricType::Gauge,
       "How long the backend's last health check took; absent before the first.", kBackend, collect_check_durations},
      {"astil_backend_held", MetricType::Gauge, "1 while the backend is held out of rotation since it flaps, else 0.",
       kBackend, collect_held},
      {"astil_backend_holds_total", MetricType::Counter,
       "How often the backend was held out since it flapped, since the daemon started.", kBackend,
       each_configured([](const BackendView& b) { return number(b.health.holds); })},
      {"astil_backend_suspect", MetricType::Gauge,
       "1 while clients' connections tell against the backend, and it is checked each second, else 0.", kBackend,
       each_configured([](const BackendView& b) { return number(b.health.suspect.empty() ? 0 : 1); })},
      {"astil_backend_refused_connections_total", MetricType::Counter,
       "Connections that the backend reset in answer to the SYN, under nat and full-nat.", kBackend,
       each_configured([](const BackendView& b) { return number(b.traffic.refused_connections); })},
      {"astil_discovery_backends",
       MetricType::Gauge,
       "Backends of the service that are found.",
       {"service"},
       collect_found},
      {"astil_discovery_total",
       MetricType::Counter,
       "Attempts to find the service's backends since the daemon started, by result: ok, failed (no answer), refused "
       "(an "
       "answer that was not followed).",
       {"service", "result"},
       collect_discoveries},
      {"astil_discovery_last_success_timestamp_seconds",
       MetricType::Gauge,
       "When the service's backends were last found.",
       {"service"},
       collect_found_at},
      {"astil_backend_in_rotation", MetricType::Gauge, "1 if the backend gets new connections, else 0.", kBackend,
       each_configured([](const B& b) { return b.in_rotation ? 1.0 : 0.0; })},
      {"astil_backend_draining", MetricType::Gauge,
       "1 if the backend gets no new connections while those it has are served, else 0.", kBackend,
       each_backend([](const B& b) { return b.draining ? 1.0 : 0.0; })},
      {"astil_backend_weight_share", MetricType::Gauge,
       "What the backend has of its weight: less than 1 while it starts slowly.", kBackend,
       each_configured([](const B& b) { return b.weight_share; })},
      {"astil_backend_empty_in_seconds", MetricType::Gauge,
       "When a draining backend's last flow will have ended, at the pace of the last minute; absent where that can "
       "not "
       "be told.",
       kBackend, collect_empty_in},
      {"astil_backend_ordered_drain", MetricType::Gauge, "1 if the operator has ordered drain for the backend, else 0.",
       kBackend, each_configured([](const B& b) { return b.admin == AdminState::drain ? 1.0 : 0.0; })},
      {"astil_backend_ordered_maintenance", MetricType::Gauge,
       "1 if the operator has ordered maintenance for the backend, else 0.", kBackend,
       each_configured([](const B& b) { return b.admin == AdminState::maintenance ? 1.0 : 0.0; })},
      {"astil_backend_next_hop_resolved", MetricType::Gauge,
       "1 if the way to the backend is known down to the neighbour's MAC, else 0.", kBackend,
       each_configured([](const B& b) { return b.next_hop.mac.empty() ? 0.0 : 1.0; })},
      {"astil_backend_weight", MetricType::Gauge, "The backend's configured weight.", kBackend,
       each_configured([](const B& b) { return number(b.weight); })},
      {"astil_backend_ring_ratio", MetricType::Gauge, "The backend's part of its service's ring, 0 to 1.", kBackend,
       each_configured([](const B& b) { return b.ring_share; })},
  });
  return kMetrics;
}

prometheus::MetricFamily sample(const Metric& metric, const MetricsSource& source) {
  prometheus::MetricFamily family{std::string(metric.name), std::string(metric.help), metric.type, {}};
  metric.collect(source, [&](std::vector<std::string> values, double value) {
    auto& entry = family.metric.emplace_back();
    for (std::size_t i = 0; i < metric.labels.size(); ++i) {
      entry.label.push_back({std::string(metric.labels[i]), std::move(values.at(i))});
    }
    (metric.type == MetricType::Counter ? entry.counter.value : entry.gauge.value) = value;
  });
  return family;
}

}  // namespace

std::string metrics_text(const MetricsSource& source) {
  std::string text;
  // Family by family, so that the library's large sample structs never all exist at once.
  for (const auto& metric : all_metrics()) {
    const auto family = sample(metric, source);
    if (!family.metric.empty()) text += prometheus::TextSerializer().Serialize({family});
  }
  return text;
}

std::string metrics_reference() {
  std::string page =
      "# Metrics\n\n"
      "What `GET /metrics` answers, on the daemon's Unix socket and on the TCP endpoint that the configuration's\n"
      "`api.metrics` names. This page is made from the declarations in `control/api/metrics.cpp`.\n\n"
      "Counters of packets, bytes, connections and drops live in the packet path's tables: they survive a restart of "
      "the\n"
      "daemon and go along to tables of other sizes. They start at 0 when a service or backend is added again.\n\n"
      "A backend that was removed, or got another address, and still has flows shows what it carries until they have\n"
      "ended; its label `backend` is then its address and port.\n\n"
      "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const auto& metric : all_metrics()) {
    std::string labels;
    for (const auto label : metric.labels) labels += (labels.empty() ? "`" : ", `") + std::string(label) + "`";
    page += "| `" + std::string(metric.name) + "` | " + (metric.type == MetricType::Counter ? "counter" : "gauge") +
            " | " + labels + " | " + std::string(metric.help) + " |\n";
  }
  return page;
}

}  // namespace astil::api
