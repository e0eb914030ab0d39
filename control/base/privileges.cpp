#include "control/base/privileges.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "control/base/log.hpp"

namespace astil::base {
namespace {

struct Needed {
  unsigned number;
  const char* name;
};

constexpr std::array<Needed, 4> kNeeded{{{CAP_BPF, "CAP_BPF"},
                                         {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                         {CAP_PERFMON, "CAP_PERFMON"},
                                         {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}}};

using Sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

Result<Sets> own_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  Sets sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return system_error("read capabilities", errno);
  return sets;
}

}  // namespace

std::string missing_privileges() {
  const auto sets = own_capabilities();
  if (sets.has_error()) return "all, as far as can be told: " + sets.error().text();
  std::string missing;
  for (const Needed& needed : kNeeded) {
    if (((*sets)[needed.number / 32].effective & (1U << (needed.number % 32))) != 0) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(needed.name);
  }
  return missing;
}

Result<void> check_privileges() {
  const std::string missing = missing_privileges();
  if (missing.empty()) return {};
  return Error{"missing privileges: " + missing, "run as root, or give the service these capabilities"};
}

/// Without new privileges a program has none that its maker had not, though it be root's.
Result<void> drop_all_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("forbid new privileges", errno);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const Sets none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return system_error("give up capabilities", errno);
  return {};
}

void drop_privileges() {
  const auto held = own_capabilities();
  if (held.has_error()) return;
  Sets kept{};
  const auto keep = [&](unsigned number) {
    const std::uint32_t bit = 1U << (number % 32);
    kept[number / 32].effective |= (*held)[number / 32].effective & bit;
    kept[number / 32].permitted |= (*held)[number / 32].permitted & bit;
  };
  for (const Needed& needed : kNeeded) keep(needed.number);
  keep(CAP_NET_BIND_SERVICE);
  keep(CAP_NET_RAW);  // of health checks by ICMP
  // Of astil-vrrp, which this process starts: it can have none that its parent may not have.
  for (const unsigned number : {CAP_SYS_NICE, CAP_IPC_LOCK}) {
    const std::uint32_t bit = 1U << (number % 32);
    kept[number / 32].permitted |= (*held)[number / 32].permitted & bit;
  }
  for (unsigned number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
    const bool needed = (kept[number / 32].permitted & (1U << (number % 32))) != 0;
    if (!needed) (void)::prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  if (::syscall(SYS_capset, &header, kept.data()) != 0) {
    log::warning("capabilities not given up", {{"error", system_error("capset", errno).text()}});
  }
}

}  // namespace astil::base
