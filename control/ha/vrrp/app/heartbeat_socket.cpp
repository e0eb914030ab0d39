#include "control/ha/vrrp/app/heartbeat_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <cerrno>

namespace astil::ha {
Result<HeartbeatSocket> HeartbeatSocket::open(const address& local, const address& peer, std::uint16_t port) {
  const int family = local.is_v4() ? AF_INET : AF_INET6;
  base::Descriptor socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return system_error("open a socket for heartbeats", errno);
  const int on = 1;
  const int precedence = 0xc0;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  (void)(local.is_v4() ? ::setsockopt(socket.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on)
                       : ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on));
  (void)(local.is_v4() ? ::setsockopt(socket.get(), IPPROTO_IP, IP_TOS, &precedence, sizeof precedence)
                       : ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_TCLASS, &precedence, sizeof precedence));
  const boost::asio::ip::udp::endpoint from(local, port);
  const boost::asio::ip::udp::endpoint to(peer, port);
  const std::string where = local.to_string() + " port " + std::to_string(port);
  if (::bind(socket.get(), from.data(), static_cast<socklen_t>(from.size())) != 0)
    return system_error("bind to " + where, errno);
  if (::connect(socket.get(), to.data(), static_cast<socklen_t>(to.size())) != 0)
    return system_error("connect " + where + " to " + peer.to_string(), errno);
  return HeartbeatSocket(std::move(socket));
}

int HeartbeatSocket::send(Bytes message) {
  return ::send(socket_.get(), message.data(), message.size(), MSG_DONTWAIT) < 0 ? errno : 0;
}

void HeartbeatSocket::receive(const std::function<void(Bytes)>& take) {
  std::array<std::byte, 2048> buffer;
  for (int i = 0; i < kPacketsAtOnce; ++i) {
    const ssize_t length = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (length < 0 && errno == ECONNREFUSED) continue;  // of one that was sent; told once
    if (length < 0) return;
    take(Bytes(buffer).first(static_cast<std::size_t>(length)));
  }
}

}  // namespace astil::ha
