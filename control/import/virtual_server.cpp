#include "control/import/virtual_server.hpp"

#include <algorithm>

#include "control/import/reasons.hpp"
#include "control/import/values.hpp"

namespace astil::import {
namespace {

using config::Milliseconds;

}  // namespace

std::optional<config::Service> VirtualServer::run(config::Port port) {
  service_.port = port;
  service_.scheduler = config::Scheduler::least_connections;  // where none is named, LVS takes wlc
  take_settings();
  for (const auto& statement : statement_.block) {
    if (statement.name() == "real_server") take_backend(statement);
  }
  if (service_.backends.empty() && possible_) {
    note(statement_, "left out: it has no real server that can be carried over");
    possible_ = false;
  }
  if (!possible_) return std::nullopt;
  for (const auto& statement : statement_.block) {
    if (statement.name() == "sorry_server") take_sorry_server(statement);
  }
  settle();
  return service_;
}

void VirtualServer::take_settings() {
  for (const auto& statement : statement_.block) {
    if (statement.name() == "real_server" || statement.name() == "sorry_server") continue;
    if (!take_known(statement) && !checks_.take(statement, draft_)) note(statement, why_not_carried(statement.name()));
  }
}

bool VirtualServer::take_known(const Statement& statement) {
  const auto& name = statement.name();
  if (name == "lvs_sched" || name == "lb_algo") {
    take_scheduler(statement);
  } else if (name == "lvs_method" || name == "lb_kind") {
    method_ = method_of(statement);
    if (!method_) {
      note(statement_, "left out, since its backends can not be reached like that");
      possible_ = false;
    }
  } else if (name == "protocol") {
    take_protocol(statement);
  } else {
    return take_affinity(statement);
  }
  return true;
}

void VirtualServer::take_scheduler(const Statement& statement) {
  const auto* known = scheduler_of(statement.word(1));
  service_.scheduler = known == nullptr ? config::Scheduler::maglev : known->scheduler;
  if (known == nullptr) return note(statement, "there is no such scheduler; maglev it is");
  by_weight_ = known->by_weight;
  if (!known->difference.empty()) note(statement, std::string(known->difference));
}

void VirtualServer::take_protocol(const Statement& statement) {
  const auto& value = statement.word(1);
  if (value == "UDP" || value == "udp") {
    service_.protocol = config::Protocol::udp;
  } else if (value != "TCP" && value != "tcp") {
    note(statement_, "left out: services are for TCP and UDP, not for " + value);
    possible_ = false;
  }
}

bool VirtualServer::take_affinity(const Statement& statement) {
  constexpr Milliseconds kUsual{360'000};
  constexpr Milliseconds kLongest{136 * 60'000};
  const auto& name = statement.name();
  if (name == "persistence_timeout") {
    const auto timer = statement.words.size() == 1 ? kUsual : timer_of(statement.word(1)).value_or(Milliseconds(0));
    if (timer.count() < 1000) {
      note(statement, "is no time of a second or more, and is left out");
      return true;
    }
    if (timer > kLongest) note(statement, "is 136 minutes now, the longest that there is");
    if (!service_.affinity) service_.affinity.emplace();
    service_.affinity->timeout = std::min(timer, kLongest);
    return true;
  }
  if (name != "persistence_granularity") return false;
  const bool ipv4 = statement.word(1).find('.') != std::string::npos;
  const auto bits = mask_of(statement.word(1), ipv4);
  if (!bits || *bits == 0) {
    note(statement, "is no netmask, and is left out");
    return true;
  }
  if (!service_.affinity) service_.affinity.emplace().timeout = kUsual;
  (ipv4 ? service_.affinity->prefixes.ipv4 : service_.affinity->prefixes.ipv6) = *bits;
  return true;
}

std::optional<Method> VirtualServer::method_of(const Statement& statement) {
  const auto& value = statement.word(1);
  Method method;
  if (value == "NAT") return method;
  method.forwarding = value == "DR" ? config::Forwarding::direct : config::Forwarding::tunnel;
  if (value == "DR") return method;
  if (value != "TUN") {
    note(statement, "there is no such method");
    return std::nullopt;
  }
  for (std::size_t i = 2; i < statement.words.size(); ++i) {
    const auto& word = statement.words[i];
    if (word == "gue") {
      method.tunnel.encapsulation = config::Encapsulation::gue;
    } else if (word == "gre") {
      note(statement, "there is no tunnel by GRE");
      return std::nullopt;
    } else if (word == "port") {
      const auto port = number_of(statement.word(++i), 65'535);
      if (!port || *port == 0) return std::nullopt;
      method.tunnel.gue_port = static_cast<config::Port>(*port);
    } else if (word != "type" && word != "ipip" && word != "nocsum") {
      note(statement, "tunnels have no checksum of their own: " + word);
    }
  }
  return method;
}

void VirtualServer::take_backend(const Statement& statement) {
  const auto host = address_of(statement.word(1));
  if (!host) return note(statement, "left out: it has no address that is one");
  config::Backend backend;
  backend.host = *host;
  backend.port = service_.port;
  auto method = method_;
  CheckSettings settings = checks_;
  for (const auto& each : statement.block) {
    if (!is_checker(each.name())) take_backend_setting(each, backend, method, settings);
  }
  const Method own = method.value_or(Method{});
  if (service_.backends.empty()) {
    service_.forwarding = own.forwarding;
    service_.tunnel = own.tunnel;
  } else if (own != Method{service_.forwarding, service_.tunnel}) {
    return note(statement,
                "left out: the first real server is reached otherwise, and all of a service are reached alike");
  }
  take_port(statement, backend);
  if (stands_before(backend)) return note(statement, "left out: it stands there before");
  take_check(statement, check_of(statement, settings, draft_));
  service_.backends.push_back(backend);
}

bool VirtualServer::stands_before(const config::Backend& backend) const {
  return std::ranges::any_of(service_.backends, [&](const config::Backend& other) {
    return other.host == backend.host && other.port == backend.port;
  });
}

void VirtualServer::take_sorry_server(const Statement& statement) {
  const auto host = address_of(statement.word(1));
  if (!host) return note(statement, "left out: it has no address that is one");
  config::Backend backend;
  backend.host = *host;
  backend.port = service_.port;
  backend.is_fallback = true;
  take_port(statement, backend);
  if (stands_before(backend)) return note(statement, "left out: it stands there before");
  if (service_.health) note(statement, "is a fallback now, and checked as the other backends are");
  service_.when_down = config::WhenDown::fallback;
  service_.backends.push_back(backend);
}

void VirtualServer::take_backend_setting(const Statement& statement, config::Backend& backend,
                                         std::optional<Method>& method, CheckSettings& settings) {
  const auto& name = statement.name();
  if (name == "weight") {
    take_weight(statement, backend);
  } else if (name == "lvs_method" || name == "lb_kind") {
    if (const auto own = method_of(statement)) method = own;
  } else if (!settings.take(statement, draft_)) {
    note(statement, why_not_carried(statement.name()));
  }
}

void VirtualServer::take_weight(const Statement& statement, config::Backend& backend) {
  constexpr std::uint32_t kMost = 1000;
  const auto weight = number_of(statement.word(1), 65'535);
  if (!weight) return note(statement, "is no weight; it is 1 now");
  if (*weight > kMost) note(statement, "is 1000 now, the largest that there is");
  backend.weight = static_cast<config::Weight>(std::min(*weight, kMost));
}

void VirtualServer::take_port(const Statement& statement, config::Backend& backend) {
  if (statement.words.size() < 3) return;
  const auto port = number_of(statement.word(2), 65'535);
  if (!port) return note(statement, "its port is none; it is that of the service now");
  if (*port == 0) return;
  const auto own = static_cast<config::Port>(*port);
  if (own == service_.port) return;
  if (service_.forwarding != config::Forwarding::nat || service_.port == config::Port{})
    return note(statement, "packets keep their port: it is that of the service now");
  backend.port = own;
}

void VirtualServer::take_check(const Statement& statement, const std::optional<config::HealthCheck>& check) {
  if (service_.backends.empty()) {
    service_.health = check;
  } else if (service_.health != check && !std::exchange(mixed_checks_, true)) {
    note(statement, "its check differs from that of the first real server, which all of a service have");
  }
}

void VirtualServer::settle() {
  settle_health();
  settle_weights();
}

void VirtualServer::settle_health() {
  if (!service_.health) return note(statement_, "has no check that is carried over: its backends count as up");
  const bool by_port = config::needs_port(service_.health->probe);
  if (service_.port != config::Port{} || service_.health->port || !by_port) return;
  note(statement_, "is for every port, and its check says none to probe (connect_port): it is left out");
  service_.health.reset();
}

void VirtualServer::settle_weights() {
  if (by_weight_) return;
  bool told = false;
  for (auto& backend : service_.backends) {
    if (backend.weight == config::Weight{} || backend.weight == config::Weight{1}) continue;
    backend.weight = config::Weight{1};
    if (!std::exchange(told, true))
      note(statement_, "its scheduler does not go by weights, and ours do: they are 1 now");
  }
}

}  // namespace astil::import
