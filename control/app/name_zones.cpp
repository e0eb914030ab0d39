#include "control/app/name_zones.hpp"

#include <algorithm>

#include "control/app/name_maps.hpp"
#include "control/dns/key_files.hpp"
#include "control/dns/name.hpp"
#include "control/dns/signer.hpp"

namespace astil::app {
namespace {

dns::Policy policy_of(config::DnsPolicy policy) {
  switch (policy) {
    case config::DnsPolicy::failover:
      return dns::Policy::failover;
    case config::DnsPolicy::weighted:
      return dns::Policy::weighted;
    case config::DnsPolicy::load:  // with weights that follow it
      return dns::Policy::weighted;
    case config::DnsPolicy::hash:
      return dns::Policy::hash;
    case config::DnsPolicy::nearest:
      return dns::Policy::nearest;
    case config::DnsPolicy::all:
      break;
  }
  return dns::Policy::all;
}

dns::AllDown rule_of(config::DnsAllDown rule) {
  switch (rule) {
    case config::DnsAllDown::fail_open:
      return dns::AllDown::fail_open;
    case config::DnsAllDown::last_known:
      return dns::AllDown::last_known;
    case config::DnsAllDown::fallback:
      return dns::AllDown::fallback;
    case config::DnsAllDown::servfail:
      return dns::AllDown::server_failure;
    case config::DnsAllDown::refused:
      break;
  }
  return dns::AllDown::refused;
}

/// FNV-1a: the same at every server, whatever it is built with.
std::uint64_t seed_of(const std::string& site) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : site) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

/// What names are made from, beside what the configuration says of each.
struct Sources {
  const std::vector<config::Service>& services;
  const std::vector<config::DnsMap>& maps;
  NameMaps read;  ///< what the maps' files say
};

/// None where it is not wanted.
std::string service_of(const std::optional<config::DnsHttps>& wanted) {
  if (!wanted) return {};
  return dns::service_data(wanted->alpn, static_cast<std::uint16_t>(wanted->port.value_or(config::Port{})));
}

dns::DynamicName to_name(const config::DnsName& wanted, const std::string& whole, const Sources& sources) {
  dns::DynamicName name{.name = dns::name_to_text(whole),
                        .policy = policy_of(wanted.policy),
                        .at_most = wanted.at_most.value_or(1),
                        .least_ttl = seconds_of(wanted.least_ttl),
                        .most_ttl = seconds_of(wanted.most_ttl),
                        .when_down = rule_of(wanted.when_down),
                        .fallback = {},
                        .https = {},
                        .svcb = {},
                        .sites = {},
                        .regions = nullptr,
                        .near = {}};
  if (wanted.policy == config::DnsPolicy::nearest) {
    const auto is_it = [&](const config::DnsMap& map) { return map.name == wanted.map; };
    name.near = nearness(*std::find_if(sources.maps.begin(), sources.maps.end(), is_it), wanted.sites);
    name.regions = sources.read.at(wanted.map);
  }
  name.https = service_of(wanted.https);
  name.svcb = service_of(wanted.svcb);
  for (const config::address& host : wanted.fallback) name.fallback.push_back(to_site_address(host));
  for (const config::DnsSite& site : wanted.sites) {
    dns::SiteUse use{.site = site.name,
                     .tier = site.tier,
                     .weight = static_cast<unsigned>(site.weight),
                     .addresses = {},
                     .seed = seed_of(site.name),
                     .answers = nullptr};
    for (const config::address& host : addresses_of(site, sources.services))
      use.addresses.push_back(to_site_address(host));
    name.sites.push_back(std::move(use));
  }
  return name;
}

/// What the zone is signed with. Its DNSKEY records are added to the others, which are made so that they can be signed.
Result<std::shared_ptr<const dns::Signer>> make_signer(const config::DnsSigning& wanted, const std::string& apex,
                                                       std::uint32_t ttl, std::vector<dns::Record>& records) {
  std::vector<dns::SigningKey> keys;
  for (const std::string& path : wanted.keys) {
    auto key = dns::read_key(path, apex);
    if (key.has_error()) return key.error();
    keys.push_back(std::move(*key));
  }
  std::vector<std::string> published;
  for (const std::string& path : wanted.published) {
    auto key = dns::read_public_key(path, apex);
    if (key.has_error()) return key.error();
    published.push_back(std::move(*key));
  }
  auto signer =
      std::make_shared<const dns::Signer>(apex, std::move(keys), std::move(published), seconds_of(wanted.validity));
  for (dns::Record& record : records) dns::make_canonical(record);
  for (const std::string& data : signer->dnskeys())
    records.push_back({.owner = apex, .type = dns::Type::dnskey, .ttl = ttl, .data = data});
  return Result<std::shared_ptr<const dns::Signer>>(boost::system::in_place_value, std::move(signer));
}

/// Adds the zone's names to `names`.
Result<dns::Zone> read_zone(const config::DnsZone& wanted, const Sources& sources,
                            std::vector<dns::DynamicName>& names) {
  auto apex = dns::name_from_text(wanted.name);
  if (apex.has_error()) return apex.error();
  std::vector<dns::Record> records;
  for (const std::string& line : wanted.records) {
    auto record = dns::parse_record(line, wanted.name, seconds_of(wanted.ttl));
    if (record.has_error()) return record.error().within("'" + line + "'");
    records.push_back(std::move(*record));
  }
  if (wanted.file) {
    auto more = dns::parse_zone_file(*wanted.file, wanted.name, seconds_of(wanted.ttl));
    if (more.has_error()) return more.error();
    records.insert(records.end(), std::make_move_iterator(more->begin()), std::make_move_iterator(more->end()));
  }
  const auto first = static_cast<std::uint32_t>(names.size());
  std::vector<std::string> dynamic;
  for (const config::DnsName& name : wanted.names) {
    auto whole = dns::name_below(name.name, *apex);
    if (whole.has_error()) return whole.error();
    names.push_back(to_name(name, *whole, sources));
    dynamic.push_back(std::move(*whole));
  }
  std::shared_ptr<const dns::Signer> signer;
  if (wanted.dnssec) {
    auto made = make_signer(*wanted.dnssec, *apex, seconds_of(wanted.ttl), records);
    if (made.has_error()) return made.error();
    signer = std::move(*made);
  }
  auto zone = dns::Zone::make(std::move(*apex), std::move(records), dynamic, first);
  if (zone.has_error() && wanted.file) return zone.error().within(*wanted.file);
  if (zone) zone->sign_with(std::move(signer));
  return zone;
}

}  // namespace

