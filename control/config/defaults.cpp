// The defaults that follow from other values.
#include "control/config/defaults.hpp"

namespace astil::config {
namespace {

ProbeVia usual_way(const Service& service, const HealthCheck& check) {
  const bool leaves_address = service.forwarding == Forwarding::tunnel || service.forwarding == Forwarding::direct;
  return leaves_address && needs_port(check.probe) ? ProbeVia::path : ProbeVia::address;
}

}  // namespace

void fill_in_defaults(Model& model) {
  if (model.socket.empty()) model.socket = "/run/astil/" + model.instance + ".sock";
  const bool adds_addresses = model.addresses == AddressOwner::daemon;
  if (adds_addresses && !model.address_interface && !model.interfaces.empty()) {
    model.address_interface = model.interfaces.front();
  }
  if (adds_addresses && !model.full_nat.interface && !model.full_nat.sources.empty() && !model.interfaces.empty())
    model.full_nat.interface = model.interfaces.back();
  if (model.ha) {
    for (VrrpGroup& group : model.ha->groups) {
      if (!group.interface && !model.interfaces.empty())
        group.interface = model.address_interface.value_or(model.interfaces.front());
    }
  }
  if (model.dns) {
    if (auto& limit = model.dns->rate_limit; limit && !limit->burst) limit->burst = limit->per_second;
    for (DnsReport& report : model.dns->sites) {
      constexpr int kIntervals = 4;
      if (!report.stale_after) report.stale_after = kIntervals * report.interval;
    }
    for (DnsZone& zone : model.dns->zones) {
      for (DnsName& name : zone.names) {
        constexpr unsigned kAll = 8;
        if (!name.at_most) name.at_most = name.policy == DnsPolicy::all ? kAll : 1;
      }
    }
  }
  for (Service& service : model.services) {
    if (service.sources && !service.sources->burst) service.sources->burst = service.sources->new_flows_per_second;
    if (!service.ring_rule) service.ring_rule = model.ha ? RingRule::canonical : RingRule::patched;
    if (!service.when_backend_down)
      service.when_backend_down = service.protocol == Protocol::udp ? DownFlows::re_steer : DownFlows::keep;
    if (service.health && !service.health->via) service.health->via = usual_way(service, *service.health);
    for (FurtherCheck& further : service.further_checks) {
      if (!further.check.via) further.check.via = usual_way(service, further.check);
    }
    for (Backend& backend : service.backends) {
      if (backend.port == Port{}) backend.port = service.port;
    }
  }
}

}  // namespace astil::config
