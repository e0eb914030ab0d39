// Reads a desired state back out of tables: the way by which services, rings and uses move to tables of another size.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "dataplane/core/wrap.hpp"
#include "dataplane/pool.hpp"
#include "dataplane/port_sources.hpp"
#include "dataplane/publisher.hpp"

namespace astil::dataplane {
namespace {

std::vector<std::uint16_t> read_ring(const Tables& tables, const core::Service& service, const core::RingSpan& span,
                                     const std::unordered_map<std::uint32_t, std::uint16_t>& index_by_number) {
  std::vector<std::uint16_t> ring;
  ring.reserve(span.length);
  for (std::uint32_t slot = 0; slot < span.length; ++slot) {
    const auto found = index_by_number.find(tables.member(service, tables.ring_entry(span, slot)));
    if (found != index_by_number.end()) ring.push_back(found->second);
  }
  return ring;
}

std::optional<Affinity> affinity_of(const core::Service& service) {
  if (service.affinity_ticks == 0) return std::nullopt;
  return Affinity{.seconds = (service.affinity_ticks - 1U) * core::kTickSeconds, .bits = service.affinity_bits};
}

SourceControl sources_of(const Tables& tables, const core::Service& service) {
  const core::SourceRules& rules = tables.source_rules_of(tables.active())[service.id];
  const auto ranges = tables.source_ranges_of(tables.active()).subspan(rules.first_range, rules.ranges);
  return {.ranges = {ranges.begin(), ranges.end()},
          .new_flows_per_second = rules.per_second,
          .burst = rules.burst,
          .bits = rules.bits};
}

/// 0 for those that are not in the list any more.
std::unordered_map<std::uint32_t, std::uint32_t> weights_by_number(const Tables& tables, const core::Service& service) {
  std::unordered_map<std::uint32_t, std::uint32_t> weights;
  for (std::uint32_t i = 0; i < service.members; ++i) {
    const std::uint32_t member = tables.member_word(service, i);
    weights[core::number_of_member(member)] = core::weight_of_member(member);
  }
  return weights;
}

/// Brings the backends that the service's ring and wheel name to the front. With the retired ones a service may have
/// more backends than a slot can tell apart, but only those need an index that fits.
void named_first(const Tables& tables, const core::Service& service, std::vector<std::uint32_t>& numbers) {
  std::unordered_set<std::uint32_t> named;
  for (const core::RingSpan& span : {service.ring, service.wheel}) {
    for (std::uint32_t slot = 0; slot < span.length; ++slot)
      named.insert(tables.member(service, tables.ring_entry(span, slot)));
  }
  std::stable_partition(numbers.begin(), numbers.end(), [&](std::uint32_t number) { return named.contains(number); });
}

/// As the publisher has it: max_length of a datagram, and the headers in front.
std::uint32_t mtu_of(const core::Backend& backend) {
  if (backend.max_length == core::kMaxLength) return 0;
  if (backend.forwarding != core::Forwarding::tunnel) return backend.max_length;
  const bool ipv4 = backend.wrap == core::Wrap::ipip4 || backend.wrap == core::Wrap::gue4;
  const bool gue = backend.wrap == core::Wrap::gue4 || backend.wrap == core::Wrap::gue6;
  return backend.max_length + (ipv4 ? 20U : 40U) + (gue ? 8U : 0U);
}

}  // namespace

DesiredState read_state(const Tables& tables) {
  DesiredState state;
  state.timeouts = read_timeouts(tables);
  state.answers_echo = (tables.settings().holds & core::kHoldsEcho) != 0;
  state.new_flows_per_second = core::shared_load(tables.settings().new_flows_per_unit) * core::kUnitsPerSecond;
  for (const core::Interface& interface : tables.interfaces()) {
    if (interface.ifindex != 0)
      state.interfaces.push_back({.ifindex = interface.ifindex, .mac = interface.mac, .parent = interface.parent});
  }
  for (const core::Address& source : tables.settings().port_sources) {
    if (!is_free(source)) state.port_sources.push_back(source);
  }
  if (tables.active() == core::kNoGeneration) return state;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> numbers_by_service;
  for (std::uint32_t number = 0; number < tables.sizes.backends; ++number) {
    const std::uint32_t service = tables.backends()[number].service;
    if (service != core::kNoService) numbers_by_service[service].push_back(number);
  }
  for (const core::Service& service : tables.services_of(tables.active())) {
    if (service.in_use == 0) continue;
    ServiceState read{.key = key_of(service),
                      .forwarding = service.forwarding,
                      .scheduler = service.scheduler,
                      .source_bits = service.source_bits,
                      .affinity = affinity_of(service),
                      .sources = sources_of(tables, service),
                      .when_none = service.refuses != 0 ? WhenNone::refuse : WhenNone::drop,
                      .backends = {},
                      .ring = {},
                      .wheel = {}};
    std::unordered_map<std::uint32_t, std::uint16_t> index_by_number;
    auto weights = weights_by_number(tables, service);
    std::vector<std::uint32_t>& numbers = numbers_by_service[service.id];
    named_first(tables, service, numbers);
    for (const std::uint32_t number : numbers) {
      const core::Backend& backend = tables.backends()[number];
      index_by_number.emplace(number, static_cast<std::uint16_t>(read.backends.size()));
      read.backends.push_back(
          {.address = backend.address,
           .port = host(backend.port),
           .source = backend.source,
           .source_mask = backend.source_mask,
           .wrap = backend.wrap,
           .mtu = mtu_of(backend),
           .gue_port = host(backend.gue_port),
           .destination_mac = backend.destination_mac,
           .source_mac = backend.source_mac,
           .interface = backend.interface,
           .rotation = backend.rotation,
           .forwarding = backend.forwarding == service.forwarding ? std::nullopt : std::optional(backend.forwarding),
           .weight = weights[number]});
    }
    read.ring = read_ring(tables, service, service.ring, index_by_number);
    read.wheel = read_ring(tables, service, service.wheel, index_by_number);
    state.services.push_back(std::move(read));
  }
  return state;
}

std::vector<core::Address> own_addresses(const DesiredState& state) {
  std::vector<core::Address> addresses = state.port_sources;
  for (const ServiceState& service : state.services) addresses.push_back(service.key.address);
  return addresses;
}

PoolUse pool_use(const Tables& tables) {
  PoolUse use;
  for (const core::Backend& backend : tables.backends()) use.backends += backend.service != core::kNoService ? 1 : 0;
  if (tables.active() == core::kNoGeneration) return use;
  for (const core::Service& service : tables.services_of(tables.active())) {
    if (service.in_use == 0) continue;
    ++use.services;
    use.source_ranges += tables.source_rules_of(tables.active())[service.id].ranges;
    for (const core::RingSpan& span : {service.ring, service.wheel}) {
      use.ring_slots += lines_for(span.length, core::kSlotsPerLine) * core::kSlotsPerLine;
    }
  }
  return use;
}

}  // namespace astil::dataplane
