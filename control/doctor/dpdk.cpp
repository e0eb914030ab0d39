#include "control/doctor/dpdk.hpp"

#include <algorithm>

#include "dataplane/dpdk/device.hpp"

namespace astil::doctor {
namespace {

/// A frame of a larger MTU does not fit into a packet buffer; one tag of a VLAN does.
unsigned largest_mtu(const config::Model& model, const std::string& interface) {
  constexpr unsigned kHeader = 18;
  const auto port = std::ranges::find(model.dpdk.ports, interface, &config::DpdkPort::name);
  return dpdk::longest_frame(port == model.dpdk.ports.end() ? "" : port->device) - kHeader;
}

Finding finding_of(const dpdk::Need& need) { return {need.about, need.met, need.what, need.remedy}; }

}  // namespace

dpdk::Wanted wanted_of(const config::Model& model) {
  dpdk::Wanted wanted{.memory = model.dpdk.memory_mib,
                      .huge_pages = model.dpdk.hugepages,
                      .cores = model.dpdk.cores,
                      .devices = {},
                      .instance = model.instance};
  for (const config::DpdkPort& port : model.dpdk.ports) wanted.devices.emplace_back(port.name, port.device);
  return wanted;
}

bool is_made(const config::Model& model, const std::string& interface) {
  const auto port = std::ranges::find(model.dpdk.ports, interface, &config::DpdkPort::name);
  return port != model.dpdk.ports.end() && !dpdk::keeps_interface(port->device, interface);
}

void examine_dpdk(const Facts& facts, const config::Model& model, std::vector<Finding>& findings) {
  findings.push_back(finding_of(dpdk::need_of_program(facts.dpdk)));
  for (const dpdk::Need& need : dpdk::needs(facts.dpdk, wanted_of(model))) findings.push_back(finding_of(need));
  for (const InterfaceFacts& each : facts.interfaces) {
    const unsigned largest = largest_mtu(model, each.name);
    if (!each.exists || each.mtu <= largest) continue;
    findings.push_back({"interface " + each.name + ": MTU", false,
                        std::to_string(each.mtu) + ": packets longer than " + std::to_string(largest) +
                            " bytes are lost by this engine",
                        "ip link set " + each.name + " mtu 1500"});
  }
}

}  // namespace astil::doctor
