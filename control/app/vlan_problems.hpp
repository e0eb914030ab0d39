// What is wrong with VLAN devices on top of the balancer's interfaces, for the status: the packet path leaves to the
// kernel, or does not reach, what is behind such a device.
#pragma once

#include <string>
#include <vector>

#include "control/api/view.hpp"
#include "control/net/types.hpp"

namespace astil::app {

/// Of devices that are up. `interfaces`: those of the configuration, by name.
[[nodiscard]] std::vector<api::ProblemView> vlan_problems(const std::vector<net::Link>& links,
                                                          const std::vector<std::string>& interfaces);

}  // namespace astil::app
