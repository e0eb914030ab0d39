#include "control/app/inputs.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

#include "control/net/links.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/pool.hpp"
#include "dataplane/service_index.hpp"

namespace astil::app {
namespace {

core::Forwarding to_core(config::Forwarding forwarding) {
  switch (forwarding) {
    case config::Forwarding::nat:
      return core::Forwarding::nat;
    case config::Forwarding::tunnel:
      return core::Forwarding::tunnel;
    case config::Forwarding::full_nat:
      return core::Forwarding::full_nat;
    case config::Forwarding::direct:
      break;
  }
  return core::Forwarding::direct;
}

core::Scheduler to_core(config::Scheduler scheduler) {
  switch (scheduler) {
    case config::Scheduler::maglev:
      return core::Scheduler::maglev;
    case config::Scheduler::round_robin:
      return core::Scheduler::round_robin;
    case config::Scheduler::least_connections:
      return core::Scheduler::least_connections;
    case config::Scheduler::source_hash:
      return core::Scheduler::source_hash;
    case config::Scheduler::two_choices:
      break;
  }
  return core::Scheduler::two_choices;
}

std::uint32_t seconds_of(config::Milliseconds time) {
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

/// The prefix length for clients of the service; of IPv4 that of addresses mapped into IPv6.
std::uint8_t client_bits(const config::Service& service, const config::ClientPrefixes& prefixes) {
  constexpr unsigned kMappedBits = 96;
  return static_cast<std::uint8_t>(service.host.is_v4() ? kMappedBits + prefixes.ipv4 : prefixes.ipv6);
}

std::optional<dataplane::Affinity> affinity_of(const config::Service& service) {
  if (!service.affinity) return std::nullopt;
  return dataplane::Affinity{.seconds = seconds_of(service.affinity->timeout),
                             .bits = client_bits(service, service.affinity->prefixes)};
}

}  // namespace

dataplane::SourceControl sources_of(const config::Service& service) {
  if (!service.sources) return {};
  const config::Sources& wanted = *service.sources;
  const unsigned mapped_bits = service.host.is_v4() ? 96 : 0;
  std::vector<dataplane::SourcePrefix> prefixes;
  const auto add = [&](const std::vector<config::Prefix>& list, dataplane::SourceVerdict verdict) {
    for (const config::Prefix& prefix : list) {
      prefixes.push_back({.network = to_core(prefix.network),
                          .length = static_cast<std::uint8_t>(mapped_bits + prefix.length),
                          .verdict = verdict});
    }
  };
  add(wanted.allow, dataplane::SourceVerdict::allow);
  add(wanted.deny, dataplane::SourceVerdict::deny);
  return {.ranges = dataplane::ranges_of(std::move(prefixes)),
          .new_flows_per_second = wanted.new_flows_per_second.value_or(0),
          .burst = wanted.burst.value_or(0),
          .bits = client_bits(service, wanted.prefixes)};
}

core::Address to_core(const config::address& host) {
  if (host.is_v4()) return core::mapped(core::be32(host.to_v4().to_uint()));
  core::Address address{};
  const auto bytes = host.to_v6().to_bytes();
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint32_t word = (std::uint32_t{bytes[4 * i]} << 24U) | (std::uint32_t{bytes[4 * i + 1]} << 16U) |
                               (std::uint32_t{bytes[4 * i + 2]} << 8U) | bytes[4 * i + 3];
    address.words[i] = core::be32(word);
  }
  return address;
}

config::address from_core(const core::Address& host) {
  if (core::is_ipv4(host)) return boost::asio::ip::address_v4(core::host(core::ipv4_of(host)));
  boost::asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), host.words, bytes.size());
  return boost::asio::ip::address_v6(bytes);
}

std::uint64_t mac_word(const net::MacAddress& mac) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) word |= std::uint64_t{mac.bytes[i]} << (8 * i);
  return word;
}

net::MacAddress mac_of(std::uint64_t word) {
  net::MacAddress mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) mac.bytes[i] = static_cast<std::uint8_t>(word >> (8 * i));
  return mac;
}

dataplane::ServiceKey key_of(const config::Service& service) {
  return {.address = to_core(service.host),
          .port = static_cast<std::uint16_t>(service.port),
          .protocol = service.protocol == config::Protocol::tcp ? core::kProtocolTcp : core::kProtocolUdp};
}

