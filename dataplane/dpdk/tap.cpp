#include "dataplane/dpdk/tap.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace astil::dpdk {
namespace {

ifreq request_for(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
  return request;
}

Error failure(const std::string& action, const std::string& name) {
  const int reason = errno;
  Error error = system_error(action + " " + name, reason);
  if (reason == EPERM) error.remedy = "run as root, or with CAP_NET_ADMIN";
  if (reason == EBUSY) error.remedy = "another process has it: stop that one";
  return error;
}

Result<void> ask(const std::string& name, unsigned long what, ifreq& request, const std::string& action) {
  const base::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid() || ::ioctl(socket.get(), what, &request) != 0) return failure(action, name);
  return {};
}

Result<base::Descriptor> attach(const std::string& name) {
  base::Descriptor tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!tap.valid()) return failure("open /dev/net/tun for", name);
  ifreq request = request_for(name);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(tap.get(), TUNSETIFF, &request) != 0) return failure("make the tap device", name);
  return tap;
}

}  // namespace

Result<base::Descriptor> open_tap(const std::string& name, Stays stays) {
  auto tap = attach(name);
  if (tap.has_error()) return tap.error();
  if (stays == Stays::yes && ::ioctl(tap->get(), TUNSETPERSIST, 1) != 0) return failure("keep the tap device", name);
  ifreq request = request_for(name);
  if (auto asked = ask(name, SIOCGIFFLAGS, request, "look at"); asked.has_error()) return asked.error();
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (auto up = ask(name, SIOCSIFFLAGS, request, "bring up"); up.has_error()) return up.error();
  return tap;
}

/// Where there is none, one is made, and goes with its descriptor.
Result<void> remove_tap(const std::string& name) {
  auto tap = attach(name);
  if (tap.has_error()) return errno == EINVAL ? Result<void>() : tap.error();
  if (::ioctl(tap->get(), TUNSETPERSIST, 0) != 0) return failure("remove the tap device", name);
  return {};
}

Result<void> set_mac(const std::string& name, const std::uint8_t (&mac)[6]) {
  ifreq request = request_for(name);
  if (auto asked = ask(name, SIOCGIFHWADDR, request, "look at"); asked.has_error()) return asked.error();
  if (std::equal(std::begin(mac), std::end(mac), reinterpret_cast<const std::uint8_t*>(request.ifr_hwaddr.sa_data)))
    return {};
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::copy(std::begin(mac), std::end(mac), reinterpret_cast<std::uint8_t*>(request.ifr_hwaddr.sa_data));
  return ask(name, SIOCSIFHWADDR, request, "give the port's MAC address to");
}

}  // namespace astil::dpdk
