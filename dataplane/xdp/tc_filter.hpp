// The attachment to the tc hook: a filter of the clsact qdisc at ingress. A filter stays when its maker is gone, so
// what is kept beside the pins is only where there is one: an empty folder of the BPF file system for each interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dataplane/base/result.hpp"

namespace astil::xdp {

/// Our filter on an interface. Each instance has its own, by its handle.
class TcFilter {
 public:
  TcFilter(const std::string& instance, std::uint32_t ifindex);

  /// Attaches the program, or lets it take the place of the one that is there, without a packet in between.
  [[nodiscard]] Result<void> attach(int program, const std::filesystem::path& instance_folder) const;
  /// The kernel's id of the program that is attached; 0: none is, or the interface is gone.
  [[nodiscard]] std::uint32_t program_id() const;
  /// Removes the filter, its mark, and the qdisc where this instance made it and nobody else uses it. No error where
  /// there is none.
  [[nodiscard]] Result<void> remove(const std::filesystem::path& instance_folder) const;

 private:
  std::uint32_t ifindex_;
  std::uint32_t handle_;
};

/// The handle of an instance's filters, 1 to 65535.
[[nodiscard]] std::uint32_t filter_handle(const std::string& instance);

/// The interfaces that an instance has left a mark for. The filter may be gone with its interface.
std::vector<std::uint32_t> marked_interfaces(const std::filesystem::path& instance_folder);

}  // namespace astil::xdp