std::uint32_t seconds_of(config::Milliseconds time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

dns::SiteAddress to_site_address(const config::address& host) {
  const auto bytes_of = [](const auto& bytes) { return std::string(bytes.begin(), bytes.end()); };
  if (host.is_v4()) return {.type = dns::Type::a, .data = bytes_of(host.to_v4().to_bytes())};
  return {.type = dns::Type::aaaa, .data = bytes_of(host.to_v6().to_bytes())};
}

std::vector<config::address> addresses_of(const config::DnsSite& site, const std::vector<config::Service>& services) {
  std::vector<config::address> addresses = site.addresses;
  for (const std::string& name : site.services) {
    const auto is_it = [&](const config::Service& service) { return service.name == name; };
    const auto service = std::find_if(services.begin(), services.end(), is_it);
    if (service == services.end()) continue;
    if (std::find(addresses.begin(), addresses.end(), service->host) == addresses.end())
      addresses.push_back(service->host);
  }
  return addresses;
}

Result<std::shared_ptr<const dns::Zones>> read_zones(
    const config::Dns& wanted, const std::vector<config::Service>& services,
    const std::function<std::shared_ptr<std::atomic<std::uint64_t>>(const std::string& name, const std::string& site)>&
        answers) {
  auto maps = read_maps(wanted.maps);
  if (maps.has_error()) return maps.error();
  const Sources sources{.services = services, .maps = wanted.maps, .read = std::move(*maps)};
  std::vector<dns::Zone> zones;
  std::vector<dns::DynamicName> names;
  for (const config::DnsZone& each : wanted.zones) {
    auto zone = read_zone(each, sources, names);
    if (zone.has_error()) return zone.error().within("dns: zone " + each.name);
    zones.push_back(std::move(*zone));
  }
  for (dns::DynamicName& name : names) {
    for (dns::SiteUse& use : name.sites) use.answers = answers(name.name, use.site);
  }
  return std::make_shared<const dns::Zones>(std::move(zones), std::move(names));
}

}  // namespace astil::app
