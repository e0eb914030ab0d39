// The declarations of the metrics of flow sync.
#include "control/api/metric.hpp"

namespace astil::api {
namespace {

using prometheus::MetricType;

auto once_of_sync(double (*value)(const SyncView&)) {
  return [value](const MetricsSource& source, const Emit& emit) {
    if (source.status.pair && source.status.pair->sync) emit({}, value(*source.status.pair->sync));
  };
}

auto each_of_sync(std::vector<SyncCountView> SyncView::*counts) {
  return [counts](const MetricsSource& source, const Emit& emit) {
    if (!source.status.pair || !source.status.pair->sync) return;
    for (const SyncCountView& count : (*source.status.pair->sync).*counts) emit({count.what}, number(count.count));
  };
}

}  // namespace

std::vector<Metric> sync_metrics() {
  return {
      {"astil_sync_up",
       MetricType::Gauge,
       "1 if there is a session of flow sync with the other node, else 0; absent where ha.sync is not configured.",
       {},
       once_of_sync([](const SyncView& s) { return s.up ? 1.0 : 0.0; })},
      {"astil_sync_peer_complete",
       MetricType::Gauge,
       "1 if the other node has acknowledged all flows that were here when the session began, else 0.",
       {},
       once_of_sync([](const SyncView& s) { return s.peer_has_table ? 1.0 : 0.0; })},
      {"astil_sync_pending_entries",
       MetricType::Gauge,
       "Entries of the tables that are to be sent to the other node yet.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.pending); })},
      {"astil_sync_lag_seconds",
       MetricType::Gauge,
       "The other node has acknowledged what was here so long ago.",
       {},
       once_of_sync([](const SyncView& s) { return s.lag_seconds; })},
      {"astil_sync_full_seconds",
       MetricType::Gauge,
       "How long the last transfer of the other node's whole table took.",
       {},
       once_of_sync([](const SyncView& s) { return s.full_seconds.value_or(0); })},
      {"astil_sync_same_rings",
       MetricType::Gauge,
       "1 if the rings of the two nodes are the same or not known to differ, else 0.",
       {},
       once_of_sync([](const SyncView& s) { return s.same_rings.value_or(true) ? 1.0 : 0.0; })},
      {"astil_sync_sessions_total",
       MetricType::Counter,
       "Sessions that began.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.sessions); })},
      {"astil_sync_sent_bytes_total",
       MetricType::Counter,
       "Bytes of datagrams sent to the other node.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.sent_bytes); })},
      {"astil_sync_received_bytes_total",
       MetricType::Counter,
       "Bytes of the other node's datagrams, authentic and fresh.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.received_bytes); })},
      {"astil_sync_lost_datagrams_total",
       MetricType::Counter,
       "Datagrams that were not acknowledged; what they said is told anew.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.lost_datagrams); })},
      {"astil_sync_send_errors_total",
       MetricType::Counter,
       "Datagrams that the kernel did not take.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.send_errors); })},
      {"astil_sync_bandwidth_limited_total",
       MetricType::Counter,
       "Times that ha.sync.bandwidth was used up.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.bandwidth_limited); })},
      {"astil_sync_rekeyed_total",
       MetricType::Counter,
       "Times that this node took the other one's hash key.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.rekeyed); })},
      {"astil_sync_rekey_lost_total",
       MetricType::Counter,
       "Connections that had no place under the other one's hash key.",
       {},
       once_of_sync([](const SyncView& s) { return number(s.rekey_lost); })},
      {"astil_sync_walk_seconds",
       MetricType::Gauge,
       "How long the last walk over the tables took.",
       {},
       once_of_sync([](const SyncView& s) { return s.walk_seconds; })},
      {"astil_sync_records_total",
       MetricType::Counter,
       "Records of the other node's, by what became of them.",
       {"result"},
       each_of_sync(&SyncView::records)},
      {"astil_sync_dropped_total",
       MetricType::Counter,
       "Datagrams that were dropped, by reason.",
       {"reason"},
       each_of_sync(&SyncView::dropped)},
  };
}

}  // namespace astil::api
