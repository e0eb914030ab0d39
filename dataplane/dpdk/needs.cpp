#include "dataplane/dpdk/needs.hpp"

#include <algorithm>
#include <charconv>

#include "dataplane/dpdk/device.hpp"

namespace astil::dpdk {
namespace {

constexpr const char* kWithoutHugePages = ", or set dataplane.dpdk.hugepages: false";

Need met(std::string about, std::string what) { return {std::move(about), true, std::move(what), {}}; }
Need missing(std::string about, std::string what, std::string remedy) {
  return {std::move(about), false, std::move(what), std::move(remedy)};
}

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20U) + " MiB"; }

std::string list_of(const std::vector<std::uint32_t>& cores) {
  std::string text;
  for (const std::uint32_t core : cores) text += (text.empty() ? "" : ",") + std::to_string(core);
  return text;
}

std::uint32_t workers_of(const Wanted& wanted) {
  return std::max<std::uint32_t>(static_cast<std::uint32_t>(wanted.cores.size()), 1);
}

bool is_af_xdp(const std::string& device) { return device.starts_with("net_af_xdp"); }

const char* queues_key(const std::string& device) { return is_af_xdp(device) ? "queue_count" : "qpairs"; }

/// Queues that a device's arguments ask for; 0: no number.
std::uint32_t named_queues(const std::string& device) {
  const std::string number = argument_of(device, queues_key(device));
  if (number.empty()) return 1;
  std::uint32_t queues = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), queues);
  return error == std::errc() && end == number.data() + number.size() ? queues : 0;
}

