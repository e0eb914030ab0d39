#include "dataplane/publisher.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/core/limit.hpp"
#include "dataplane/core/rewrite.hpp"
#include "dataplane/pool.hpp"
#include "dataplane/publication_lock.hpp"
#include "dataplane/service_index.hpp"

namespace astil::dataplane {

using core::be16;
using core::Service;

/// Everything that a publication will write, worked out before the first byte is written.
struct Publisher::Plan {
  struct RingWrite {
    core::RingSpan span;
    const std::vector<std::uint16_t>* slots;
  };
  struct MemberWrite {
    std::uint32_t first;
    std::vector<std::uint32_t> members;  ///< core::member_of
  };

  std::vector<PlacedService> placed;
  std::vector<std::pair<UseKey, std::uint32_t>> new_uses;
  std::vector<std::uint32_t> new_services;  ///< ids that no service had before
  std::vector<Service> records;             ///< of the whole generation, by id
  std::vector<RingWrite> rings;
  std::vector<MemberWrite> members;
  std::vector<core::SourceRules> source_rules;  ///< of the whole generation, by id
  std::vector<core::SourceRange> source_ranges;
  PortSources port_sources;
  ServiceIndex index;
};

namespace {

/// A service's record but for its place in the pools.
Service record_of(const ServiceState& state, std::uint32_t id) {
  return {.address = state.key.address,
          .port = be16(state.key.port),
          .protocol = state.key.protocol,
          .forwarding = state.forwarding,
          .scheduler = state.scheduler,
          .source_bits = state.source_bits,
          .in_use = 1,
          .id = id,
          .first_member = 0,
          .ring = {},
          .wheel = {},
          .members = static_cast<std::uint32_t>(state.backends.size()),
          .affinity_ticks = state.affinity ? ticks_for(state.affinity->seconds) : std::uint16_t{0},
          .affinity_bits = state.affinity ? state.affinity->bits : std::uint8_t{0},
          .checks_sources = std::uint8_t{!state.sources.ranges.empty() || state.sources.new_flows_per_second != 0},
          .refuses = std::uint8_t{state.when_none == WhenNone::refuse},
          .reserved = {}};
}

/// What stays in the record of a service that is not wanted: its key.
Service removed(const Service& record) {
  Service left{};
  left.address = record.address;
  left.port = record.port;
  left.protocol = record.protocol;
  left.id = record.id;
  return left;
}

/// Does the service's ring in the tables send every slot to the same backend number?
bool same_ring(const Tables& tables, const Service& service, const core::RingSpan& span,
               const std::vector<std::uint16_t>& wanted, const std::vector<std::uint32_t>& numbers) {
  if (span.length != wanted.size()) return false;
  for (std::uint32_t slot = 0; slot < span.length; ++slot) {
    if (tables.member(service, tables.ring_entry(span, slot)) != numbers[wanted[slot]]) return false;
  }
  return true;
}

/// What the service's list in the pool of members shall hold. Who is not in rotation gets no new flow.
std::vector<std::uint32_t> members_of(const ServiceState& state, const std::vector<std::uint32_t>& numbers) {
  std::vector<std::uint32_t> members;
  members.reserve(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const BackendUse& use = state.backends[i];
    members.push_back(
        core::member_of(numbers[i], use.rotation == Rotation::in ? std::min(use.weight, core::kMaxWeight) : 0));
  }
  return members;
}

/// Does the service's list name these backends? Their weights are stored in place.
bool same_members(const Tables& tables, const Service& service, const std::vector<std::uint32_t>& numbers) {
  if (service.members != numbers.size()) return false;
  for (std::uint32_t i = 0; i < service.members; ++i) {
    if (tables.member(service, i) != numbers[i]) return false;
  }
  return true;
}

Error full(const char* what, std::size_t wanted, std::size_t size, const char* key) {
  return {std::string("the table of ") + what + " is full: " + std::to_string(wanted) + " wanted, room for " +
              std::to_string(size),
          std::string("raise dataplane.tables.") + key};
}

core::Forwarding forwarding_of(const ServiceState& service, const BackendUse& use) {
  return use.forwarding.value_or(service.forwarding);
}

struct Pools {
  LinePool rings;
  LinePool members;
};

/// What the active generation does not use.
Pools free_room(const Tables& tables) {
  Pools free{LinePool(tables.sizes.ring_lines), LinePool(tables.sizes.member_lines)};
  if (tables.active() == core::kNoGeneration) return free;
  for (const Service& service : tables.services_of(tables.active())) {
    if (service.in_use == 0) continue;
    for (const core::RingSpan& span : {service.ring, service.wheel}) {
      free.rings.take(span.first / core::kSlotsPerLine, lines_for(span.length, core::kSlotsPerLine));
    }
    free.members.take(service.first_member / core::kMembersPerLine, lines_for(service.members, core::kMembersPerLine));
  }
  return free;
}

/// The longest datagram of a client that the way to the backend carries. An IPv6 path that carries less than 1280 bytes
/// has to see to that itself (RFC 8200, section 5), and one of IPv4 less than 68 (RFC 791, section 3.2).
std::uint16_t max_length(const core::Backend& record, const BackendUse& use) {
  constexpr std::uint32_t kMost = core::kMaxLength;
  if (use.mtu == 0 || use.mtu > kMost) return kMost;
  std::uint32_t headers = 0;
  if (record.forwarding == core::Forwarding::tunnel) {
    const bool ipv4 = use.wrap == core::Wrap::ipip4 || use.wrap == core::Wrap::gue4;
    headers = ipv4 ? sizeof(core::Ipv4Header) : sizeof(core::Ipv6Header);
    if (use.wrap == core::Wrap::gue4 || use.wrap == core::Wrap::gue6) headers += sizeof(core::UdpHeader);
  }
  const std::uint32_t least = core::is_ipv4(record.service_address) ? 68 : 1280;
  return static_cast<std::uint16_t>(std::max(least, use.mtu > headers ? use.mtu - headers : 0U));
}

/// What a tunnel puts in front. Where the source changes, a packet may for a moment carry a mixture of the old and the
/// new one; what the receivers look at is the destination.
void write_outer(core::Backend& record, const BackendUse& use) {
  for (std::size_t i = 0; i < std::size(record.source.words); ++i) store(record.source.words[i], use.source.words[i]);
  store(record.source_mask, use.source_mask);
  store(record.gue_port, be16(use.gue_port));
  store(record.max_length, max_length(record, use));
  store(record.wrap, use.wrap);
  const bool gue = use.wrap == core::Wrap::gue4;
  const std::uint8_t inner = core::is_ipv4(record.service_address) ? core::kProtocolIpip : core::kProtocolIpv6;
  store(record.outer_sum,
        core::constant_outer_sum(use.source.words[3], record.address.words[3], gue ? core::kProtocolUdp : inner));
}

/// The keys of addresses whatever the port: one for each, of the lowest reference, so that they do not depend on order.
class AddressKeys {
 public:
  explicit AddressKeys(std::vector<IndexKey>& keys) : keys_(keys) {}

