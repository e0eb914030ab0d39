#include "control/dns/sockets.hpp"

#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <cstring>

namespace astil::dns {
namespace {

void set(int descriptor, int level, int name, int value) {
  (void)::setsockopt(descriptor, level, name, &value, sizeof(value));
}

/// What a listener's backlog holds; the kernel takes net.core.somaxconn where that is less.
constexpr int kBacklog = 1024;
/// A burst of queries while a worker is at others.
constexpr int kReceiveBuffer = 4 << 20;

void tune_udp(int descriptor, const ListenAddress& address) {
  set(descriptor, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  set(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer);
  // Responses are small enough for any path. What an ICMP message claims of one, which anybody can send, must not cut
  // them into fragments.
  if (address.host.is_v4()) {
    set(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
    if (address.host.is_unspecified()) set(descriptor, IPPROTO_IP, IP_PKTINFO, 1);
  } else {
    set(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
    if (address.host.is_unspecified()) set(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  }
}

}  // namespace

Result<Descriptor> open_socket(const ListenAddress& address, Transport transport) {
  const bool is_udp = transport == Transport::udp;
  const std::string what = "dns: listen at " + address.host.to_string() + " port " + std::to_string(address.port) +
                           (is_udp ? " by UDP" : " by TCP");
  const int type = (is_udp ? SOCK_DGRAM : SOCK_STREAM | SOCK_NONBLOCK) | SOCK_CLOEXEC;
  Descriptor socket(::socket(address.host.is_v4() ? AF_INET : AF_INET6, type, 0));
  if (socket.get() < 0) return system_error(what, errno);
  set(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  set(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.host.is_v4()) {
    set(socket.get(), IPPROTO_IP, IP_FREEBIND, 1);
  } else {
    set(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set(socket.get(), IPPROTO_IPV6, IPV6_FREEBIND, 1);
  }
  if (is_udp) tune_udp(socket.get(), address);
  const boost::asio::ip::udp::endpoint bound(address.host, address.port);  // of TCP it would be the same
  if (::bind(socket.get(), bound.data(), static_cast<socklen_t>(bound.size())) != 0) {
    Error error = system_error(what, errno);
    if (errno == EADDRINUSE) error.remedy = "another name server has the port: stop it, or name another address";
    if (errno == EACCES) error.remedy = "ports below 1024 need CAP_NET_BIND_SERVICE";
    return error;
  }
  if (!is_udp && ::listen(socket.get(), kBacklog) != 0) return system_error(what, errno);
  return socket;
}

std::uint16_t port_of(int descriptor) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  // At the same place in both versions.
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

Client client_of(const sockaddr_storage& from, Transport transport) {
  Client client;
  client.transport = transport;
  client.is_ipv4 = from.ss_family == AF_INET;
  if (client.is_ipv4) {
    std::memcpy(client.address.data(), &reinterpret_cast<const sockaddr_in&>(from).sin_addr, sizeof(in_addr));
  } else {
    std::memcpy(client.address.data(), &reinterpret_cast<const sockaddr_in6&>(from).sin6_addr, sizeof(in6_addr));
  }
  return client;
}

}  // namespace astil::dns
