#include "control/ha/vrrp/app/guardian.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>

#include "control/base/log.hpp"
#include "control/ha/vrrp/wire.hpp"
#include "control/net/netlink_socket.hpp"
#include "control/net/request.hpp"

namespace astil::ha {
namespace {

constexpr std::size_t kWidth4 = 32;
constexpr std::size_t kWidth6 = 128;

}  // namespace

Result<std::unique_ptr<Guardian>> Guardian::start() {
  std::unique_ptr<Guardian> guardian(new Guardian);
  void* memory =
      ::mmap(nullptr, sizeof(Held), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return system_error("share memory with the guardian", errno);
  guardian->held_ = new (memory) Held;
  if (auto started = guardian->restart(); started.has_error()) return started.error();
  return guardian;
}

Guardian::~Guardian() {
  pipe_.reset();
  if (held_ != nullptr) (void)::munmap(held_, sizeof(Held));
}

Result<void> Guardian::restart() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("make a pipe", errno);
  base::Descriptor read_end(ends[0]);
  pipe_ = base::Descriptor(ends[1]);
  process_ = ::fork();
  if (process_ < 0) return system_error("start the guardian", errno);
  if (process_ == 0) {
    pipe_.reset();
    watch(read_end.get(), *held_);
  }
  return {};
}

/// In the second process. Whatever asks both to end, asks this one in vain: it ends with the other.
void Guardian::watch(int pipe, const Held& held) {
  (void)::setsid();
  (void)::prctl(PR_SET_NAME, "astil-vrrp-grd");
  // What else is open belongs to the other: its listening socket must not seem alive.
  constexpr int kFirst = STDERR_FILENO + 1;
  if (pipe != kFirst) pipe = ::dup2(pipe, kFirst);
  (void)::close_range(kFirst + 1, ~0U, 0);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) std::signal(number, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::byte byte{};
  while (::read(pipe, &byte, 1) < 0 && errno == EINTR) {
  }
  remove(held);
  std::_Exit(EXIT_SUCCESS);
}

void Guardian::remove(const Held& held) {
  auto socket = net::NetlinkSocket::open({});
  if (socket.has_error()) {
    log::error("addresses not removed", {{"error", socket.error().text()}});
    std::_Exit(EXIT_FAILURE);
  }
  unsigned removed = 0;
  for (const Place& place : held.places) {
    if (place.address.version == 0) continue;
    const net::InterfaceAddress address{place.ifindex, to_address(place.address),
                                        static_cast<std::uint8_t>(place.address.version == 4 ? kWidth4 : kWidth6)};
    if (socket->ask(net::remove_address(address)).error == 0) ++removed;
  }
  for (const std::uint32_t device : held.devices) {
    if (device != 0) (void)socket->ask(net::remove_link(device));
  }
  if (removed != 0) log::error("astil-vrrp is gone: its addresses removed", {{"addresses", removed}});
}

Guardian::Place* Guardian::find(const net::InterfaceAddress& address) {
  const AddressRecord record = to_record(address.host);
  Place* end = held_->places.end();
  Place* found = std::find_if(held_->places.begin(), end, [&](const Place& place) {
    return place.address == record && place.ifindex == address.ifindex;
  });
  return found == end ? nullptr : found;
}

void Guardian::note(const net::InterfaceAddress& address) {
  if (find(address) != nullptr) return;
  Place* free = std::ranges::find_if(held_->places, [](const Place& place) { return place.address.version == 0; });
  if (free == held_->places.end()) return;  // there are as many places as addresses that can be configured
  free->ifindex = address.ifindex;
  free->address = to_record(address.host);
}

void Guardian::forget(const net::InterfaceAddress& address) {
  if (Place* place = find(address)) place->address = {};
}

void Guardian::note_device(std::uint32_t ifindex) {
  if (std::ranges::find(held_->devices, ifindex) != held_->devices.end()) return;
  auto* free = std::ranges::find(held_->devices, 0U);
  if (free != held_->devices.end()) *free = ifindex;
}

void Guardian::forget_device(std::uint32_t ifindex) {
  if (ifindex != 0) std::ranges::replace(held_->devices, ifindex, 0U);
}

}  // namespace astil::ha
