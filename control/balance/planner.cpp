#include "control/balance/planner.hpp"

#include <algorithm>

#include "control/balance/slow_start.hpp"
#include "control/balance/when_down.hpp"
#include "dataplane/core/hash.hpp"

namespace astil::balance {

using dataplane::BackendUse;
using dataplane::Rotation;
using dataplane::ServiceState;

namespace {

struct Endpoint {
  core::Address address;
  std::uint16_t port;

  bool operator==(const Endpoint&) const = default;
};

struct EndpointHash {
  std::size_t operator()(const Endpoint& endpoint) const { return identity_of(endpoint.address, endpoint.port); }
};

/// Where each backend stands in a service.
using Places = std::unordered_map<Endpoint, std::size_t, EndpointHash>;

Places places_of(const std::vector<BackendUse>& backends) {
  Places places;
  // Behind those in use are those that only have flows left, perhaps the same by an earlier forwarding.
  for (std::size_t i = 0; i < backends.size(); ++i) places.try_emplace({backends[i].address, backends[i].port}, i);
  return places;
}

/// A backend without a next hop can not be reached, so nothing new is sent there; what it has keeps the last hop known.
BackendUse use_of(const BackendInput& input, const BackendUse* before, Rotation rotation_of_down) {
  const bool was_in = before != nullptr && before->rotation == Rotation::in;
  const bool healthy =
      input.availability == Availability::up || (input.availability == Availability::unknown && was_in);
  BackendUse use{.address = input.address,
                 .port = input.port,
                 .source = input.outer.source.value_or(input.hop.source),
                 .source_mask = input.outer.source_mask,
                 .wrap = input.outer.wrap,
                 .mtu = input.hop.mtu,
                 .gue_port = input.outer.gue_port,
                 .destination_mac = input.hop.destination_mac,
                 .source_mac = input.hop.source_mac,
                 .interface = input.hop.interface,
                 .weight = input.weight};
  if (input.hop.destination_mac == 0 && before != nullptr) {
    if (!input.outer.source) use.source = before->source;
    use.mtu = before->mtu;
    use.destination_mac = before->destination_mac;
    use.source_mac = before->source_mac;
    use.interface = before->interface;
  }
  const bool reachable = use.destination_mac != 0;
  const bool takes_flows = input.weight != 0 && input.intake == Intake::open;
  use.rotation = !healthy || !reachable ? rotation_of_down : takes_flows ? Rotation::in : Rotation::out;
  return use;
}

std::vector<BackendUse> uses_of(const ServiceInput& service, const std::vector<BackendUse>& before) {
  const std::vector<BackendInput>& inputs = service.backends;
  Places places;  // made where it is needed: nearly always each backend stands where it stood
  std::vector<BackendUse> uses;
  uses.reserve(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const BackendInput& input = inputs[i];
    if (i < before.size() && before[i].address == input.address && before[i].port == input.port) {
      uses.push_back(use_of(input, &before[i], service.rotation_of_down));
      continue;
    }
    if (places.empty()) places = places_of(before);
    const auto place = places.find({input.address, input.port});
    const BackendUse* found = place == places.end() ? nullptr : &before[place->second];
    uses.push_back(use_of(input, found, service.rotation_of_down));
  }
  return uses;
}

/// The ring before, its slots as indices into the backends of now.
std::vector<std::uint16_t> renumbered(const ServiceState& before, const std::vector<BackendUse>& now) {
  const Places places = places_of(now);
  std::vector<std::uint16_t> numbers(before.backends.size(), kNobody);
  for (std::size_t old = 0; old < before.backends.size(); ++old) {
    const auto place = places.find({before.backends[old].address, before.backends[old].port});
    if (place != places.end()) numbers[old] = static_cast<std::uint16_t>(place->second);
  }
  std::vector<std::uint16_t> ring;
  ring.reserve(before.ring.size());
  for (const std::uint16_t slot : before.ring) ring.push_back(numbers[slot]);
  return ring;
}

/// Makes the ring of `now` out of the one before, and reports what moved.
void change_ring(const ServiceState& before, const ServiceInput& input, const std::vector<RingMember>& members,
                 std::uint32_t length, ServiceState& now, std::vector<RingReport>& reports) {
  const std::vector<std::uint16_t> previous = renumbered(before, now.backends);
  PatchedRing patched =
      input.canonical ? canonical_ring(previous, members, length) : patch_ring(previous, members, length);
  now.ring = std::move(patched.slots);
  if (patched.moved == 0 && now.ring.empty() == previous.empty()) return;
  reports.push_back({.service = input.name,
                     .slots = static_cast<std::uint32_t>(now.ring.size()),
                     .moved = patched.moved,
                     .least = patched.least});
}

}  // namespace

std::uint64_t identity_of(const core::Address& address, std::uint16_t port) {
  std::uint64_t hash = core::mixed(port);
  for (const core::Be32 word : address.words) hash = core::mixed(hash ^ host(word));
  return hash;
}

std::uint64_t ring_digest(const ServiceState& service) {
  std::uint64_t digest = core::mixed(service.ring.size());
  for (const std::uint16_t slot : service.ring) {
    const BackendUse& use = service.backends[slot];
    digest = core::mixed(digest ^ identity_of(use.address, use.port));
  }
  return digest;
}

Planner::Planner(dataplane::DesiredState inherited) {
  for (ServiceState& service : inherited.services) {
    const dataplane::ServiceKey key = service.key;
    last_[key] = {.state = std::move(service), .members = std::nullopt, .canonical = false, .starts = {}};
  }
}

void Planner::commit(const Plan& plan) {
  last_.clear();
  for (std::size_t i = 0; i < plan.state.services.size(); ++i) {
    const ServiceState& service = plan.state.services[i];
    last_[service.key] = {
        .state = service, .members = plan.members[i], .canonical = plan.canonical[i], .starts = plan.starts[i]};
  }
}

Plan Planner::plan(const std::vector<dataplane::InterfaceState>& interfaces, const std::vector<ServiceInput>& services,
                   Clock::time_point now) const {
  Plan plan;
  plan.state.interfaces = interfaces;
  for (const ServiceInput& input : services) plan_service(input, now, plan);
  return plan;
}

void Planner::plan_service(const ServiceInput& input, Clock::time_point now, Plan& plan) const {
  static const Service kNew;
  const auto found = last_.find(input.key);
  const Service& before = found == last_.end() ? kNew : found->second;
  ServiceState state{
      .key = input.key,
      .forwarding = input.forwarding,
      .scheduler = input.scheduler,
      .source_bits = input.source_bits,
      .affinity = input.affinity,
      .sources = input.sources,
      .when_none = input.when_down == WhenDown::reject ? dataplane::WhenNone::refuse : dataplane::WhenNone::drop,
      .backends = uses_of(input, before.state.backends),
      .ring = {},
      .wheel = {}};
  plan.too_few.push_back(provide_for_too_few(input, state.backends));
  const SlowStart slow_start =
      start_slowly(input.slow_start, before.state.backends, before.starts, state.backends, now);
  std::vector<RingMember> all;
  std::vector<RingMember> members;
  for (std::size_t i = 0; i < input.backends.size(); ++i) {
    const BackendInput& backend = input.backends[i];
    const bool in = state.backends[i].rotation == Rotation::in;
    all.push_back({.identity = identity_of(backend.address, backend.port), .weight = backend.weight});
    members.push_back({.identity = all.back().identity, .weight = in ? backend.weight * slow_start.tenths[i] : 0});
  }
  weigh(slow_start, state.backends);
  // Long enough for all backends, so that one that comes up does not need another length; one that is patched is never
  // shorter than it was.
  std::uint32_t length = ring_length(all, input.slots_per_weight);
  if (!input.canonical) length = std::max(length, static_cast<std::uint32_t>(before.state.ring.size()));
  // Most plans change few services, and to patch a ring or to make a wheel takes long beside a look at the members.
  const bool same = before.members && members == *before.members;
  if (same && input.canonical == before.canonical && length == before.state.ring.size()) {
    state.ring = before.state.ring;
  } else {
    change_ring(before.state, input, members, length, state, plan.rings);
  }
  if (input.scheduler == core::Scheduler::round_robin) {
    state.wheel = same && !before.state.wheel.empty() ? before.state.wheel : make_wheel(members);
  }
  plan.members.push_back(std::move(members));
  plan.canonical.push_back(input.canonical);
  if (slow_start.next_step)
    plan.next_step = std::min(plan.next_step.value_or(*slow_start.next_step), *slow_start.next_step);
  plan.starts.push_back(slow_start.starts);
  plan.tenths.push_back(slow_start.tenths);
  plan.state.services.push_back(std::move(state));
}

}  // namespace astil::balance
