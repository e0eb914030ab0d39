#include "control/ha/vrrp/app/real_time.hpp"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "control/base/log.hpp"

namespace astil::ha {
namespace {

constexpr int kPriority = 20;  // threaded interrupts have 50

}  // namespace

Result<void> become_real_time() {
  std::string missing;
  // Children are not real-time: the guardian sleeps, and there are no others.
  const sched_param parameter{.sched_priority = kPriority};
  if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter) != 0)
    missing = system_error("SCHED_FIFO", errno).what;
  if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
    missing += (missing.empty() ? "" : ", ") + system_error("mlockall", errno).what;
  if (missing.empty()) return {};
  return Error{missing, "a busy host may delay adverts: give the service CAP_SYS_NICE and CAP_IPC_LOCK"};
}

void keep_network_privileges() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  for (const unsigned number : {CAP_NET_ADMIN, CAP_NET_RAW}) {
    sets[number / 32].effective |= 1U << (number % 32);
    sets[number / 32].permitted |= 1U << (number % 32);
  }
  for (unsigned number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
    if (number != CAP_NET_ADMIN && number != CAP_NET_RAW) (void)::prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
  }
  (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::syscall(SYS_capset, &header, sets.data()) != 0)
    log::warning("capabilities not given up", {{"error", system_error("capset", errno).text()}});
}

}  // namespace astil::ha
