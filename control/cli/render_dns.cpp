// What the name server says of itself, as text.
#include <utility>

#include "control/cli/render.hpp"

namespace astil::cli {
namespace {

/// Counters that are not 0, of several kinds, as one table.
std::string counters_text(const api::DnsView& dns, Colour colour) {
  Table table({{"WHAT"}, {"WHICH"}, {"COUNT", Align::right}});
  const std::pair<const char*, const std::vector<api::DnsCountView>*> kinds[]{
      {"queries", &dns.queries}, {"types", &dns.types},           {"responses", &dns.responses},
      {"drops", &dns.drops},     {"TCP closed", &dns.tcp_closed},
  };
  for (const auto& [kind, counts] : kinds) {
    for (const api::DnsCountView& count : *counts) {
      if (count.count != 0) table.add({{kind}, {count.name}, {count_text(count.count)}});
    }
  }
  if (dns.truncated != 0) table.add({{"truncated"}, {""}, {count_text(dns.truncated)}});
  return table.text(colour);
}

}  // namespace

std::string dns_status_text(const std::optional<api::DnsView>& dns, Colour colour) {
  if (!dns) return "There is no name server: the configuration has no section dns.\n";
  std::string text = "listens at";
  for (const std::string& endpoint : dns->listen) text += " " + printable(endpoint);
  text += ", " + plural(dns->workers, "worker") + ", " + plural(dns->tcp_connections, "TCP connection") + "\n\n";
  Table zones({{"ZONE"}, {"SERIAL", Align::right}, {"NAMES", Align::right}});
  for (const api::DnsZoneView& zone : dns->zones)
    zones.add({{zone.name}, {std::to_string(zone.serial)}, {count_text(zone.names)}});
  return text + zones.text(colour) + "\n" + counters_text(*dns, colour);
}

}  // namespace astil::cli
