// What the name server says of itself, as text.
#include <utility>

#include "control/cli/render.hpp"

namespace astil::cli {
namespace {

/// Counters that are not 0, of several kinds, as one table.
std::string counters_text(const api::DnsView& dns, Colour colour) {
  Table table({{"WHAT"}, {"WHICH"}, {"COUNT", Align::right}});
  const std::pair<const char*, const std::vector<api::DnsCountView>*> kinds[]{
      {"queries", &dns.queries},       {"types", &dns.types},     {"responses", &dns.responses},
      {"drops", &dns.drops},           {"cookies", &dns.cookies}, {"TCP closed", &dns.tcp_closed},
      {"signatures", &dns.signatures},
  };
  for (const auto& [kind, counts] : kinds) {
    for (const api::DnsCountView& count : *counts) {
      if (count.count != 0) table.add({{kind}, {count.name}, {count_text(count.count)}});
    }
  }
  if (dns.slipped != 0) table.add({{"slipped"}, {""}, {count_text(dns.slipped)}});
  if (dns.truncated != 0) table.add({{"truncated"}, {""}, {count_text(dns.truncated)}});
  return table.text(colour);
}

/// As configured, and what of it is left by the load.
std::string weight_text(const api::DnsSiteView& site) {
  if (!site.weight_by_load) return std::to_string(site.weight);
  return std::to_string(site.weight) + " (" + percent_text(*site.weight_by_load) + ")";
}

std::string reports_text(const std::vector<api::DnsReportView>& reports, Colour colour) {
  if (reports.empty()) return {};
  Table table({{"SITE"}, {"TOLD BY"}, {"AGE", Align::right}, {"STATE"}, {"ANSWERS", Align::right}, {"FAILURE"}});
  for (const api::DnsReportView& report : reports) {
    const Tone tone = report.stale ? Tone::bad : report.failure.empty() ? Tone::good : Tone::warning;
    table.add({{report.site},
               {report.server},
               {report.age_seconds ? std::to_string(static_cast<std::uint64_t>(*report.age_seconds)) + " s" : ""},
               {report.stale             ? "stale"
                : report.failure.empty() ? "heard"
                                         : "failing",
                tone},
               {count_text(report.answers)},
               {printable(report.failure)}});
  }
  return table.text(colour) + "\n";
}

std::string names_text(const std::vector<api::DnsNameView>& names, Colour colour) {
  if (names.empty()) return {};
  Table table({{"NAME"},
               {"POLICY"},
               {"SITE"},
               {"TIER", Align::right},
               {"WEIGHT", Align::right},
               {"FULL", Align::right},
               {"ADDRESS"},
               {"STATE"},
               {"ANSWERS", Align::right},
               {"WHY"}});
  for (const api::DnsNameView& name : names) {
    for (const api::DnsSiteView& site : name.sites) {
      for (const api::DnsAddressView& address : site.addresses) {
        table.add({{name.name},
                   {name.policy},
                   {site.site},
                   {std::to_string(site.tier)},
                   {weight_text(site)},
                   {site.load ? percent_text(*site.load) : ""},
                   {address.address},
                   {address.up ? "up" : "down", address.up ? Tone::good : Tone::bad},
                   {count_text(site.answers)},
                   {printable(address.why)}});
      }
    }
  }
  return table.text(colour) + "\n";
}

}  // namespace

std::string dns_explain_text(const api::DnsExplainView& view, Colour colour) {
  std::string text =
      paint(printable(view.name) + " " + printable(view.type) + ": " + printable(view.code), Tone::strong, colour) +
      "\n";
  for (const std::string& answer : view.answers) text += "  " + printable(answer) + "\n";
  text += "why: " + printable(view.why) + "\n";
  if (!view.names.empty()) text += "\n" + names_text(view.names, colour);
  return text;
}

std::string dns_status_text(const std::optional<api::DnsView>& dns, Colour colour) {
  if (!dns) return "There is no name server: the configuration has no section dns.\n";
  std::string text = "listens at";
  for (const std::string& endpoint : dns->listen) text += " " + printable(endpoint);
  text += ", " + plural(dns->workers, "worker") + ", " + plural(dns->tcp_connections, "TCP connection") + "\n\n";
  Table zones({{"ZONE"}, {"SERIAL", Align::right}, {"NAMES", Align::right}, {"SIGNED BY"}});
  for (const api::DnsZoneView& zone : dns->zones) {
    std::string keys;
    for (const api::DnsKeyView& key : zone.keys)
      keys += (keys.empty() ? "" : ", ") + std::to_string(key.tag) + " " + key.algorithm;
    zones.add({{zone.name}, {std::to_string(zone.serial)}, {count_text(zone.names)}, {keys}});
  }
  return text + zones.text(colour) + "\n" + names_text(dns->names, colour) + reports_text(dns->reports, colour) +
         counters_text(*dns, colour);
}

}  // namespace astil::cli
