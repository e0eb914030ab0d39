#include "control/ha/vrrp/app/channel_server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <vector>

namespace astil::ha {
namespace {

constexpr int kBacklog = 4;
constexpr int kRoom = static_cast<int>(2 * kLongestMessage);

base::Descriptor make_socket() {
  return base::Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

bool is_answered(const sockaddr_un& name) {
  const base::Descriptor probe = make_socket();
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

}  // namespace

Result<ChannelServer> ChannelServer::listen(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return Error{"the path " + path + " is too long for a socket", {}};
  path.copy(name.sun_path, path.size());
  base::Descriptor socket = make_socket();
  if (!socket.valid()) return system_error("open a socket", errno);
  if (is_answered(name)) return Error{"another astil-vrrp listens at " + path, "one is enough for an instance"};
  (void)::unlink(path.c_str());
  const mode_t before = ::umask(0177);
  const bool bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  const int why = errno;
  (void)::umask(before);
  if (!bound) return system_error("bind to " + path, why);
  if (::listen(socket.get(), kBacklog) != 0) return system_error("listen at " + path, errno);
  return ChannelServer(std::move(socket), path);
}

void ChannelServer::listen_as_self() { (void)::listen(listener_.get(), kBacklog); }

ChannelServer::ChannelServer(ChannelServer&& other) noexcept
    : listener_(std::move(other.listener_)), peer_(std::move(other.peer_)), path_(std::exchange(other.path_, {})) {}

ChannelServer::~ChannelServer() {
  if (!path_.empty()) (void)::unlink(path_.c_str());
}

bool ChannelServer::accept() {
  base::Descriptor peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer.valid()) return false;
  (void)::setsockopt(peer.get(), SOL_SOCKET, SO_SNDBUF, &kRoom, sizeof kRoom);
  peer_ = std::move(peer);
  return true;
}

bool ChannelServer::receive(const std::function<void(Bytes)>& take) {
  std::vector<std::byte> buffer(kLongestMessage);
  while (peer_.valid()) {
    const ssize_t length = ::recv(peer_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (length == 0) return false;
    if (length < 0) return errno == EAGAIN || errno == EINTR;
    if (static_cast<std::size_t>(length) <= buffer.size()) take(Bytes(buffer).first(static_cast<std::size_t>(length)));
  }
  return true;
}

void ChannelServer::send(const Message& message) {
  if (peer_.valid()) (void)::send(peer_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace astil::ha
