// What an instance has pinned in the BPF file system, and how it hangs together.
#pragma once

#include <filesystem>
#include <vector>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"

namespace astil::xdp {

/// Makes sure that a BPF file system is mounted there.
Result<void> ensure_bpffs(const std::filesystem::path& bpffs);

/// An attachment that a daemon has left.
struct PinnedLink {
  std::filesystem::path path;
  bool tc = false;                     ///< a filter (tc_filter.hpp): the path is the instance's folder
  base::Descriptor descriptor;         ///< of XDP's link
  base::Descriptor program;            ///< the one that is attached
  std::uint32_t ifindex = 0;           ///< 0: the interface is gone
  std::vector<std::uint32_t> map_ids;  ///< of the maps that the attached program uses

  /// Its interface is no more, or its filter; what is pinned keeps only the program.
  [[nodiscard]] bool is_gone() const { return ifindex == 0 || !program.valid(); }
};

/// Detaches.
Result<void> remove_pin(const PinnedLink& link);

/// The links and filters of an instance. One that can not be read is an error: it must not be lost sight of.
Result<std::vector<PinnedLink>> pinned_links(const std::filesystem::path& instance_folder);

/// tables-<n>, by n.
std::vector<std::pair<std::uint32_t, std::filesystem::path>> pinned_table_folders(
    const std::filesystem::path& instance_folder);

/// Removes a folder of pins (bpffs knows only unlink and rmdir).
Result<void> remove_folder(const std::filesystem::path& folder);

}  // namespace astil::xdp
