#include "agent/ipv6_setting.hpp"

#include "control/net/sysctl.hpp"

namespace astil::agent {

Result<void> check_ipv6(const std::string& interface) {
  const auto disabled = net::sysctl_ipv6(interface, "disable_ipv6");
  if (disabled.has_error()) return disabled.error().within("IPv6, of which a service address is");
  if (*disabled == 0) return {};
  return Error{"IPv6 is turned off on " + interface + ", and a service address is one of IPv6",
               "sysctl -w net.ipv6.conf." + interface + ".disable_ipv6=0"};
}

}  // namespace astil::agent
