#include "dataplane/dpdk/events.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace astil::dpdk {
namespace {

constexpr int kKind = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

}  // namespace

Result<base::Descriptor> listen_at(const std::filesystem::path& path) {
  base::Descriptor socket(::socket(AF_UNIX, kKind, 0));
  if (!socket.valid()) return system_error("make a socket", errno);
  ::unlink(path.c_str());
  const sockaddr_un address = address_of(path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return system_error("listen at " + path.string(), errno);
  return socket;
}

Result<base::Descriptor> open_sender() {
  base::Descriptor socket(::socket(AF_UNIX, kKind, 0));
  if (!socket.valid()) return system_error("make a socket", errno);
  return socket;
}

bool ring(const base::Descriptor& sender, const std::filesystem::path& path) {
  constexpr char kNothing = 0;
  const sockaddr_un address = address_of(path);
  const ssize_t sent = ::sendto(sender.get(), &kNothing, 1, MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return sent == 1 || errno == EAGAIN;
}

void silence(const base::Descriptor& listener) {
  char nothing = 0;
  while (::recv(listener.get(), &nothing, 1, MSG_DONTWAIT) >= 0) continue;
}

void wake_daemon(const MappedShare& share, const base::Descriptor& sender) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (__atomic_load_n(&share->sleeps, __ATOMIC_RELAXED) == 0) return;
  if (__atomic_exchange_n(&share->sleeps, 0U, __ATOMIC_SEQ_CST) != 0) (void)ring(sender, share.folder() / "events");
}

}  // namespace astil::dpdk