namespace {

std::vector<core::Address> closed_addresses(const config::Model& model) {
  std::vector<core::Address> closed;
  if (!model.ha) return closed;
  for (const config::VrrpGroup& group : model.ha->groups) {
    if (group.accept_mode) continue;
    for (const config::address& host : group.addresses) closed.push_back(app::to_core(host));
    if (group.link_local) closed.push_back(app::to_core(*group.link_local));
  }
  return closed;
}

}  // namespace

PathSettings path_settings(const config::Model& model) {
  std::vector<core::Address> port_sources;
  for (const config::address& source : model.full_nat.sources) port_sources.push_back(to_core(source));
  const config::Timeouts& timeouts = model.timeouts;
  return {.timeouts = {.half_open = seconds_of(timeouts.half_open),
                       .established = seconds_of(timeouts.established),
                       .closing = seconds_of(timeouts.closing),
                       .closed = seconds_of(timeouts.closed),
                       .udp_stream = seconds_of(timeouts.udp)},
          .new_flows_per_second = model.new_flows_per_second,
          .answers_echo = model.answers_echo,
          .port_sources = std::move(port_sources),
          .closed = closed_addresses(model)};
}

std::optional<dataplane::InterfaceState> interface_state(const net::Link& link) {
  if (!link.mac) return {};
  const std::uint16_t tag = link.vlan ? link.vlan->id : std::uint16_t{0};
  return dataplane::InterfaceState{.ifindex = link.ifindex,
                                   .mac = core::tagged(mac_word(*link.mac), core::be16(tag)),
                                   .parent = link.vlan ? link.vlan->parent : 0};
}

std::vector<dataplane::InterfaceState> virtual_router_states(const config::Model& model,
                                                             const std::vector<net::Link>& links) {
  std::vector<dataplane::InterfaceState> states;
  // Two VLANs of one interface may have the same one.
  const auto add = [&](std::uint32_t ifindex, std::uint64_t mac) {
    const std::uint32_t number = core::virtual_router_number(ifindex, mac);
    const bool known = std::any_of(states.begin(), states.end(), [&](const auto& s) { return s.ifindex == number; });
    if (!known) states.push_back({.ifindex = number, .mac = mac});
  };
  net::Links table;
  static_cast<void>(table.replace(links));
  // An interface that has such an address as its own is found under it alone.
  for (const std::string& name : model.interfaces) {
    const net::Link* link = table.by_name(name);
    if (link != nullptr && link->mac && core::resembles_virtual_router(mac_word(*link->mac)))
      add(link->ifindex, mac_word(*link->mac));
  }
  if (!model.ha) return states;
  for (const config::VrrpGroup& group : model.ha->groups) {
    const net::Link* link = table.by_name(group.interface.value_or(""));
    if (!group.virtual_mac || link == nullptr) continue;
    const std::uint8_t version = group.addresses.front().is_v4() ? 4 : 6;
    const auto exit = table.exit_of(*link);
    if (exit.has_value()) add(exit->ifindex, core::virtual_router_mac(version, group.virtual_router_id));
  }
  return states;
}

std::vector<dataplane::InterfaceState> vlan_states(const std::vector<net::Link>& links) {
  net::Links table;
  static_cast<void>(table.replace(links));
  std::map<std::uint32_t, dataplane::InterfaceState> states;
  for (const auto& [ifindex, link] : table.all()) {
    if (!link.vlan || !link.up || !table.exit_of(link).has_value()) continue;
    const net::Link* below = table.by_index(link.vlan->parent);
    const bool two = below != nullptr && below->vlan;
    const auto state = interface_state(link);
    const auto between = two ? interface_state(*below) : std::nullopt;
    if (!state || (two && !between)) continue;
    if (states.size() + (two ? 2 : 1) > kMostVlanDevices) break;
    states.emplace(ifindex, *state);
    if (between) states.emplace(between->ifindex, *between);
  }
  std::vector<dataplane::InterfaceState> list;
  for (const auto& [ifindex, state] : states) list.push_back(state);
  return list;
}

