#include "tests/packets/service.hpp"

#include "control/balance/planner.hpp"

namespace astil::test {

Service::Service(std::string_view dotted, std::uint16_t port) {
  state_.key = {.address = address(dotted), .port = port, .protocol = core::kProtocolTcp};
}

Service& Service::udp() { return state_.key.protocol = core::kProtocolUdp, *this; }
Service& Service::nat() { return state_.forwarding = core::Forwarding::nat, *this; }
Service& Service::tunnel() { return state_.forwarding = core::Forwarding::tunnel, *this; }
Service& Service::direct() { return state_.forwarding = core::Forwarding::direct, *this; }
Service& Service::round_robin() { return state_.scheduler = core::Scheduler::round_robin, *this; }
Service& Service::ring_length(std::uint32_t slots) { return ring_length_ = slots, *this; }

Service& Service::backend(std::string_view dotted, const BackendOptions& options) {
  state_.backends.push_back({.address = address(dotted),
                             .port = options.port == 0 ? state_.key.port : options.port,
                             .source = address("10.0.0.254"),
                             .destination_mac = options.mac,
                             .source_mac = kBalancerMac,
                             .interface = options.interface,
                             .rotation = options.rotation});
  weights_.push_back(options.rotation == dataplane::Rotation::in ? options.weight : 0);
  return *this;
}

dataplane::ServiceState Service::state() const {
  dataplane::ServiceState state = state_;
  std::vector<balance::RingMember> members;
  for (std::size_t i = 0; i < state.backends.size(); ++i) {
    members.push_back(
        {.identity = balance::identity_of(state.backends[i].address, state.backends[i].port), .weight = weights_[i]});
  }
  state.ring = balance::make_ring(members, ring_length_);
  if (state.scheduler == core::Scheduler::round_robin) state.wheel = balance::make_wheel(members);
  return state;
}

dataplane::DesiredState desired(const std::vector<Service>& services) {
  dataplane::DesiredState state;
  state.interfaces.push_back({.ifindex = kIngress, .mac = kBalancerMac});
  for (const Service& service : services) state.services.push_back(service.state());
  return state;
}

}  // namespace astil::test
