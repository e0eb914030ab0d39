#include "control/doctor/facts.hpp"

#include <ifaddrs.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "control/base/privileges.hpp"
#include "control/net/sysctl.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::doctor {
namespace {

using boost::asio::ip::address;

std::optional<int> value_of(const Result<int>& read) { return read ? std::optional(*read) : std::nullopt; }

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "";
}

/// Makes the smallest map that there is, and lets it go.
std::string bpf_refusal() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = sizeof(std::uint32_t);
  attributes.value_size = sizeof(std::uint64_t);
  attributes.max_entries = 1;
  const base::Descriptor map(static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes))));
  return map.valid() ? "" : std::strerror(errno);
}

bool has_bpf_filesystem() {
  struct statfs about {};
  return ::statfs("/sys/fs/bpf", &about) == 0 && about.f_type == BPF_FS_MAGIC;
}

std::optional<int> jit() {
  std::ifstream file("/proc/sys/net/core/bpf_jit_enable");
  int value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

std::uint64_t open_files() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 0;
}

/// Asks the kernel about one interface.
class InterfaceQuery {
 public:
  explicit InterfaceQuery(const std::string& name) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    facts_.name = name;
  }

  InterfaceFacts ask() {
    ifreq request = named();
    facts_.exists = facts_.name.size() < IFNAMSIZ && ::ioctl(socket_.get(), SIOCGIFFLAGS, &request) == 0;
    if (!facts_.exists) return facts_;
    facts_.up = (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
    request = named();
    if (::ioctl(socket_.get(), SIOCGIFMTU, &request) == 0) facts_.mtu = static_cast<unsigned>(request.ifr_mtu);
    ethtool_drvinfo driver{};
    driver.cmd = ETHTOOL_GDRVINFO;
    if (ask_ethtool(&driver)) facts_.driver.assign(driver.driver, ::strnlen(driver.driver, sizeof(driver.driver)));
    ethtool_value flags{};
    flags.cmd = ETHTOOL_GFLAGS;
    facts_.lro = ask_ethtool(&flags) && (flags.data & ETH_FLAG_LRO) != 0;
    return facts_;
  }

 private:
  [[nodiscard]] ifreq named() const {
    ifreq request{};
    facts_.name.copy(request.ifr_name, IFNAMSIZ - 1);
    return request;
  }

  [[nodiscard]] bool ask_ethtool(void* command) const {
    ifreq request = named();
    request.ifr_data = static_cast<char*>(command);
    return ::ioctl(socket_.get(), SIOCETHTOOL, &request) == 0;
  }

  base::Descriptor socket_;
  InterfaceFacts facts_;
};

void read_settings(InterfaceFacts& facts) {
  const auto ipv4 = [&](const char* key) { return value_of(net::sysctl_ipv4(facts.name, key)); };
  facts.forwarding_ipv4 = ipv4("forwarding");
  facts.forwarding_ipv6 = value_of(net::sysctl_ipv6(facts.name, "forwarding"));
  facts.send_redirects = ipv4("send_redirects");
  facts.rp_filter = ipv4("rp_filter");
  facts.arp_ignore = ipv4("arp_ignore");
  facts.arp_announce = ipv4("arp_announce");
}

std::vector<std::string> all_interfaces() {
  std::vector<std::string> names;
  struct if_nameindex* const list = ::if_nameindex();
  for (const auto* each = list; each != nullptr && each->if_index != 0; ++each) {
    if (std::strcmp(each->if_name, "lo") != 0) names.emplace_back(each->if_name);
  }
  ::if_freenameindex(list);
  return names;
}

std::vector<address> addresses() {
  std::vector<address> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    if (each->ifa_addr->sa_family == AF_INET) {
      sockaddr_in ipv4{};
      std::memcpy(&ipv4, each->ifa_addr, sizeof(ipv4));
      found.emplace_back(boost::asio::ip::address_v4(ntohl(ipv4.sin_addr.s_addr)));
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 ipv6{};
      std::memcpy(&ipv6, each->ifa_addr, sizeof(ipv6));
      boost::asio::ip::address_v6::bytes_type bytes{};
      std::memcpy(bytes.data(), &ipv6.sin6_addr, bytes.size());
      found.emplace_back(boost::asio::ip::address_v6(bytes));
    }
  }
  ::freeifaddrs(list);
  return found;
}

}  // namespace

Facts gather(const std::vector<std::string>& interfaces) {
  Facts facts;
  facts.kernel = kernel_release();
  facts.bpf_refusal = bpf_refusal();
  facts.bpf_filesystem = has_bpf_filesystem();
  facts.jit = jit();
  facts.missing_capabilities = base::missing_privileges();
  facts.open_files = open_files();
  facts.all.name = "all";
  read_settings(facts.all);
  for (const auto& name : interfaces.empty() ? all_interfaces() : interfaces) {
    facts.interfaces.push_back(InterfaceQuery(name).ask());
    if (facts.interfaces.back().exists) read_settings(facts.interfaces.back());
  }
  facts.addresses = addresses();
  return facts;
}

}  // namespace astil::doctor
