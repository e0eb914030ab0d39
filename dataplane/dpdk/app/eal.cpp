#include "dataplane/dpdk/app/eal.hpp"

#include <net/if.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dataplane/dpdk/device.hpp"

namespace astil::dpdk {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kCache = 256;
/// That a virtual device may hold back: AF_XDP's fill queue has 4096 places.
constexpr unsigned kHeldByPort = 4096;

std::string cores_of_process() {
  cpu_set_t set;
  CPU_ZERO(&set);
  (void)::sched_getaffinity(0, sizeof(set), &set);
  std::string cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores += (cores.empty() ? "" : ",") + std::to_string(core);
  }
  return cores;
}

/// The main thread is lcore 0, anywhere; the workers are those behind it.
std::string lcores_of(const Plan& plan) {
  const std::string all = "@(" + cores_of_process() + ")";
  std::string lcores = "0" + all;
  for (std::uint32_t i = 0; i < plan.workers; ++i) {
    lcores += "," + std::to_string(i + 1);
    lcores += plan.cores[i] == kAnyCore ? all : "@" + std::to_string(plan.cores[i]);
  }
  return lcores;
}

std::uint64_t free_huge_bytes() {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& size : fs::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    std::uint64_t pages = 0;
    std::ifstream(size.path() / "free_hugepages") >> pages;
    const std::string name = size.path().filename().string();  // "hugepages-2048kB"
    bytes += pages * std::stoull("0" + name.substr(name.find('-') + 1)) * 1024;
  }
  return bytes;
}

bool has_hugetlbfs() {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string what, where, kind, rest; mounts >> what >> where >> kind && std::getline(mounts, rest);) {
    if (kind == "hugetlbfs") return true;
  }
  return false;
}

Result<void> check_huge_pages(const Plan& plan) {
  if (plan.huge_pages == 0) return {};
  const std::uint64_t wanted = std::uint64_t{plan.memory} << 20U;
  const std::string otherwise = ", or set dataplane.dpdk.hugepages: false";
  if (free_huge_bytes() < wanted) {
    return Error{"not enough huge pages: " + std::to_string(plan.memory) + " MiB are needed, " +
                     std::to_string(free_huge_bytes() >> 20U) + " MiB are free",
                 "sysctl -w vm.nr_hugepages=" + std::to_string((plan.memory + 1) / 2) + otherwise};
  }
  if (has_hugetlbfs()) return {};
  return Error{"no hugetlbfs is mounted",
               "mkdir -p /dev/hugepages && mount -t hugetlbfs none /dev/hugepages" + otherwise};
}

Result<void> check_cores(const Plan& plan) {
  cpu_set_t set;
  CPU_ZERO(&set);
  (void)::sched_getaffinity(0, sizeof(set), &set);
  for (std::uint32_t i = 0; i < plan.workers; ++i) {
    if (plan.cores[i] != kAnyCore && (plan.cores[i] >= CPU_SETSIZE || !CPU_ISSET(plan.cores[i], &set)))
      return Error{"core " + std::to_string(plan.cores[i]) + " is not there, or not this process's",
                   "name others in dataplane.dpdk.cores: " + cores_of_process()};
  }
  return {};
}

Result<void> check_device(const std::string& device) {
  if (const std::string taken = taken_interface(device); !taken.empty() && ::if_nametoindex(taken.c_str()) == 0)
    return Error{"interface " + taken + " of " + device + " does not exist", "'ip link' lists those that do"};
  if (!is_pci(device)) return {};
  const std::string name = name_of_device(device);
  const fs::path folder = fs::path("/sys/bus/pci/devices") / name;
  std::error_code error;
  if (!fs::exists(folder, error)) return Error{"no PCI device " + name, "'dpdk-devbind.py --status' lists them"};
  const std::string driver = fs::read_symlink(folder / "driver", error).filename().string();
  // Those of NVIDIA are shared with the kernel's driver.
  if (driver == "vfio-pci" || driver == "uio_pci_generic" || driver == "igb_uio" || driver.starts_with("mlx"))
    return {};
  return Error{
      "PCI device " + name + " is bound to " + (driver.empty() ? "no driver" : "the kernel's driver " + driver),
      "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci " + name};
}

}  // namespace

Result<void> start_eal(const std::string& instance, const Plan& plan) {
  if (auto checked = check_huge_pages(plan); checked.has_error()) return checked.error();
  if (auto checked = check_cores(plan); checked.has_error()) return checked.error();
  bool any_pci = false;
  std::vector<std::string> words{"astil-dpdk",     "--no-telemetry", "--no-shconf",  "--log-level=error",
                                 "--file-prefix=", "--lcores",       lcores_of(plan)};
  words[4] += "astil-" + instance;
  for (std::uint32_t i = 0; i < plan.ports; ++i) {
    const std::string device = plan.port[i].device.str();
    if (auto checked = check_device(device); checked.has_error()) return checked.error();
    any_pci = any_pci || is_pci(device);
    words.emplace_back(is_pci(device) ? "-a" : "--vdev");
    words.push_back(device);
  }
  if (!any_pci) words.emplace_back("--no-pci");
  words.emplace_back("-m");
  words.push_back(std::to_string(plan.memory));
  words.emplace_back(plan.huge_pages == 0 ? "--no-huge" : "--huge-unlink");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0) return {};
  Error error{std::string("start DPDK: ") + rte_strerror(rte_errno), "see the log of astil-dpdk above this line"};
  if (rte_errno == EACCES || rte_errno == EPERM) error.remedy = "run astil-dpdk as root";
  return error;
}

Result<rte_mempool*> make_buffers(const Plan& plan) {
  const unsigned queues = plan.ports * plan.workers;
  const unsigned buffers =
      queues * (2U * kQueueLength + kHeldByPort) + plan.workers * (2 * kRingLength + kCache) + plan.ports * kRingLength;
  rte_mempool* pool = rte_pktmbuf_pool_create("frames", buffers, kCache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool != nullptr) return pool;
  const unsigned wanted = (buffers / 1024 + 1) * (RTE_MBUF_DEFAULT_BUF_SIZE + 512) / 1024 + 32;
  return Error{std::to_string(buffers) + " packet buffers: " + rte_strerror(rte_errno),
               "set dataplane.dpdk.memory to " + std::to_string(wanted) + " or more"};
}

}  // namespace astil::dpdk