  void add(const core::Address& address, core::IndexKind kind, std::uint32_t reference) {
    const ServiceKey place{.address = address, .port = static_cast<std::uint16_t>(kind), .protocol = 0};
    const auto [found, is_new] = places_.try_emplace(place, keys_.size());
    if (is_new) keys_.push_back({address, core::kAnyPort, 0, kind, reference});
    keys_[found->second].reference = std::min(keys_[found->second].reference, reference);
  }

 private:
  std::vector<IndexKey>& keys_;
  std::unordered_map<ServiceKey, std::size_t, ServiceKeyHash> places_;
};

}  // namespace

std::size_t Publisher::UseHash::operator()(const UseKey& key) const {
  const auto forwarding = static_cast<std::uint64_t>(key.forwarding);
  std::uint64_t hash = core::mixed((forwarding << 48U) | (std::uint64_t{key.service} << 16U) | key.port);
  for (const core::Be32 word : key.address.words) hash = core::mixed(hash ^ raw(word));
  return hash;
}

Publisher::Publisher(Dataplane& engine) : engine_(engine), tables_(engine.tables()) {
  const auto backends = tables_.backends();
  for (auto number = static_cast<std::uint32_t>(backends.size()); number-- > 0;) {
    const core::Backend& backend = backends[number];
    if (backend.service == core::kNoService) {
      free_numbers_.push_back(number);
    } else {
      uses_[{backend.service, backend.address, host(backend.port), backend.forwarding}] = {.number = number,
                                                                                           .wanted = false};
    }
  }
}

/// For what full lines give up. What a service's entries are worth in time is said in its record.
std::uint16_t Publisher::longest_affinity(const DesiredState& desired) {
  std::uint16_t longest = 0;
  for (const ServiceState& service : desired.services) {
    if (service.affinity) longest = std::max(longest, ticks_for(service.affinity->seconds));
  }
  return longest;
}

Result<Published> Publisher::publish(const DesiredState& desired) {
  Result<Plan> planned = plan(desired);
  if (planned.has_error()) return planned.error();
  const std::lock_guard lock(publication_lock());
  if (auto written = write_interfaces(desired.interfaces); written.has_error()) return written.error();
  const Plan& plan = *planned;
  write_timeouts(tables_, desired.timeouts, longest_affinity(desired));
  core::Settings& settings = tables_.settings();
  store(settings.holds, (settings.holds & ~core::kHoldsEcho) | (desired.answers_echo ? core::kHoldsEcho : 0U));
  store(settings.new_flows_per_unit, core::per_unit(desired.new_flows_per_second));
  for (auto& [key, use] : uses_) use.wanted = false;
  for (const auto& [key, number] : plan.new_uses) {
    uses_[key] = {.number = number, .wanted = true};
    free_numbers_.pop_back();
  }
  write_backends(desired, plan);
  write_members(plan);

  const std::uint32_t active = tables_.active();
  const bool same =
      active != core::kNoGeneration && plan.index.matches(tables_, active) && has_sources(plan, active) &&
      std::memcmp(plan.records.data(), tables_.services_of(active).data(), plan.records.size() * sizeof(Service)) == 0;
  port_sources_.all = plan.port_sources.all;
  port_sources_.wanted = plan.port_sources.wanted;
  std::copy(port_sources_.all.begin(), port_sources_.all.end(), std::begin(settings.port_sources));
  // Replies to a source address need its key, so new ones are used behind the switch. The first ones before: nobody has
  // a port yet, and services that come with them would find none.
  if (!has_pools(tables_)) write_pools(engine_, port_sources_);
  if (!same) {
    write_rings(desired, plan);
    switch_to(plan);
  }
  write_pools(engine_, port_sources_);
  retire(plan);
  return Published{.services = plan.placed, .switched = !same};
}

Result<void> Publisher::check(const DesiredState& desired) const {
  const Result<Plan> planned = plan(desired);
  if (planned.has_error()) return planned.error();
  return {};
}

Result<Publisher::Plan> Publisher::plan(const DesiredState& desired) const {
  Plan plan;
  plan.records.resize(tables_.sizes.services);
  plan.placed.resize(desired.services.size());
  if (auto done = place_services(desired, plan); done.has_error()) return done.error();
  if (auto done = place_backends(desired, plan); done.has_error()) return done.error();
  if (auto done = place_rings(desired, plan); done.has_error()) return done.error();
  if (auto done = place_sources(desired, plan); done.has_error()) return done.error();
  auto port_sources = place_port_sources(tables_, desired.port_sources);
  if (port_sources.has_error()) return port_sources.error();
  plan.port_sources = *port_sources;
  if (auto done = build_index(desired, plan); done.has_error()) return done.error();
  return plan;
}

/// A service keeps its id, and one that comes back gets it again; a new one takes an id that no flow can hold any more.
Result<void> Publisher::place_services(const DesiredState& desired, Plan& plan) const {
  if (desired.services.size() > tables_.sizes.services) {
    return full("services", desired.services.size(), tables_.sizes.services, "services");
  }
  std::vector<bool> taken(tables_.sizes.services, false);
  for (const auto& [key, use] : uses_) taken[key.service] = true;
  const std::vector<bool> placed = place_known_services(desired, plan, taken);
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < desired.services.size(); ++i) {
    if (!placed[i]) {
      while (next < taken.size() && taken[next]) ++next;
      if (next == taken.size()) return full("services", desired.services.size(), taken.size(), "services");
      taken[next] = true;
      plan.placed[i].id = next;
      plan.new_services.push_back(next);
    }
    plan.records[plan.placed[i].id] = record_of(desired.services[i], plan.placed[i].id);
  }
  return {};
}

