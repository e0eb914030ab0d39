// One service as our file has it.
#include <array>
#include <cstdio>

#include "control/import/draft.hpp"

namespace astil::import {
namespace {

using config::Milliseconds;

/// In double quotes, whatever the bytes.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x", byte);
      out += escaped.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string duration(Milliseconds value) {
  if (value.count() % 1000 == 0) return std::to_string(value.count() / 1000) + "s";
  return std::to_string(value.count()) + "ms";
}

std::string port(config::Port value) { return std::to_string(static_cast<unsigned>(value)); }

const char* name_of(config::Forwarding forwarding) {
  switch (forwarding) {
    case config::Forwarding::nat:
      return "nat";
    case config::Forwarding::full_nat:
      return "full-nat";
    case config::Forwarding::tunnel:
      return "tunnel";
    case config::Forwarding::direct:
      return "direct";
  }
  return "";
}

const char* name_of(config::Scheduler scheduler) {
  switch (scheduler) {
    case config::Scheduler::maglev:
      return "maglev";
    case config::Scheduler::round_robin:
      return "round-robin";
    case config::Scheduler::least_connections:
      return "least-connections";
    case config::Scheduler::source_hash:
      return "source-hash";
    case config::Scheduler::two_choices:
      return "two-choices";
  }
  return "";
}

std::string http_words(const config::HttpCheck& http) {
  std::string text = ", path: " + quoted(http.path);
  if (!http.host.empty()) text += ", host: " + quoted(http.host);
  text += ", status: " + std::to_string(http.status_low);
  if (http.status_high != http.status_low) text += "-" + std::to_string(http.status_high);
  if (!http.body.empty()) text += ", body: " + quoted(http.body);
  return text;
}

/// What a check does, as keys.
struct ProbeWords {
  /// Nothing that is imported has one.
  std::string operator()(const config::GrpcCheck& check) const {
    return "type: grpc" + (check.service.empty() ? "" : ", service: " + quoted(check.service));
  }
  /// Likewise.
  std::string operator()(const config::ExecCheck& check) const {
    std::string text = "type: exec, command: [";
    for (const std::string& word : check.command) text += (text.ends_with('[') ? "" : ", ") + quoted(word);
    return text + "]";
  }
  std::string operator()(const config::TcpCheck& /*check*/) const { return "type: tcp"; }
  std::string operator()(const config::IcmpCheck& /*check*/) const { return "type: icmp"; }
  std::string operator()(const config::HttpCheck& check) const { return "type: http" + http_words(check); }
  std::string operator()(const config::HttpsCheck& check) const {
    std::string text = "type: https" + http_words(check.http);
    if (!check.server_name.empty()) text += ", server_name: " + quoted(check.server_name);
    if (!check.trust.verify) text += ", verify: false";
    return text;
  }
  std::string operator()(const config::DnsCheck& check) const {
    return "type: dns, name: " + quoted(check.name) +
           ", record: " + (check.record == config::DnsRecord::a ? "A" : "AAAA");
  }
  std::string operator()(const config::UdpCheck& check) const {
    std::string text = "type: udp";
    if (!check.send.empty()) text += ", send: " + quoted(check.send);
    if (check.expect) text += ", expect: " + quoted(*check.expect);
    return text;
  }
};

std::string health(const config::HealthCheck& check) {
  std::string text = "    health: {" + std::visit(ProbeWords{}, check.probe);
  if (check.port) text += ", port: " + port(*check.port);
  text += ", interval: " + duration(check.interval) + ", timeout: " + duration(check.timeout);
  return text + ", rise: " + std::to_string(check.rise) + ", fall: " + std::to_string(check.fall) + "}\n";
}

std::string tunnel(const config::Tunnel& header) {
  if (header.encapsulation == config::Encapsulation::ipip) return "";
  return "    tunnel: {encapsulation: gue, gue_port: " + port(header.gue_port) + "}\n";
}

std::string affinity(const config::Affinity& clients) {
  std::string text = "    affinity: {timeout: " + duration(clients.timeout);
  if (clients.prefixes.ipv4 != 32) text += ", ipv4_prefix: " + std::to_string(clients.prefixes.ipv4);
  if (clients.prefixes.ipv6 != 128) text += ", ipv6_prefix: " + std::to_string(clients.prefixes.ipv6);
  return text + "}\n";
}

std::string backend(const config::Backend& server, const config::Service& service) {
  std::string text = "      " + server.name + ": {address: \"" + server.host.to_string() + "\"";
  if (server.port != service.port) text += ", port: " + port(server.port);
  if (server.weight != config::Weight{1}) text += ", weight: " + std::to_string(static_cast<unsigned>(server.weight));
  if (server.is_fallback) text += ", fallback: true";
  return text + "}\n";
}

}  // namespace

std::string to_yaml(const config::Service& service) {
  std::string text = "  " + service.name + ":\n    address: \"" + service.host.to_string() + "\"\n    port: ";
  text += service.port == config::Port{} ? "any" : port(service.port);
  if (service.protocol == config::Protocol::udp) text += "\n    protocol: udp";
  text += std::string("\n    forwarding: ") + name_of(service.forwarding) + "\n";
  if (service.forwarding == config::Forwarding::tunnel) text += tunnel(service.tunnel);
  text += std::string("    scheduler: ") + name_of(service.scheduler) + "\n";
  if (service.affinity) text += affinity(*service.affinity);
  if (service.health) text += health(*service.health);
  if (service.when_down == config::WhenDown::fallback) text += "    when_down: fallback\n";
  text += "    backends:\n";
  for (const auto& server : service.backends) text += backend(server, service);
  return text;
}

}  // namespace astil::import
