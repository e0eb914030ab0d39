#include "control/config/checks_dns.hpp"

#include <map>
#include <string>

#include "control/config/address_kinds.hpp"
#include "control/config/checks_places.hpp"
#include "control/config/checks_sites.hpp"
#include "control/config/keys.hpp"
#include "control/config/utf8.hpp"
#include "control/dns/name.hpp"
#include "control/dns/records.hpp"
#include "control/dns/zone.hpp"

namespace astil::config {
namespace {

std::uint32_t seconds(Milliseconds time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

/// The zone's own records, as far as they are some; `whole` says whether all are.
std::vector<dns::Record> records_of(const ZoneView& zone, Mistakes& mistakes, bool& whole) {
  std::vector<dns::Record> records;
  const Entry* list = zone.entry->value.find("records");
  if (list == nullptr || list->value.kind != Node::Kind::list) return records;
  for (const Node& item : list->value.items) {
    if (item.kind != Node::Kind::scalar || mistakes.at(item.place)) {
      whole = false;
      continue;
    }
    auto record = dns::parse_record(item.text, zone.model->name, seconds(zone.model->ttl));
    if (record.has_error()) {
      mistakes.add(item.place, in_quotes(item.text) + ": " + record.error().what,
                   record.error().remedy.empty() ? "write a line as zone files have it: NAME TTL TYPE DATA"
                                                 : record.error().remedy);
      whole = false;
    } else {
      records.push_back(std::move(*record));
    }
  }
  return records;
}

void check_zone(const ZoneView& zone, const std::vector<ServiceView>& services, std::map<std::string, Place>& tops,
                Mistakes& mistakes) {
  const auto top = dns::name_from_text(zone.model->name);
  if (top.has_error()) {
    if (!mistakes.at(zone.entry->place)) mistakes.add(zone.entry->place, top.error().what, top.error().remedy);
    return;
  }
  const auto [first, is_new] = tops.try_emplace(*top, zone.entry->place);
  if (!is_new) {
    mistakes.add(zone.entry->place, zone.name() + " stands twice" + line_of(first->second), "leave one out");
    return;
  }
  std::vector<std::string> names;
  bool whole = check_names(zone, *top, services, names, mistakes);
  whole = whole && zone.is_sound("ttl") && zone.is_sound("records");
  std::vector<dns::Record> records = records_of(zone, mistakes, whole);
  // What is missing may be in the file.
  if (!whole || zone.entry->value.find("file") != nullptr) return;
  const auto made = dns::Zone::make(*top, std::move(records), names);
  if (made.has_error()) mistakes.add(zone.entry->place, made.error().what, made.error().remedy);
}

/// A service's packets go to its backends before a name server sees them.
void check_endpoint(const Endpoint& endpoint, Place place, const Model& model, const std::vector<ServiceView>& services,
                    Mistakes& mistakes) {
  const std::string shown = show_endpoint(endpoint.host, endpoint.port);
  for (const ServiceView& service : services) {
    if (!service.has_endpoint() || service.model->host != endpoint.host) continue;
    if (service.model->port != endpoint.port && service.model->port != Port{0}) continue;
    mistakes.add(place, shown + " is taken by " + service.name() + line_of(service.place_of("address")),
                 "its packets go to the backends: name another address or port");
    return;
  }
  if (model.metrics == endpoint) mistakes.add(place, shown + " is api.metrics too", "name another address or port");
}

}  // namespace

void check_dns(const Model& model, const std::vector<ServiceView>& services, const Node& root, Mistakes& mistakes) {
  if (!model.dns) return;
  const Node& section = root.find("dns")->value;
  if (const Entry* listen = section.find("listen"); listen != nullptr && listen->value.kind == Node::Kind::list) {
    for (const Node& item : listen->value.items) {
      if (item.kind != Node::Kind::scalar || mistakes.at(item.place)) continue;
      if (const auto endpoint = ListenEndpoint{}.read({item.text, item.quoted}))
        check_endpoint(*endpoint, item.place, model, services, mistakes);
    }
  }
  const Entry* zones = section.find("zones");
  if (zones == nullptr || zones->value.kind != Node::Kind::mapping) return;
  check_places(model, section, mistakes);
  std::map<std::string, Place> tops;
  for (const DnsZone& zone : model.dns->zones) {
    const Entry* entry = zones->value.find(zone.name);
    if (entry->value.kind == Node::Kind::mapping) check_zone({{&zone, entry, &mistakes}}, services, tops, mistakes);
  }
}

}  // namespace astil::config
