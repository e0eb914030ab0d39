#include "control/balance/planner.hpp"

#include <algorithm>

#include "control/balance/ring.hpp"
#include "dataplane/core/hash.hpp"

namespace astil::balance {

using dataplane::BackendUse;
using dataplane::Rotation;
using dataplane::ServiceState;

namespace {

const ServiceState* find_service(const std::vector<ServiceState>& services, const dataplane::ServiceKey& key) {
  const auto found =
      std::find_if(services.begin(), services.end(), [&](const ServiceState& s) { return s.key == key; });
  return found == services.end() ? nullptr : &*found;
}

const BackendUse* find_backend(const ServiceState* service, const BackendInput& wanted) {
  if (service == nullptr) return nullptr;
  const auto found = std::find_if(service->backends.begin(), service->backends.end(), [&](const BackendUse& use) {
    return use.address == wanted.address && use.port == wanted.port;
  });
  return found == service->backends.end() ? nullptr : &*found;
}

/// A backend without a next hop can not be reached, so nothing new is sent there; what it has keeps the last hop known.
BackendUse use_of(const BackendInput& input, const BackendUse* before) {
  const bool was_in = before != nullptr && before->rotation == Rotation::in;
  const bool healthy =
      input.availability == Availability::up || (input.availability == Availability::unknown && was_in);
  BackendUse use{.address = input.address,
                 .port = input.port,
                 .source = input.hop.source,
                 .destination_mac = input.hop.destination_mac,
                 .source_mac = input.hop.source_mac,
                 .interface = input.hop.interface};
  if (input.hop.destination_mac == 0 && before != nullptr) {
    use.source = before->source;
    use.destination_mac = before->destination_mac;
    use.source_mac = before->source_mac;
    use.interface = before->interface;
  }
  const bool reachable = use.destination_mac != 0;
  use.rotation = healthy && reachable && input.weight != 0 ? Rotation::in : Rotation::out;
  return use;
}

/// The ring before, its slots as indices into the backends of now.
std::vector<std::uint16_t> renumbered(const ServiceState& before, const ServiceState& now) {
  std::vector<std::uint16_t> numbers(before.backends.size(), kNobody);
  for (std::size_t old = 0; old < before.backends.size(); ++old) {
    for (std::size_t i = 0; i < now.backends.size(); ++i) {
      if (now.backends[i].address == before.backends[old].address &&
          now.backends[i].port == before.backends[old].port) {
        numbers[old] = static_cast<std::uint16_t>(i);
      }
    }
  }
  std::vector<std::uint16_t> ring;
  ring.reserve(before.ring.size());
  for (const std::uint16_t slot : before.ring) ring.push_back(numbers[slot]);
  return ring;
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

Plan Planner::plan(const std::vector<dataplane::InterfaceState>& interfaces,
                   const std::vector<ServiceInput>& services) const {
  Plan plan;
  plan.state.interfaces = interfaces;
  for (const ServiceInput& input : services) {
    const ServiceState* before = find_service(last_, input.key);
    ServiceState state{.key = input.key,
                       .forwarding = input.forwarding,
                       .scheduler = input.scheduler,
                       .backends = {},
                       .ring = {},
                       .wheel = {}};
    std::vector<RingMember> all;
    std::vector<RingMember> members;
    for (const BackendInput& backend : input.backends) {
      state.backends.push_back(use_of(backend, find_backend(before, backend)));
      const std::uint64_t identity = identity_of(backend.address, backend.port);
      all.push_back({.identity = identity, .weight = backend.weight});
      members.push_back(
          {.identity = identity, .weight = state.backends.back().rotation == Rotation::in ? backend.weight : 0});
    }
    // Long enough for all backends, so that one that comes up does not need another length; never shorter than it was.
    std::uint32_t length = ring_length(all, input.slots_per_weight);
    std::vector<std::uint16_t> previous;
    if (before != nullptr && !before->ring.empty()) {
      previous = renumbered(*before, state);
      length = std::max(length, static_cast<std::uint32_t>(previous.size()));
    }
    PatchedRing patched = patch_ring(previous, members, length);
    state.ring = std::move(patched.slots);
    if (input.scheduler == core::Scheduler::round_robin) state.wheel = make_wheel(members);
    if (patched.moved != 0 || state.ring.empty() != previous.empty()) {
      plan.rings.push_back({.service = input.name,
                            .slots = static_cast<std::uint32_t>(state.ring.size()),
                            .moved = patched.moved,
                            .least = patched.least});
    }
    plan.state.services.push_back(std::move(state));
  }
  return plan;
}

}  // namespace astil::balance