/// Services whose key stands in a record get that record's id. A record without its service keeps the key, so that the
/// service finds its id again when it comes back, unless another one needed the id meanwhile.
std::vector<bool> Publisher::place_known_services(const DesiredState& desired, Plan& plan,
                                                  std::vector<bool>& taken) const {
  std::vector<bool> placed(desired.services.size(), false);
  const std::uint32_t active = tables_.active();
  if (active == core::kNoGeneration) return placed;
  std::unordered_map<ServiceKey, std::size_t, ServiceKeyHash> wanted;
  for (std::size_t i = 0; i < desired.services.size(); ++i) wanted.emplace(desired.services[i].key, i);
  const auto records = tables_.services_of(active);
  for (std::uint32_t id = 0; id < records.size(); ++id) {
    const Service& record = records[id];
    if (record.protocol == 0) continue;  // no service had this id so far
    plan.records[id] = removed(record);
    if (record.in_use != 0) taken[id] = true;
    const auto same = wanted.find(key_of(record));
    if (same == wanted.end()) continue;
    taken[id] = true;
    placed[same->second] = true;
    plan.placed[same->second].id = id;
  }
  return placed;
}

Result<void> Publisher::place_backends(const DesiredState& desired, Plan& plan) const {
  std::size_t next_free = free_numbers_.size();
  for (std::size_t i = 0; i < desired.services.size(); ++i) {
    PlacedService& placed = plan.placed[i];
    for (const BackendUse& use : desired.services[i].backends) {
      const UseKey key{placed.id, use.address, use.port, forwarding_of(desired.services[i], use)};
      if (const auto known = uses_.find(key); known != uses_.end()) {
        placed.backends.push_back(known->second.number);
        continue;
      }
      if (next_free == 0)
        return full("backends", uses_.size() + plan.new_uses.size() + 1, tables_.sizes.backends, "backends");
      const std::uint32_t number = free_numbers_[--next_free];
      plan.new_uses.emplace_back(key, number);
      placed.backends.push_back(number);
    }
  }
  return {};
}