std::string count_of(std::uint32_t number, const std::string& what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

void examine_memory(const HostFacts& facts, const Wanted& wanted, std::vector<Need>& all) {
  const std::uint64_t bytes = std::uint64_t{wanted.memory} << 20U;
  if (!wanted.huge_pages) {
    all.push_back(met("huge pages", "not wanted"));
    if (!facts.runs && facts.memory < bytes)
      all.push_back(missing(
          "memory", "packet buffers take " + mebibytes(bytes) + ", and " + mebibytes(facts.memory) + " are available",
          "ask for less in dataplane.dpdk.memory"));
    return;
  }
  if (facts.runs) {
    all.push_back(met("huge pages", "the astil-dpdk that runs has its own"));
    return;
  }
  const std::uint64_t pages = (bytes + facts.huge_page_bytes - 1) / facts.huge_page_bytes;
  all.push_back(facts.free_huge_bytes >= bytes
                    ? met("huge pages", mebibytes(facts.free_huge_bytes) + " free, " + mebibytes(bytes) + " needed")
                    : missing("huge pages",
                              "not enough huge pages: " + mebibytes(bytes) + " are needed, " +
                                  mebibytes(facts.free_huge_bytes) + " are free",
                              "sysctl -w vm.nr_hugepages=" + std::to_string(pages) + kWithoutHugePages));
  all.push_back(facts.has_hugetlbfs
                    ? met("hugetlbfs", "is mounted")
                    : missing("hugetlbfs", "no hugetlbfs is mounted",
                              std::string("mkdir -p /dev/hugepages && mount -t hugetlbfs none /dev/hugepages") +
                                  kWithoutHugePages));
}

void examine_cores(const HostFacts& facts, const Wanted& wanted, std::vector<Need>& all) {
  for (const std::uint32_t core : wanted.cores) {
    if (std::find(facts.cores.begin(), facts.cores.end(), core) != facts.cores.end()) continue;
    all.push_back(missing("cores", "core " + std::to_string(core) + " is not there, or not online",
                          "name others in dataplane.dpdk.cores: " + list_of(facts.cores)));
    return;
  }
  all.push_back(met("cores", wanted.cores.empty() ? "one worker, on any of " + list_of(facts.cores)
                                                  : "one worker on each of " + list_of(wanted.cores)));
}

/// `runs`: who has the device may be the engine.
void examine_pci(const std::string& name, const DeviceFacts& facts, bool runs, std::vector<Need>& all) {
  const std::string about = "PCI device " + name;
  // Those of NVIDIA are shared with the kernel's driver.
  const bool is_shared = facts.driver.starts_with("mlx");
  const bool is_free = facts.driver == "uio_pci_generic" || facts.driver == "igb_uio";
  if (!facts.exists) {
    all.push_back(missing(about, "no " + about, "'dpdk-devbind.py --status' lists them"));
  } else if (is_shared || is_free) {
    all.push_back(met(about, "driver " + facts.driver));
  } else if (facts.driver != "vfio-pci") {
    all.push_back(missing(
        about, about + " is bound to " + (facts.driver.empty() ? "no driver" : "the kernel's driver " + facts.driver),
        "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci " + name));
  } else if (!facts.has_group) {
    all.push_back(missing(about, about + " is in no group of an IOMMU, which vfio-pci wants",
                          "boot with intel_iommu=on (AMD: in its firmware), or without one: "
                          "echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"));
  } else if (!facts.node_refusal.empty() && !runs) {
    all.push_back(missing(about, about + ": its group can not be opened: " + facts.node_refusal,
                          "run as root, and end what else has it: 'fuser -v /dev/vfio/*'"));
  } else {
    all.push_back(met(about, "driver vfio-pci"));
  }
}

/// Each queue that frames come by has a worker that polls it: what comes by others is lost. AF_XDP's driver goes by the
/// queues that receive and send, and takes one where an interface has none of those.
Need need_of_queues(const std::string& about, const std::string& device, const DeviceFacts& facts,
                    std::uint32_t workers) {
  const std::string taken = taken_interface(device);
  const std::string key = queues_key(device);
  if (const std::uint32_t named = named_queues(device); named != workers) {
    return missing(
        about,
        device + " asks for " + (named == 0 ? "no number of queues" : count_of(named, "queue")) + ", and there are " +
            count_of(workers, "worker"),
        "give the device ," + key + "=" + std::to_string(workers) + ", or name other cores in dataplane.dpdk.cores");
  }
  if (!is_af_xdp(device)) return met(about, "");
  if (const std::string start = argument_of(device, "start_queue"); !start.empty() && start != "0")
    return missing(about, device + " begins at queue " + start + ", and what comes by those before is lost",
                   "leave start_queue out");
  if (!facts.queues) return met(about, "");
  if (facts.combined == 0 && workers > 1)
    return missing(about, "AF_XDP takes one queue of interface " + taken + ", which has none that receive and send",
                   "name one core in dataplane.dpdk.cores, or use net_af_packet");
  if (*facts.queues != workers)
    return missing(about,
                   "interface " + taken + " receives by " + count_of(*facts.queues, "queue") + ", and there are " +
                       count_of(workers, "worker") + ": what comes by others is lost",
                   "ethtool -L " + taken + (facts.combined == 0 ? " rx " : " combined ") + std::to_string(workers) +
                       ", or name other cores in dataplane.dpdk.cores");
  return met(about, "");
}

/// A device that takes the frames of an interface of the kernel's.
void examine_taken(const std::string& device, const DeviceFacts& facts, std::uint32_t workers, std::vector<Need>& all) {
  const std::string taken = taken_interface(device);
  const std::string about = "device " + name_of_device(device);
  if (!facts.exists) {
    all.push_back(
        missing(about, "interface " + taken + " of " + device + " does not exist", "'ip link' lists those that do"));
    return;
  }
  if (!facts.taken_by.empty()) {
    all.push_back(missing(about, "interface " + taken + " is taken by the instance " + facts.taken_by + " already",
                          "give it up there: astil detach --instance " + facts.taken_by));
    return;
  }
  if (const Need queues = need_of_queues(about, device, facts, workers); !queues.met) {
    all.push_back(queues);
    return;
  }
  all.push_back(met(about, "takes the frames of " + taken));
}

void examine_devices(const HostFacts& facts, const Wanted& wanted, std::vector<Need>& all) {
  bool any_tap = false;
  bool any_xdp = false;
  for (std::size_t i = 0; i < wanted.devices.size(); ++i) {
    const auto& [interface, device] = wanted.devices[i];
    const DeviceFacts& found = facts.devices[i];
    any_tap = true;  // also where the interface itself stays: what is the kernel's goes by one
    any_xdp = any_xdp || is_af_xdp(device);
    if (is_pci(device)) examine_pci(name_of_device(device), found, facts.runs, all);
    if (!taken_interface(device).empty()) examine_taken(device, found, workers_of(wanted), all);
    if (!keeps_interface(device, interface) && found.is_other) {
      all.push_back(missing(
          "interface " + interface,
          "interface " + interface + " is there already, and is no tap that could stand for " + name_of_device(device),
          "name the port otherwise in dataplane.dpdk.ports, or: ip link delete " + interface));
    }
  }
  if (any_xdp && !facts.has_af_xdp)
    all.push_back(missing("AF_XDP", "DPDK's driver for AF_XDP is not installed", "apt install librte-net-af-xdp23"));
  if (!any_tap) return;
  all.push_back(facts.tap_refusal.empty() ? met("taps", "/dev/net/tun can be opened")
                                          : missing("taps", "/dev/net/tun can not be opened: " + facts.tap_refusal,
                                                    "modprobe tun, and run as root or with CAP_NET_ADMIN"));
}

void examine_limits(const HostFacts& facts, const Wanted& wanted, std::vector<Need>& all) {
  const std::uint64_t bytes = std::uint64_t{wanted.memory} << 20U;
  if (!facts.lockable || *facts.lockable >= bytes) {
    all.push_back(met("locked memory", facts.lockable ? mebibytes(*facts.lockable) : "no limit"));
    return;
  }
  all.push_back(missing(
      "locked memory",
      "only " + mebibytes(*facts.lockable) + " of memory may be locked, and packet buffers take " + mebibytes(bytes),
      "run as root, or set LimitMEMLOCK=infinity in the unit"));
}

}  // namespace

Need need_of_program(const HostFacts& facts) {
  if (!facts.program.empty()) return met("astil-dpdk", facts.program);
  return missing("astil-dpdk", "the program is not here: no packet would be forwarded",
                 "install it beside astild: a build with -DASTIL_DPDK=ON has it");
}

Need need_of_process(const HostFacts& facts, const Wanted& wanted) {
  if (facts.waits) return met("astil-dpdk", "runs");
  return missing("astil-dpdk",
                 "no astil-dpdk runs for the instance " + wanted.instance + ": no packet would be forwarded",
                 "systemctl start astil-dpdk@" + wanted.instance);
}

std::uint32_t longest_frame(const std::string& device) {
  // A packet buffer has 2048 bytes; of AF_XDP's the kernel keeps 256 for what stands before a frame.
  return is_af_xdp(device) ? 1792 : 2048;
}

std::vector<Need> needs(const HostFacts& facts, const Wanted& wanted) {
  std::vector<Need> all;
  if (!facts.missing_capabilities.empty())
    all.push_back(missing("capabilities", "astil-dpdk lacks " + facts.missing_capabilities,
                          "run as root, or with the capabilities of deploy/systemd/astil-dpdk@.service"));
  examine_memory(facts, wanted, all);
  examine_cores(facts, wanted, all);
  examine_devices(facts, wanted, all);
  examine_limits(facts, wanted, all);
  return all;
}

}  // namespace astil::dpdk
