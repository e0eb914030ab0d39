#include "tests/packets/service.hpp"

#include <algorithm>

#include "control/balance/planner.hpp"

namespace astil::test {

Service::Service(std::string_view host, std::uint16_t port) {
  state_.key = {.address = address(host), .port = port, .protocol = core::kProtocolTcp};
}

Service& Service::udp() { return state_.key.protocol = core::kProtocolUdp, *this; }
Service& Service::nat() { return state_.forwarding = core::Forwarding::nat, *this; }
Service& Service::tunnel() { return state_.forwarding = core::Forwarding::tunnel, *this; }
Service& Service::gue() { return state_.forwarding = core::Forwarding::tunnel, gue_ = true, *this; }
Service& Service::varied_source(std::string_view net, std::uint32_t host_bits) {
  source_ = address(net);
  source_mask_ = core::be32(host_bits);
  return *this;
}
Service& Service::direct() { return state_.forwarding = core::Forwarding::direct, *this; }
Service& Service::full_nat() { return state_.forwarding = core::Forwarding::full_nat, *this; }
Service& Service::round_robin() { return state_.scheduler = core::Scheduler::round_robin, *this; }
Service& Service::least_connections() { return state_.scheduler = core::Scheduler::least_connections, *this; }
Service& Service::two_choices() { return state_.scheduler = core::Scheduler::two_choices, *this; }
Service& Service::source_hash(std::uint8_t bits) {
  state_.scheduler = core::Scheduler::source_hash;
  return state_.source_bits = whole_bits(bits), *this;
}
Service& Service::affinity(std::uint32_t seconds, std::uint8_t bits) {
  return state_.affinity = dataplane::Affinity{.seconds = seconds, .bits = whole_bits(bits)}, *this;
}
Service& Service::allow(std::string_view network, std::uint8_t bits) {
  prefixes_.push_back({address(network), whole_bits(bits), dataplane::SourceVerdict::allow});
  return *this;
}
Service& Service::deny(std::string_view network, std::uint8_t bits) {
  prefixes_.push_back({address(network), whole_bits(bits), dataplane::SourceVerdict::deny});
  return *this;
}
Service& Service::limit(std::uint32_t per_second, std::uint32_t burst, std::uint8_t bits) {
  state_.sources.new_flows_per_second = per_second;
  state_.sources.burst = burst;
  return state_.sources.bits = whole_bits(bits), *this;
}
/// Bits of an IPv4 address as of one that is mapped into IPv6.
std::uint8_t Service::whole_bits(std::uint8_t bits) const {
  return static_cast<std::uint8_t>(is_ipv4(state_.key.address) ? 96 + bits : bits);
}
Service& Service::refusing() { return state_.when_none = dataplane::WhenNone::refuse, *this; }
Service& Service::ring_length(std::uint32_t slots) { return ring_length_ = slots, *this; }

Service& Service::backend(std::string_view dotted, const BackendOptions& options) {
  const core::Address host = address(dotted);
  const bool ipv4 = is_ipv4(host);
  const core::Address own = address(ipv4 ? kBalancerAddress : kBalancerAddress6);
  state_.backends.push_back(
      {.address = host,
       .port = options.port == 0 ? state_.key.port : options.port,
       .source = source_.value_or(own),
       .source_mask = source_mask_,
       .wrap = ipv4 ? (gue_ ? core::Wrap::gue4 : core::Wrap::ipip4) : (gue_ ? core::Wrap::gue6 : core::Wrap::ipip6),
       .mtu = options.mtu,
       .destination_mac = core::tagged(options.mac, core::be16(options.outer_vlan)),
       .source_mac = core::tagged(kBalancerMac, core::be16(options.vlan)),
       .interface = options.interface,
       .rotation = options.rotation,
       .weight = options.weight});
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
  state.sources.ranges = dataplane::ranges_of(prefixes_);
  state.ring = balance::make_ring(members, ring_length_);
  if (state.scheduler == core::Scheduler::round_robin) state.wheel = balance::make_wheel(members);
  return state;
}

dataplane::DesiredState desired(const std::vector<Service>& services) {
  dataplane::DesiredState state;
  state.interfaces.push_back({.ifindex = kIngress, .mac = kBalancerMac});
  for (const Service& service : services) state.services.push_back(service.state());
  const bool full_nat = std::any_of(state.services.begin(), state.services.end(), [](const auto& service) {
    return service.forwarding == core::Forwarding::full_nat;
  });
  if (full_nat) state.port_sources = {address(kPortSource), address(kPortSource6)};
  return state;
}

}  // namespace astil::test