/// A ring that did not change stays where it is; others get room that the active generation does not use.
Result<void> Publisher::place_rings(const DesiredState& desired, Plan& plan) const {
  auto [rings, members] = free_room(tables_);
  const std::uint32_t active = tables_.active();
  for (std::size_t i = 0; i < desired.services.size(); ++i) {
    const ServiceState& state = desired.services[i];
    const PlacedService& placed = plan.placed[i];
    Service& record = plan.records[placed.id];
    if (active != core::kNoGeneration) {
      const Service& old = tables_.services_of(active)[placed.id];
      if (old.in_use != 0 && same_members(tables_, old, placed.backends) &&
          same_ring(tables_, old, old.ring, state.ring, placed.backends) &&
          same_ring(tables_, old, old.wheel, state.wheel, placed.backends)) {
        record.first_member = old.first_member;
        record.ring = old.ring;
        record.wheel = old.wheel;
        plan.members.push_back({record.first_member, members_of(state, placed.backends)});
        continue;
      }
    }
    const auto ring = rings.allocate(lines_for(state.ring.size(), core::kSlotsPerLine));
    const auto wheel = rings.allocate(lines_for(state.wheel.size(), core::kSlotsPerLine));
    const auto list = members.allocate(lines_for(placed.backends.size(), core::kMembersPerLine));
    if (!ring || !wheel) {
      return full("rings", state.ring.size() + state.wheel.size(), rings.lines() * std::size_t{core::kSlotsPerLine},
                  "ring_slots");
    }
    if (!list) {
      return full("backend lists", placed.backends.size(), members.lines() * std::size_t{core::kMembersPerLine},
                  "backends");
    }
    record.ring = {.first = *ring * core::kSlotsPerLine, .length = static_cast<std::uint32_t>(state.ring.size())};
    record.wheel = {.first = *wheel * core::kSlotsPerLine, .length = static_cast<std::uint32_t>(state.wheel.size())};
    record.first_member = *list * core::kMembersPerLine;
    plan.rings.push_back({record.ring, &state.ring});
    plan.rings.push_back({record.wheel, &state.wheel});
    plan.members.push_back({record.first_member, members_of(state, placed.backends)});
  }
  return {};
}

