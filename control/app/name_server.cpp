#include "control/app/name_server.hpp"

#include "control/base/log.hpp"
#include "control/config/address_kinds.hpp"
#include "control/dns/name.hpp"

namespace astil::app {
namespace {

std::uint32_t seconds(config::Milliseconds time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

Result<dns::Zone> read_zone(const config::DnsZone& wanted) {
  auto apex = dns::name_from_text(wanted.name);
  if (apex.has_error()) return apex.error();
  std::vector<dns::Record> records;
  for (const std::string& line : wanted.records) {
    auto record = dns::parse_record(line, wanted.name, seconds(wanted.ttl));
    if (record.has_error()) return record.error().within("'" + line + "'");
    records.push_back(std::move(*record));
  }
  if (wanted.file) {
    auto more = dns::parse_zone_file(*wanted.file, wanted.name, seconds(wanted.ttl));
    if (more.has_error()) return more.error();
    records.insert(records.end(), std::make_move_iterator(more->begin()), std::make_move_iterator(more->end()));
  }
  auto zone = dns::Zone::make(std::move(*apex), std::move(records));
  if (zone.has_error() && wanted.file) return zone.error().within(*wanted.file);
  return zone;
}

dns::ServerOptions options_of(const config::Dns& wanted) {
  dns::ServerOptions options;
  for (const config::Endpoint& endpoint : wanted.listen)
    options.listen.push_back({.host = endpoint.host, .port = static_cast<std::uint16_t>(endpoint.port)});
  options.workers = wanted.workers;
  options.tcp = {.idle = wanted.tcp.idle,
                 .connections = wanted.tcp.connections,
                 .connections_per_client = wanted.tcp.connections_per_client};
  return options;
}

/// RFC 1035 section 3.3.13: the first of the five numbers at the end.
std::uint32_t serial_of(const dns::Zone& zone) {
  const std::string& soa = zone.soa().data.front();
  constexpr std::size_t kNumbers = 20;
  std::uint32_t serial = 0;
  for (std::size_t i = soa.size() - kNumbers; i < soa.size() - kNumbers + 4; ++i)
    serial = serial << 8U | static_cast<unsigned char>(soa[i]);
  return serial;
}

}  // namespace

Result<std::shared_ptr<const dns::Zones>> NameServer::read(const config::Dns& wanted) {
  std::vector<dns::Zone> zones;
  for (const config::DnsZone& each : wanted.zones) {
    auto zone = read_zone(each);
    if (zone.has_error()) return zone.error().within("dns: zone " + each.name);
    zones.push_back(std::move(*zone));
  }
  return std::make_shared<const dns::Zones>(std::move(zones));
}

Result<> NameServer::follow(const std::optional<config::Dns>& wanted) {
  if (!wanted) {
    if (server_) log::info("name server ends");
    retire();
    return {};
  }
  auto zones = read(*wanted);
  if (zones.has_error()) return zones.error();
  auto snapshot = std::make_shared<dns::Snapshot>();
  snapshot->zones = *zones;
  snapshot->nsid = wanted->nsid;
  snapshot->udp_size = wanted->udp_size;
  const dns::ServerOptions options = options_of(*wanted);
  if (server_ && server_->options() == options) {
    server_->publish(snapshot);
  } else {
    auto server = dns::Server::start(options, snapshot);
    if (server.has_error()) return server.error();
    retire();
    server_ = std::move(*server);
    log::info("name server listens", {{"endpoints", options.listen.size()}, {"workers", options.workers}});
  }
  zones_ = std::move(*zones);
  return {};
}

/// Counters do not go down where a server makes room for another.
void NameServer::retire() {
  if (!server_) return;
  for (std::size_t i = 0; i < dns::kCounters; ++i) retired_[i] += server_->count(static_cast<dns::Counter>(i));
  server_.reset();
}

std::uint64_t NameServer::count(dns::Counter counter) const {
  return retired_[static_cast<std::size_t>(counter)] + server_->count(counter);
}

std::optional<api::DnsView> NameServer::view() const {
  if (!server_) return std::nullopt;
  api::DnsView view;
  for (const dns::ListenAddress& address : server_->bound())
    view.listen.push_back(config::show_endpoint(address.host, config::Port{address.port}));
  view.workers = server_->options().workers;
  view.tcp_connections = server_->tcp_connections();
  for (const dns::Zone& zone : zones_->all())
    view.zones.push_back({.name = dns::name_to_text(zone.apex()), .serial = serial_of(zone), .names = zone.size()});
  for (std::size_t i = 0; i < dns::kCounters; ++i) {
    const auto [family, label] = dns::kCounterNames[i];
    const api::DnsCountView counted{.name = std::string(label), .count = count(static_cast<dns::Counter>(i))};
    if (family == "queries") view.queries.push_back(counted);
    if (family == "types") view.types.push_back(counted);
    if (family == "responses") view.responses.push_back(counted);
    if (family == "drops") view.drops.push_back(counted);
    if (family == "truncated") view.truncated = counted.count;
    if (family == "tcp-opened") view.tcp_opened = counted.count;
    if (family == "tcp-closed") view.tcp_closed.push_back(counted);
  }
  return view;
}

}  // namespace astil::app
