#include "dataplane/xdp/pins.hpp"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "dataplane/xdp/tc_filter.hpp"

namespace astil::xdp {
namespace {

constexpr std::string_view kLinkPrefix = "link-";
constexpr std::string_view kTablesPrefix = "tables-";

/// Entries of a folder whose names begin with `prefix`; none where the folder is missing.
std::vector<std::filesystem::path> entries(const std::filesystem::path& folder, std::string_view prefix) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<std::vector<std::uint32_t>> maps_of_program(const base::Descriptor& program) {
  std::array<std::uint32_t, 64> ids{};
  bpf_prog_info info{};
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  std::uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0)
    return system_error("read the attached program", errno);
  const std::size_t count = std::min<std::size_t>(info.nr_map_ids, ids.size());
  return std::vector<std::uint32_t>(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace

Result<void> ensure_bpffs(const std::filesystem::path& bpffs) {
  struct statfs found {};
  if (::statfs(bpffs.c_str(), &found) == 0 && found.f_type == BPF_FS_MAGIC) return {};
  if (::mount("bpf", bpffs.c_str(), "bpf", 0, "mode=0700") == 0) return {};
  Error error = system_error("mount the BPF file system on " + bpffs.string(), errno);
  error.remedy = errno == EPERM
                     ? "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON and a mounted BPF file system"
                     : "mount -t bpf bpf " + bpffs.string();
  return error;
}

Result<std::vector<PinnedLink>> pinned_links(const std::filesystem::path& instance_folder) {
  std::vector<PinnedLink> links;
  for (const std::filesystem::path& path : entries(instance_folder, kLinkPrefix)) {
    PinnedLink link{
        .path = path, .descriptor = base::Descriptor(::bpf_obj_get(path.c_str())), .program = {}, .map_ids = {}};
    if (!link.descriptor.valid()) return system_error("open " + path.string(), errno);
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    if (::bpf_obj_get_info_by_fd(link.descriptor.get(), &info, &length) != 0)
      return system_error("read " + path.string(), errno);
    link.ifindex = info.xdp.ifindex;
    link.program = base::Descriptor(::bpf_prog_get_fd_by_id(info.prog_id));
    if (!link.program.valid()) return system_error("open the program at " + path.string(), errno);
    auto maps = maps_of_program(link.program);
    if (maps.has_error()) return maps.error().within(path.string());
    link.map_ids = std::move(*maps);
    links.push_back(std::move(link));
  }
  for (const std::uint32_t ifindex : marked_interfaces(instance_folder)) {
    PinnedLink link{
        .path = instance_folder, .tc = true, .descriptor = {}, .program = {}, .ifindex = ifindex, .map_ids = {}};
    const std::uint32_t program = TcFilter(instance_folder.filename().string(), ifindex).program_id();
    if (program != 0) {
      link.program = base::Descriptor(::bpf_prog_get_fd_by_id(program));
      if (!link.program.valid())
        return system_error("open the program at the tc hook of interface " + std::to_string(ifindex), errno);
      auto maps = maps_of_program(link.program);
      if (maps.has_error()) return maps.error();
      link.map_ids = std::move(*maps);
    }
    links.push_back(std::move(link));
  }
  return links;
}

Result<void> remove_pin(const PinnedLink& link) {
  if (link.tc) return TcFilter(link.path.filename().string(), link.ifindex).remove(link.path);
  // At once: a link whose last holder goes lets go of its interface later, at some time.
  ::bpf_link_detach(link.descriptor.get());
  std::error_code error;
  std::filesystem::remove(link.path, error);
  if (error) return Error{"remove " + link.path.string() + ": " + error.message(), {}};
  return {};
}

std::vector<std::pair<std::uint32_t, std::filesystem::path>> pinned_table_folders(
    const std::filesystem::path& instance_folder) {
  std::vector<std::pair<std::uint32_t, std::filesystem::path>> folders;
  for (const std::filesystem::path& path : entries(instance_folder, kTablesPrefix)) {
    const std::string digits = path.filename().string().substr(kTablesPrefix.size());
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && end == digits.data() + digits.size()) folders.emplace_back(number, path);
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

Result<void> remove_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return {};
  for (const std::filesystem::path& path : entries(folder, "")) std::filesystem::remove(path, error);
  std::filesystem::remove(folder, error);
  if (error) return Error{"remove " + folder.string() + ": " + error.message(), {}};
  return {};
}

}  // namespace astil::xdp