dataplane::Hook hook_of(const config::Model& model, const std::string& interface) {
  const auto own = std::find_if(model.interface_settings.begin(), model.interface_settings.end(),
                                [&](const config::InterfaceSettings& settings) { return settings.name == interface; });
  switch (own != model.interface_settings.end() ? own->hook : model.hook) {
    case config::Hook::xdp:
      return dataplane::Hook::xdp;
    case config::Hook::xdp_generic:
      return dataplane::Hook::xdp_generic;
    case config::Hook::tc:
      return dataplane::Hook::tc;
    case config::Hook::automatic:
      break;
  }
  return dataplane::Hook::automatic;
}

namespace {

/// One place more than addresses, so that one can be exchanged while its connections last.
std::uint32_t port_source_places(const config::Model& model) {
  const std::size_t sources = model.full_nat.sources.size();
  if (sources == 0) return 0;
  return static_cast<std::uint32_t>(std::min<std::size_t>(std::bit_ceil(sources + 1), core::kPortSources));
}

}  // namespace

core::Sizes table_sizes(const config::Model& model) {
  const config::TableSizes& tables = model.tables;
  // Each service and each use of a backend can have a key in the index, and one for its address alone.
  const std::uint32_t keys = tables.services + tables.backends;
  const std::uint32_t flow_lines = std::max(1U, tables.flow_slots / core::kEntriesPerLine);
  return {.cpus = 0,
          .flow_lines = flow_lines,
          .services = tables.services,
          .backends = tables.backends,
          .ring_lines = static_cast<std::uint32_t>(dataplane::lines_for(tables.ring_slots, core::kSlotsPerLine)),
          // Both generations, each service's list rounded up to a line.
          .member_lines = 2 * (tables.backends / core::kMembersPerLine + tables.services),
          .index_lines = dataplane::ServiceIndex::lines_for(2 * std::size_t{keys}),
          .client_lines = tables.ipv6 ? flow_lines : 0,
          .source_ranges = static_cast<std::uint32_t>(
              dataplane::ranges_for(tables.source_prefixes, std::min(tables.services, tables.source_prefixes))),
          .source_buckets = tables.limited_sources,
          .port_sources = port_source_places(model),
          .reserved = 0};
}

namespace {

balance::Outer outer_of(const config::Service& service, const config::Backend& backend) {
  const bool ipv4 = backend.host.is_v4();
  const bool gue = service.tunnel.encapsulation == config::Encapsulation::gue;
  balance::Outer outer;
  if (gue) outer.wrap = ipv4 ? core::Wrap::gue4 : core::Wrap::gue6;
  if (!gue) outer.wrap = ipv4 ? core::Wrap::ipip4 : core::Wrap::ipip6;
  outer.gue_port = static_cast<std::uint16_t>(service.tunnel.gue_port);
  if (const auto& net = service.tunnel.source) {
    const unsigned host_bits = (ipv4 ? 32U : 128U) - net->length;
    outer.source = app::to_core(net->network);
    outer.source_mask = core::be32(host_bits >= 32 ? ~0U : (1U << host_bits) - 1U);
  }
  return outer;
}

balance::WhenDown way_of(config::WhenDown way) {
  switch (way) {
    case config::WhenDown::reject:
      return balance::WhenDown::reject;
    case config::WhenDown::fail_open:
      return balance::WhenDown::fail_open;
    case config::WhenDown::fallback:
      return balance::WhenDown::fallback;
    case config::WhenDown::withdraw:
      return balance::WhenDown::withdraw;
    case config::WhenDown::drop:
      break;
  }
  return balance::WhenDown::drop;
}

/// Datagrams leave what is `down`, and connections only what is `lost`.
core::Rotation rotation_of_down(const config::Service& service) {
  const bool udp = service.protocol == config::Protocol::udp;
  if (service.when_backend_down == config::DownFlows::keep) return udp ? core::Rotation::out : core::Rotation::down;
  if (udp) return core::Rotation::down;
  return service.when_backend_down == config::DownFlows::reset ? core::Rotation::reset : core::Rotation::lost;
}

/// A tunnel's outer header needs an address of ours that the backend can know.
bool has_source(const config::Service& service, const net::NextHop& hop) {
  return service.forwarding != config::Forwarding::tunnel || service.tunnel.source ||
         !hop.source_address.is_unspecified();
}

}  // namespace

