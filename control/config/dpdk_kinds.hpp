// Kinds of values of dataplane.dpdk: devices and cores.
#pragma once

#include "control/config/kinds.hpp"

namespace astil::config {

/// As DPDK's EAL has it: the PCI address of a device, or a virtual device with its arguments.
struct DpdkDevice {
  [[nodiscard]] Result<std::string> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const std::string& value) const { return value; }
  [[nodiscard]] Shape shape() const;
};

/// `2`, `2-5`, `2,4-5`; at most 32, each only once.
struct CoreList {
  [[nodiscard]] Result<std::vector<std::uint32_t>> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const std::vector<std::uint32_t>& value) const;
  [[nodiscard]] Shape shape() const;
};

}  // namespace astil::config