/// Ranges of all services stand in a row, anew in each generation.
Result<void> Publisher::place_sources(const DesiredState& desired, Plan& plan) const {
  plan.source_rules.resize(tables_.sizes.services);
  for (std::size_t i = 0; i < desired.services.size(); ++i) {
    const SourceControl& sources = desired.services[i].sources;
    plan.source_rules[plan.placed[i].id] = rules_of(sources, static_cast<std::uint32_t>(plan.source_ranges.size()));
    plan.source_ranges.insert(plan.source_ranges.end(), sources.ranges.begin(), sources.ranges.end());
  }
  if (plan.source_ranges.size() <= tables_.sizes.source_ranges) return {};
  return full("prefixes of sources", plan.source_ranges.size() / 2, tables_.sizes.source_ranges / 2, "source_prefixes");
}

/// Does a generation have the plan's rules for sources?
bool Publisher::has_sources(const Plan& plan, std::uint32_t generation) const {
  const auto same = [](const auto& wanted, const auto& there) {
    return wanted.empty() || std::memcmp(wanted.data(), there.data(), wanted.size() * sizeof(wanted.front())) == 0;
  };
  return same(plan.source_rules, tables_.source_rules_of(generation)) &&
         same(plan.source_ranges, tables_.source_ranges_of(generation));
}

/// The keys of services, and under nat those of replies from every backend that may have flows, retired ones included.
Result<void> Publisher::build_index(const DesiredState& desired, Plan& plan) const {
  std::vector<IndexKey> keys;
  AddressKeys addresses(keys);
  for (std::size_t i = 0; i < desired.services.size(); ++i) {
    const ServiceKey& key = desired.services[i].key;
    keys.push_back({key.address, be16(key.port), key.protocol, core::IndexKind::service, plan.placed[i].id});
    addresses.add(key.address, core::IndexKind::service_address, plan.placed[i].id);
    if (desired.services[i].forwarding == core::Forwarding::full_nat)
      keys.push_back({key.address, be16(key.port), key.protocol, core::IndexKind::full_nat, plan.placed[i].id});
  }
  for (std::uint32_t place = 0; place < core::kPortSources; ++place) {
    if (is_free(plan.port_sources.all[place])) continue;
    keys.push_back({plan.port_sources.all[place], core::kAnyPort, 0, core::IndexKind::port_source, place});
  }
  for (const core::Address& closed : desired.closed_addresses)
    addresses.add(closed, core::IndexKind::closed_address, core::closed_reference(closed));
  const auto add_reply = [&](const UseKey& use, std::uint32_t number) {
    const Service& service = plan.records[use.service];
    if (service.in_use == 0 || use.forwarding != core::Forwarding::nat) return;
    keys.push_back({use.address, be16(use.port), service.protocol, core::IndexKind::reply, number});
    addresses.add(use.address, core::IndexKind::reply_address, number);
  };
  for (const auto& [key, use] : uses_) add_reply(key, use.number);
  for (const auto& [key, number] : plan.new_uses) add_reply(key, number);
  auto index = ServiceIndex::build(std::move(keys), tables_.sizes.index_lines);
  if (index.has_error()) return index.error();
  plan.index = std::move(*index);
  return {};
}

