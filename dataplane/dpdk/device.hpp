// A port's device as the EAL has it: a PCI address, "0000:03:00.0", or a virtual device with its arguments,
// "net_af_xdp0,iface=eth0".
#pragma once

#include <string>
#include <string_view>

namespace astil::dpdk {

/// What the EAL calls it: without the arguments.
inline std::string name_of_device(std::string_view device) { return std::string(device.substr(0, device.find(','))); }

inline bool is_pci(std::string_view device) { return device.find(':') != std::string_view::npos; }

/// The value of one of its arguments; empty: it has none of that name.
inline std::string argument_of(std::string_view device, std::string_view name) {
  const std::string key = "," + std::string(name) + "=";
  const std::size_t at = device.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = device.substr(at + key.size());
  return std::string(rest.substr(0, rest.find(',')));
}

/// The interface of the kernel's whose frames the device takes; empty: it takes none.
inline std::string taken_interface(std::string_view device) {
  const bool takes = device.starts_with("net_af_xdp") || device.starts_with("net_af_packet");
  return takes ? argument_of(device, "iface") : std::string();
}

/// The interface stays the kernel's in all but what it receives: no tap device stands for it.
inline bool keeps_interface(std::string_view device, std::string_view interface) {
  return device.starts_with("net_af_xdp") && taken_interface(device) == interface;
}

}  // namespace astil::dpdk
