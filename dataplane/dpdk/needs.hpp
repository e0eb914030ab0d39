// What the DPDK engine needs of a host, told before it starts and when it does: each thing with what was found, and the
// command that mends it. It needs nothing of DPDK, and changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace astil::dpdk {

/// What of a configuration matters here.
struct Wanted {
  std::uint32_t memory = 0;  ///< MiB, for packet buffers
  bool huge_pages = true;
  std::vector<std::uint32_t> cores;                          ///< one worker each; empty: one, on any core
  std::vector<std::pair<std::string, std::string>> devices;  ///< interface of the kernel's, and its port's device
  std::string instance;
  bool begins = false;  ///< it is the instance's astil-dpdk that asks, and has nothing yet
};

/// Of a device that is wanted.
struct DeviceFacts {
  bool exists = false;                  ///< the PCI device; or the interface whose frames it takes
  std::string driver;                   ///< of a PCI device: the kernel's that has it; empty: none
  bool has_group = false;               ///< likewise: the IOMMU keeps it apart from others
  std::string node_refusal;             ///< likewise: why its group can not be opened; empty: it can
  std::optional<std::uint32_t> queues;  ///< of an interface: that it receives by; none: not told
  std::uint32_t combined = 0;           ///< likewise: those of them that send too
  std::string taken_by;                 ///< another instance that has the interface; empty: none
  bool is_other = false;                ///< the port's interface is there, and no tap that this engine could have made
};

struct HostFacts {
  bool waits = false;  ///< the instance's astil-dpdk runs
  bool runs = false;   ///< likewise, with workers: it has what it needed
  std::uint64_t free_huge_bytes = 0;
  std::uint64_t huge_page_bytes = 2U << 20U;  ///< of a page, the usual size
  bool has_hugetlbfs = false;
  std::vector<std::uint32_t> cores;       ///< that are online
  std::string tap_refusal;                ///< why /dev/net/tun can not be opened; empty: it can
  bool has_af_xdp = false;                ///< DPDK's driver for AF_XDP is installed
  std::string program;                    ///< where astil-dpdk is; empty: nowhere
  std::optional<std::uint64_t> lockable;  ///< bytes of memory that may be locked; none: any number
  std::uint64_t memory = 0;               ///< bytes that are available
  std::string missing_capabilities;       ///< of the process that asks, by their names; empty: it has all
  std::vector<DeviceFacts> devices;       ///< in the order of Wanted::devices
};

[[nodiscard]] HostFacts gather(const Wanted& wanted);

/// One thing; `what` has what was found, and is a whole message where it is not met.
struct Need {
  std::string about;
  bool met = false;
  std::string what;
  std::string remedy;
};

[[nodiscard]] Need need_of_program(const HostFacts& facts);

/// Whether the instance's astil-dpdk runs, as one that is to take over at once has to.
[[nodiscard]] Need need_of_process(const HostFacts& facts, const Wanted& wanted);

/// The length of the longest frame that a device takes, in bytes, a tag of a VLAN included.
[[nodiscard]] std::uint32_t longest_frame(const std::string& device);

/// Everything else, in the order in which the engine needs it. `facts` are of `wanted`.
[[nodiscard]] std::vector<Need> needs(const HostFacts& facts, const Wanted& wanted);

}  // namespace astil::dpdk
