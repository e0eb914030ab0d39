// From the control plane's words to the packet path's: configuration, health and next hops as the planner's inputs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/balance/planner.hpp"
#include "control/config/model.hpp"
#include "control/health/verdicts.hpp"
#include "control/net/types.hpp"
#include "dataplane/dataplane.hpp"

namespace astil::app {

/// What is known of the world besides the configuration.
struct Facts {
  std::function<balance::Availability(const config::Service&, const config::Backend&)> availability;
  std::function<std::optional<net::NextHop>(const config::address&)> next_hop;
  /// By an operator's order; empty: none was given.
  std::function<balance::Intake(const config::Service&, const config::Backend&)> intake = nullptr;
};

[[nodiscard]] health::Subject subject_of(const config::Service& service, const config::Backend& backend);
[[nodiscard]] balance::Availability availability_of(health::Health health);

[[nodiscard]] std::vector<balance::ServiceInput> planner_inputs(const config::Model& model, const Facts& facts);

/// Is something known of every backend?
[[nodiscard]] bool is_all_known(const std::vector<balance::ServiceInput>& services);
/// The same once all is known of the backends that nothing is known of yet, and well.
[[nodiscard]] std::vector<balance::ServiceInput> made_well(std::vector<balance::ServiceInput> services);

[[nodiscard]] core::Address to_core(const config::address& host);
[[nodiscard]] config::address from_core(const core::Address& host);
/// The low 6 bytes hold the address as it stands in a packet.
[[nodiscard]] std::uint64_t mac_word(const net::MacAddress& mac);
[[nodiscard]] net::MacAddress mac_of(std::uint64_t word);

/// An interface that packets come in by, or a VLAN device over one, as the packet path knows it. None where the link
/// is not Ethernet.
[[nodiscard]] std::optional<dataplane::InterfaceState> interface_state(const net::Link& link);
/// The virtual routers whose MAC address is one of ours (`virtual_mac`), where their frames come in.
[[nodiscard]] std::vector<dataplane::InterfaceState> virtual_router_states(const config::Model& model,
                                                                           const std::vector<net::Link>& links);
[[nodiscard]] dataplane::ServiceKey key_of(const config::Service& service);

/// What the packet path does whatever the service.
struct PathSettings {
  dataplane::FlowTimeouts timeouts;
  std::uint32_t new_flows_per_second = 0;   ///< of each CPU; 0: no limit
  bool answers_echo = false;                ///< to service addresses
  std::vector<core::Address> port_sources;  ///< of full NAT
  std::vector<core::Address> closed;        ///< of groups with `accept_mode: false`
};
[[nodiscard]] PathSettings path_settings(const config::Model& model);

/// The VLAN devices that the packet path can put tags on for, and what lies between them and what carries them: those
/// that are up, kMostVlanDevices at most, by ifindex. Many more would leave the table of interfaces no free places.
inline constexpr std::size_t kMostVlanDevices = 64;
[[nodiscard]] std::vector<dataplane::InterfaceState> vlan_states(const std::vector<net::Link>& links);

/// Of one of the model's interfaces.
[[nodiscard]] dataplane::Hook hook_of(const config::Model& model, const std::string& interface);

[[nodiscard]] core::Sizes table_sizes(const config::Model& model);

}  // namespace astil::app