void Publisher::write_backends(const DesiredState& desired, const Plan& plan) {
  for (const auto& [key, number] : plan.new_uses) {
    core::Backend& record = tables_.backends()[number];
    const Service& service = plan.records[key.service];
    record = {};
    record.address = key.address;
    record.port = be16(key.port);
    record.service_address = service.address;
    record.service_port = service.port;
    record.service_protocol = service.protocol;
    record.forwarding = key.forwarding;
    record.service = key.service;
  }
  for (const auto& [key, use] : uses_) {
    const Service& service = plan.records[key.service];
    if (service.in_use == 0) continue;
    core::Backend& record = tables_.backends()[use.number];
    store(record.service_protocol, service.protocol);  // 0 while the service was away
  }
  for (std::size_t i = 0; i < desired.services.size(); ++i) {
    for (std::size_t b = 0; b < desired.services[i].backends.size(); ++b) {
      const BackendUse& use = desired.services[i].backends[b];
      core::Backend& record = tables_.backends()[plan.placed[i].backends[b]];
      write_outer(record, use);
      store(record.interface, use.interface);
      store(record.source_mac, use.source_mac);
      store(record.destination_mac, use.destination_mac);
      store(record.rotation, use.rotation);
      store(record.quick, core::quick_way(record));
      uses_[{plan.placed[i].id, use.address, use.port, forwarding_of(desired.services[i], use)}].wanted = true;
    }
  }
}

/// Uses that nobody wants keep their flows, but get no new ones; those of a removed service are nobody's.
void Publisher::retire(const Plan& plan) {
  for (const auto& [key, use] : uses_) {
    core::Backend& record = tables_.backends()[use.number];
    if (!use.wanted) {
      store(record.rotation, core::Rotation::out);
      store(record.quick, core::quick_way(record));
    }
    if (plan.records[key.service].in_use == 0) store(record.service_protocol, std::uint8_t{0});
  }
}

void Publisher::write_rings(const DesiredState& /*desired*/, const Plan& plan) {
  for (const Plan::RingWrite& write : plan.rings) {
    if (write.slots->empty()) continue;
    std::memcpy(&tables_.rings()[write.span.first / core::kSlotsPerLine], write.slots->data(),
                write.slots->size() * sizeof(std::uint16_t));
  }
}

/// Lists that the generation in use does not have, and weights in those that it has.
void Publisher::write_members(const Plan& plan) {
  for (const Plan::MemberWrite& write : plan.members) {
    for (std::size_t i = 0; i < write.members.size(); ++i) {
      const std::size_t at = write.first + i;
      store(tables_.members()[at / core::kMembersPerLine].members[at % core::kMembersPerLine], write.members[i]);
    }
  }
}

/// What an id's earlier service has counted is that of a service no more. No packet is for it now.
void Publisher::give_up_drops(std::uint32_t id) {
  const core::ServiceDrops counted = tables_.sum_drops(id);
  core::ServiceDrops& of_none = tables_.own_drops(tables_.sizes.services);
  for (std::size_t i = 0; i < core::kDropReasons; ++i) of_none.counts[i] += counted.counts[i];
  for (std::size_t row = 0; row <= tables_.sizes.cpus; ++row) tables_.drops()[row * tables_.drop_stride() + id] = {};
}

void Publisher::switch_to(const Plan& plan) {
  for (const std::uint32_t id : plan.new_services) {
    tables_.own_counters()[tables_.sizes.backends + id] = {};
    tables_.cursors()[id] = {};
    give_up_drops(id);
  }
  const std::uint32_t next = tables_.active() == 0 ? 1 : 0;
  std::memcpy(tables_.services_of(next).data(), plan.records.data(), plan.records.size() * sizeof(Service));
  std::copy(plan.source_rules.begin(), plan.source_rules.end(), tables_.source_rules_of(next).begin());
  std::copy(plan.source_ranges.begin(), plan.source_ranges.end(), tables_.source_ranges_of(next).begin());
  plan.index.write(tables_, next);
  // The filter lets through what either generation serves, until no packet sees the old one.
  core::Settings& settings = tables_.settings();
  const ServiceIndex::Filter& wanted = plan.index.filter();
  for (std::size_t i = 0; i < wanted.size(); ++i)
    store(settings.filter[i], static_cast<std::uint8_t>(settings.filter[i] | wanted[i]));
  const std::uint32_t others = settings.holds & (core::kHoldsVlans | core::kHoldsEcho);
  store(settings.holds, settings.holds | plan.index.holds());
  __atomic_store_n(&settings.active, next, __ATOMIC_RELEASE);
  engine_.wait_for_readers();
  for (std::size_t i = 0; i < wanted.size(); ++i) store(settings.filter[i], wanted[i]);
  store(settings.holds, others | plan.index.holds());
}