std::vector<balance::ServiceInput> planner_inputs(const config::Model& model, const Facts& facts) {
  std::vector<balance::ServiceInput> inputs;
  for (const config::Service& service : model.services) {
    balance::ServiceInput input{.name = service.name,
                                .key = key_of(service),
                                .forwarding = to_core(service.forwarding),
                                .scheduler = to_core(service.scheduler),
                                .source_bits = client_bits(service, service.source_hash),
                                .affinity = affinity_of(service),
                                .sources = sources_of(service),
                                .slots_per_weight = service.ring_slots_per_weight,
                                .canonical = service.ring_rule == config::RingRule::canonical,
                                .rotation_of_down = rotation_of_down(service),
                                .slow_start = service.slow_start.value_or(config::Milliseconds(0)),
                                .when_down = way_of(service.when_down),
                                .minimum_up = service.minimum_up,
                                .backends = {}};
    for (const config::Backend& backend : service.backends) {
      balance::BackendInput wanted{.address = to_core(backend.host),
                                   .port = static_cast<std::uint16_t>(backend.port),
                                   .weight = static_cast<std::uint32_t>(backend.weight),
                                   .availability = facts.availability(service, backend),
                                   .intake = facts.intake ? facts.intake(service, backend) : balance::Intake::open,
                                   .role = backend.is_fallback ? balance::Role::fallback : balance::Role::usual,
                                   .outer = outer_of(service, backend)};
      const auto hop = facts.next_hop(backend.host);
      if (hop && has_source(service, *hop)) {
        wanted.hop = {.destination_mac = core::tagged(mac_word(hop->neighbour_mac), core::be16(hop->exit.outer_tag)),
                      .source_mac = core::tagged(mac_word(hop->source_mac), core::be16(hop->exit.inner_tag)),
                      .interface = hop->exit.ifindex,
                      .source = to_core(hop->source_address),
                      .mtu = hop->mtu};
      }
      input.backends.push_back(wanted);
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

namespace {

health::Target target_of(const config::Service& service, const config::Backend& backend,
                         const config::HealthCheck& check, const std::string& name) {
  health::Target target{.key = {.service = service.name, .backend = backend.name, .check = name},
                        .host = backend.host,
                        .port = backend.port,
                        .check = check};
  if (check.via != config::ProbeVia::path) return target;
  target.host = service.host;
  target.path =
      health::Path{.backend = backend.host,
                   .forwarding = service.forwarding,
                   .encapsulation = service.tunnel.encapsulation,
                   .gue_port = service.tunnel.gue_port,
                   .outer_source = service.tunnel.source ? service.tunnel.source->network : config::address()};
  return target;
}

}  // namespace

/// Of a service that has a health check.
health::Subject subject_of(const config::Service& service, const config::Backend& backend) {
  health::Subject subject{.key = {.service = service.name, .backend = backend.name},
                          .targets = {target_of(service, backend, *service.health, {})},
                          .rule = service.healthy_when,
                          .flapping = service.flapping};
  for (const config::FurtherCheck& further : service.further_checks)
    subject.targets.push_back(target_of(service, backend, further.check, further.name));
  return subject;
}

balance::Availability availability_of(health::Health health) {
  if (health == health::Health::unknown) return balance::Availability::unknown;
  return health == health::Health::up ? balance::Availability::up : balance::Availability::down;
}

bool is_all_known(const std::vector<balance::ServiceInput>& services) {
  const auto is_known = [](const balance::BackendInput& backend) {
    return backend.availability != balance::Availability::unknown && backend.hop.destination_mac != 0;
  };
  return std::all_of(services.begin(), services.end(), [&](const balance::ServiceInput& service) {
    return std::all_of(service.backends.begin(), service.backends.end(), is_known);
  });
}

std::vector<balance::ServiceInput> made_well(std::vector<balance::ServiceInput> services) {
  constexpr std::uint64_t kSomeMac = 1;  // for the ring it is enough that there is one
  for (balance::ServiceInput& service : services) {
    service.slow_start = {};  // what comes of it in the end
    for (balance::BackendInput& backend : service.backends) {
      if (backend.availability == balance::Availability::unknown) backend.availability = balance::Availability::up;
      if (backend.hop.destination_mac == 0) backend.hop.destination_mac = kSomeMac;
    }
  }
  return services;
}

}  // namespace astil::app
