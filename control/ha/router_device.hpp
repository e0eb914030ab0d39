// The name of a device that has a virtual router's MAC address, by which a later process finds it.
#pragma once

#include <cstdint>
#include <string>

namespace astil::ha {

/// "vr4-51-3": IP version, VRID, and the ifindex of the interface it is over. At most 15 characters.
[[nodiscard]] inline std::string router_device_name(std::uint8_t ip_version, std::uint8_t virtual_router_id,
                                                    std::uint32_t ifindex) {
  return "vr" + std::to_string(ip_version) + "-" + std::to_string(virtual_router_id) + "-" + std::to_string(ifindex);
}

}  // namespace astil::ha
