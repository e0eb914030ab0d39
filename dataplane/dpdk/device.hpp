// A port's device as the EAL has it: a PCI address, "0000:03:00.0", or a virtual device with its arguments,
// "net_af_xdp0,iface=eth0".
#pragma once

#include <string>
#include <string_view>

namespace astil::dpdk {

/// What the EAL calls it: without the arguments.
inline std::string name_of_device(std::string_view device) { return std::string(device.substr(0, device.find(','))); }

inline bool is_pci(std::string_view device) { return device.find(':') != std::string_view::npos; }

/// The interface of the kernel's whose frames the device takes; empty: it takes none.
inline std::string taken_interface(std::string_view device) {
  if (!device.starts_with("net_af_xdp") && !device.starts_with("net_af_packet")) return {};
  constexpr std::string_view kKey = ",iface=";
  const std::size_t at = device.find(kKey);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = device.substr(at + kKey.size());
  return std::string(rest.substr(0, rest.find(',')));
}

/// The interface stays the kernel's in all but what it receives: no tap device stands for it.
inline bool keeps_interface(std::string_view device, std::string_view interface) {
  return device.starts_with("net_af_xdp") && taken_interface(device) == interface;
}

}  // namespace astil::dpdk
