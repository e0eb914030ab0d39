// The declarations of the name server's metrics.
#include "control/api/metric.hpp"

namespace astil::api {
namespace {

using prometheus::MetricType;

auto each_count(std::vector<DnsCountView> DnsView::*member) {
  return [member](const MetricsSource& source, const Emit& emit) {
    if (!source.status.dns) return;
    for (const DnsCountView& count : (*source.status.dns).*member) emit({count.name}, static_cast<double>(count.count));
  };
}

auto single(std::uint64_t DnsView::*member) {
  return [member](const MetricsSource& source, const Emit& emit) {
    if (source.status.dns) emit({}, static_cast<double>((*source.status.dns).*member));
  };
}

void collect_sites_up(const MetricsSource& source, const Emit& emit) {
  if (!source.status.dns) return;
  for (const DnsNameView& name : source.status.dns->names) {
    for (const DnsSiteView& site : name.sites) {
      double up = 0;
      for (const DnsAddressView& address : site.addresses) up += address.up ? 1 : 0;
      emit({name.name, site.site}, up / static_cast<double>(site.addresses.size()));
    }
  }
}

void collect_site_answers(const MetricsSource& source, const Emit& emit) {
  if (!source.status.dns) return;
  for (const DnsNameView& name : source.status.dns->names) {
    for (const DnsSiteView& site : name.sites)
      emit({name.name, site.site, name.policy}, static_cast<double>(site.answers));
  }
}

/// What a site of a name has by its load.
auto each_loaded(std::optional<double> DnsSiteView::*member) {
  return [member](const MetricsSource& source, const Emit& emit) {
    if (!source.status.dns) return;
    for (const DnsNameView& name : source.status.dns->names) {
      for (const DnsSiteView& site : name.sites) {
        if (const auto& value = site.*member) emit({name.name, site.site}, *value);
      }
    }
  };
}

void collect_reports(const MetricsSource& source, const Emit& emit) {
  if (!source.status.dns) return;
  for (const DnsReportView& report : source.status.dns->reports) {
    emit({report.site, "answered"}, static_cast<double>(report.answers));
    emit({report.site, "failed"}, static_cast<double>(report.failures));
  }
}

void collect_report_ages(const MetricsSource& source, const Emit& emit) {
  if (!source.status.dns) return;
  for (const DnsReportView& report : source.status.dns->reports) {
    if (report.age_seconds) emit({report.site}, *report.age_seconds);
  }
}

}  // namespace

std::vector<Metric> dns_metrics() {
  return {
      {"astil_dns_queries_total",
       MetricType::Counter,
       "Messages that came to the name server.",
       {"transport"},
       each_count(&DnsView::queries)},
      {"astil_dns_query_types_total",
       MetricType::Counter,
       "Queries that could be read, by the type that is asked for.",
       {"type"},
       each_count(&DnsView::types)},
      {"astil_dns_responses_total",
       MetricType::Counter,
       "Responses, by response code.",
       {"code"},
       each_count(&DnsView::responses)},
      {"astil_dns_drops_total",
       MetricType::Counter,
       "Messages that got no response, by reason.",
       {"reason"},
       each_count(&DnsView::drops)},
      {"astil_dns_truncated_total",
       MetricType::Counter,
       "Responses that did not fit, and told the client to ask by TCP.",
       {},
       single(&DnsView::truncated)},
      {"astil_dns_queries_not_logged_total",
       MetricType::Counter,
       "Queries that were to be written to the log and were not, since there were too many.",
       {},
       single(&DnsView::queries_not_logged)},
      {"astil_dns_slipped_total",
       MetricType::Counter,
       "Responses that were truncated since the client's network was above its limit.",
       {},
       single(&DnsView::slipped)},
      {"astil_dns_cookies_total",
       MetricType::Counter,
       "Queries with a cookie: a good one of ours, a bad one, or none but the client's part.",
       {"cookie"},
       each_count(&DnsView::cookies)},
      {"astil_dns_signatures_total",
       MetricType::Counter,
       "Record sets of signed zones that were answered with signatures: made for it, kept from an answer before, or "
       "failed, when the answer is SERVFAIL.",
       {"how"},
       each_count(&DnsView::signatures)},
      {"astil_dns_tcp_connections",
       MetricType::Gauge,
       "TCP connections of clients of the name server.",
       {},
       single(&DnsView::tcp_connections)},
      {"astil_dns_tcp_opened_total",
       MetricType::Counter,
       "TCP connections that were taken.",
       {},
       single(&DnsView::tcp_opened)},
      {"astil_dns_tcp_closed_total",
       MetricType::Counter,
       "TCP connections that ended, by reason.",
       {"reason"},
       each_count(&DnsView::tcp_closed)},
      {"astil_dns_site_up_ratio",
       MetricType::Gauge,
       "The part of a site's addresses of a name that are up, 0 to 1.",
       {"name", "site"},
       collect_sites_up},
      {"astil_dns_site_answers_total",
       MetricType::Counter,
       "Answers of a name that had the site's addresses.",
       {"name", "site", "policy"},
       collect_site_answers},
      {"astil_dns_site_load_ratio",
       MetricType::Gauge,
       "How full a site of a name is that is answered by load: connections to capacity.",
       {"name", "site"},
       each_loaded(&DnsSiteView::load)},
      {"astil_dns_site_weight_ratio",
       MetricType::Gauge,
       "Weight of a site of a name that is answered by load, to the most that a site of it can have.",
       {"name", "site"},
       each_loaded(&DnsSiteView::weight_by_load)},
      {"astil_dns_site_reports_total",
       MetricType::Counter,
       "How often a site elsewhere was asked for its health and load, by what came of it.",
       {"site", "result"},
       collect_reports},
      {"astil_dns_site_report_age_seconds",
       MetricType::Gauge,
       "How old the last answer of such a site is.",
       {"site"},
       collect_report_ages},
  };
}

}  // namespace astil::api
