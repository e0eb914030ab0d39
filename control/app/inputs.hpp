// From the control plane's words to the packet path's: configuration, health and next hops as the planner's inputs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/balance/planner.hpp"
#include "control/config/model.hpp"
#include "control/net/types.hpp"

namespace astil::app {

/// What is known of the world besides the configuration.
struct Facts {
  std::function<balance::Availability(const config::Service&, const config::Backend&)> availability;
  std::function<std::optional<net::NextHop>(const config::address&)> next_hop;
};

[[nodiscard]] std::vector<balance::ServiceInput> planner_inputs(const config::Model& model, const Facts& facts);

[[nodiscard]] core::Address to_core(const config::address& host);
[[nodiscard]] config::address from_core(const core::Address& host);
/// The low 6 bytes hold the address as it stands in a packet.
[[nodiscard]] std::uint64_t mac_word(const net::MacAddress& mac);
[[nodiscard]] net::MacAddress mac_of(std::uint64_t word);
[[nodiscard]] dataplane::ServiceKey key_of(const config::Service& service);
dataplane::FlowTimeouts to_core(const config::Timeouts& timeouts);

[[nodiscard]] core::Sizes table_sizes(const config::TableSizes& tables);

}  // namespace astil::app
