// What the host is like, read from the kernel.
#include <fcntl.h>
#include <glob.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/dpdk/device.hpp"
#include "dataplane/dpdk/needs.hpp"
#include "dataplane/dpdk/share.hpp"

namespace astil::dpdk {
namespace {

namespace fs = std::filesystem;

void read_huge_pages(HostFacts& facts) {
  std::error_code error;
  for (const auto& size : fs::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    std::uint64_t pages = 0;
    std::ifstream(size.path() / "free_hugepages") >> pages;
    const std::string name = size.path().filename().string();  // "hugepages-2048kB"
    facts.free_huge_bytes += pages * std::stoull("0" + name.substr(name.find('-') + 1)) * 1024;
  }
  std::ifstream memory("/proc/meminfo");
  for (std::string key, rest; memory >> key && std::getline(memory, rest);) {
    if (key == "Hugepagesize:")
      facts.huge_page_bytes = std::stoull("0" + rest.substr(rest.find_first_of("0123456789"))) * 1024;
  }
}

bool has_hugetlbfs() {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string what, where, kind, rest; mounts >> what >> where >> kind && std::getline(mounts, rest);) {
    if (kind == "hugetlbfs") return true;
  }
  return false;
}

/// Not those that this process is bound to: cores that are isolated for workers are none of them. "0-3,5"
std::vector<std::uint32_t> online_cores() {
  std::vector<std::uint32_t> cores;
  std::ifstream list("/sys/devices/system/cpu/online");
  for (std::uint32_t first = 0; list >> first; list.ignore(1)) {
    std::uint32_t last = first;
    if (list.peek() == '-') list.ignore(1) >> last;
    for (std::uint32_t core = first; core <= last; ++core) cores.push_back(core);
  }
  return cores;
}

std::uint64_t available_memory() {
  std::ifstream memory("/proc/meminfo");
  std::uint64_t kibibytes = 0;
  for (std::string key, rest; memory >> key && std::getline(memory, rest);) {
    if (key == "MemAvailable:") kibibytes = std::stoull("0" + rest.substr(rest.find_first_of("0123456789")));
  }
  return kibibytes * 1024;
}

/// Why a file can not be opened for reading and writing; empty: it can.
std::string refusal_of(const fs::path& path) {
  const base::Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  return file.valid() ? "" : std::strerror(errno);
}

bool is_any(const char* pattern) {
  glob_t found{};
  const bool any = ::glob(pattern, 0, nullptr, &found) == 0;
  ::globfree(&found);
  return any;
}

/// Where drivers do not lie as Debian has them, nothing can be told.
bool has_af_xdp() {
  return !is_any("/usr/lib/*/dpdk/pmds-*") || is_any("/usr/lib/*/dpdk/pmds-*/librte_net_af_xdp.so*");
}

/// Beside the program that asks, or where packages put it.
std::string program() {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& folder : {own, fs::path("/usr/bin"), fs::path("/usr/sbin"), fs::path("/usr/local/bin")}) {
    const fs::path path = folder / "astil-dpdk";
    if (::access(path.c_str(), X_OK) == 0) return path.string();
  }
  return {};
}

/// What this process may, as bits by number (capabilities(7)).
std::uint64_t own_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return 0;
  return sets[0].effective | std::uint64_t{sets[1].effective} << 32U;
}

bool may_lock_all() { return (own_capabilities() >> CAP_IPC_LOCK & 1U) != 0; }

/// Of those that every port needs; AF_XDP's looks a program up by its id.
std::string missing_capabilities(const Wanted& wanted) {
  std::vector<std::pair<unsigned, const char*>> needed{
      {CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_NET_RAW, "CAP_NET_RAW"}, {CAP_BPF, "CAP_BPF"}};
  for (const auto& [interface, device] : wanted.devices) {
    if (!device.starts_with("net_af_xdp")) continue;
    needed.emplace_back(CAP_SYS_ADMIN, "CAP_SYS_ADMIN");
    break;
  }
  std::string missing;
  for (const auto& [number, name] : needed) {
    if ((own_capabilities() >> number & 1U) == 0) missing += (missing.empty() ? "" : ", ") + std::string(name);
  }
  return missing;
}

std::optional<std::uint64_t> lockable() {
  rlimit limit{};
  if (may_lock_all() || ::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::nullopt;
  return limit.rlim_cur;
}

bool ask_ethtool(const std::string& interface, void* command) {
  const base::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = static_cast<char*>(command);
  return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

/// Queues that an interface receives by.
void read_queues(const std::string& interface, DeviceFacts& facts) {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (!ask_ethtool(interface, &channels)) return;
  facts.combined = channels.combined_count;
  const std::uint32_t queues = channels.rx_count + channels.combined_count;
  if (queues != 0) facts.queues = queues;
}

/// Of this engine's, or of any other process's.
bool is_tap(const std::string& interface) {
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  return ask_ethtool(interface, &driver) && std::string_view(driver.driver) == "tun" &&
         std::string_view(driver.bus_info) == "tap";
}

bool has_workers(const std::string& instance) {
  const auto share = MappedShare::find(instance);
  return share.has_value() && share->has_value() && __atomic_load_n(&(**share)->running_workers, __ATOMIC_RELAXED) != 0;
}

DeviceFacts device_facts(const std::string& interface, const std::string& device, const std::string& instance) {
  DeviceFacts facts;
  std::error_code error;
  if (is_pci(device)) {
    const fs::path folder = fs::path("/sys/bus/pci/devices") / name_of_device(device);
    facts.exists = fs::exists(folder, error);
    facts.driver = fs::read_symlink(folder / "driver", error).filename().string();
    const std::string group = fs::read_symlink(folder / "iommu_group", error).filename().string();
    facts.has_group = !group.empty();
    if (facts.has_group && facts.driver == "vfio-pci") facts.node_refusal = refusal_of(fs::path("/dev/vfio") / group);
  }
  if (const std::string taken = taken_interface(device); !taken.empty()) {
    facts.exists = ::if_nametoindex(taken.c_str()) != 0;
    if (facts.exists) read_queues(taken, facts);
    facts.taken_by = who_takes(taken, instance);
  }
  facts.is_other = ::if_nametoindex(interface.c_str()) != 0 && !is_tap(interface);
  return facts;
}

}  // namespace

HostFacts gather(const Wanted& wanted) {
  HostFacts facts;
  facts.waits = !wanted.begins && is_engine_running(folder_of(wanted.instance));
  facts.runs = facts.waits && has_workers(wanted.instance);
  read_huge_pages(facts);
  facts.has_hugetlbfs = has_hugetlbfs();
  facts.cores = online_cores();
  facts.memory = available_memory();
  if (wanted.begins) facts.missing_capabilities = missing_capabilities(wanted);
  facts.tap_refusal = refusal_of("/dev/net/tun");
  facts.has_af_xdp = has_af_xdp();
  facts.program = program();
  facts.lockable = lockable();
  for (const auto& [interface, device] : wanted.devices)
    facts.devices.push_back(device_facts(interface, device, wanted.instance));
  return facts;
}

}  // namespace astil::dpdk