/// An interface must be found at every moment, or its packets would go to the kernel, which resets the connections. So
/// new places are filled before the multiplier changes, and old ones emptied after.
Result<void> Publisher::write_interfaces(const std::vector<InterfaceState>& interfaces) {
  const auto places = tables_.interfaces();
  core::Settings& settings = tables_.settings();
  const auto fits = [&](std::uint32_t multiplier) {
    std::vector<std::uint32_t> claimed(core::kInterfaces, 0);
    for (std::size_t slot = 0; slot < places.size(); ++slot) claimed[slot] = places[slot].ifindex;
    for (const InterfaceState& interface : interfaces) {
      std::uint32_t& owner = claimed[core::interface_slot(interface.ifindex, multiplier)];
      if (owner != 0 && owner != interface.ifindex) return false;
      owner = interface.ifindex;
    }
    return true;
  };
  std::uint32_t multiplier = settings.interface_multiplier;
  for (std::uint32_t tries = 0; !fits(multiplier); ++tries) {
    if (tries == 100000)
      return Error{"no free place for " + std::to_string(interfaces.size()) + " interfaces", "name fewer"};
    multiplier = static_cast<std::uint32_t>(core::mixed(tries + 1)) | 1U;
  }
  const bool vlans = std::any_of(interfaces.begin(), interfaces.end(), [](const auto& i) { return i.parent != 0; });
  store(settings.holds, (settings.holds & ~core::kHoldsVlans) | (vlans ? core::kHoldsVlans : 0U));
  for (const InterfaceState& interface : interfaces) {
    core::Interface& place = places[core::interface_slot(interface.ifindex, multiplier)];
    store(place.mac, interface.mac);
    store(place.parent, interface.parent);
    if (place.ifindex != interface.ifindex) __atomic_store_n(&place.ifindex, interface.ifindex, __ATOMIC_RELEASE);
  }
  if (multiplier != settings.interface_multiplier) {
    __atomic_store_n(&settings.interface_multiplier, multiplier, __ATOMIC_RELEASE);
    engine_.wait_for_readers();
  }
  for (std::uint32_t slot = 0; slot < places.size(); ++slot) {
    const bool kept = std::any_of(interfaces.begin(), interfaces.end(), [&](const InterfaceState& interface) {
      return interface.ifindex == places[slot].ifindex && core::interface_slot(interface.ifindex, multiplier) == slot;
    });
    if (!kept) store(places[slot].ifindex, 0U);
  }
  return {};
}

std::size_t Publisher::release(const std::function<bool(std::uint32_t number)>& in_use) {
  const std::size_t before = uses_.size();
  std::erase_if(uses_, [&](const auto& item) {
    const auto& [key, use] = item;
    if (use.wanted || in_use(use.number)) return false;
    const core::Counter counted = tables_.sum_counter(use.number);
    core::Counter& total = tables_.own_counters()[tables_.sizes.backends + key.service];
    total.packets += counted.packets;
    total.bytes += counted.bytes;
    total.connections += counted.connections;
    total.refused += counted.refused;
    for (std::size_t row = 0; row <= tables_.sizes.cpus; ++row) {
      tables_.counters()[row * tables_.counter_stride() + use.number] = {};
    }
    core::Backend& record = tables_.backends()[use.number];
    // Its key for replies stays in the index until the next publication, and is no one's from now on.
    store(record.service_protocol, std::uint8_t{0});
    store(record.service, core::kNoService);
    free_numbers_.push_back(use.number);
    return true;
  });
  return before - uses_.size();
}

std::vector<Retired> Publisher::retired() const {
  std::vector<Retired> list;
  for (const auto& [key, use] : uses_) {
    if (!use.wanted) list.push_back({.number = use.number, .service = key.service});
  }
  return list;
}

}  // namespace astil::dataplane
