// A client and a backend, each in a network namespace of its own, with a veth between them; and the balancer's part
// played by hand: what the client sends to a service comes out of a tun device, and is sent on in a tunnel.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "dataplane/base/descriptor.hpp"

namespace astil::agent {

using base::Descriptor;
using boost::asio::ip::address;

inline constexpr auto kLimit = std::chrono::seconds(20);  // only a test that fails takes as long

inline void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
}

inline Descriptor checked(int descriptor, std::string_view what) {
  if (descriptor < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  return Descriptor(descriptor);
}

/// A network namespace, gone with the last that is in it or holds it.
class Namespace {
 public:
  /// A new one, in which the thread is then.
  Namespace() {
    if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("a network namespace can not be made");
    descriptor_ = checked(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), "namespace");
  }
  void enter() const {
    if (::setns(descriptor_.get(), CLONE_NEWNET) != 0) throw std::runtime_error("a network namespace is gone");
  }
  /// For `ip`.
  [[nodiscard]] std::string name() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor_.get());
  }

 private:
  Descriptor descriptor_;
};

/// An address and port as sockets take them.
class Endpoint {
 public:
  Endpoint(const address& host, std::uint16_t port) {
    if (host.is_v4()) {
      auto& name = reinterpret_cast<sockaddr_in&>(storage_);
      name = {.sin_family = AF_INET, .sin_port = htons(port)};
      std::memcpy(&name.sin_addr, host.to_v4().to_bytes().data(), sizeof name.sin_addr);
      size_ = sizeof name;
    } else {
      auto& name = reinterpret_cast<sockaddr_in6&>(storage_);
      name = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
      std::memcpy(&name.sin6_addr, host.to_v6().to_bytes().data(), sizeof name.sin6_addr);
      size_ = sizeof name;
    }
  }
  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] const sockaddr* name() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return size_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

enum class Wrapping {
  ip_in_ip,
  gue,              ///< variant 1, without a checksum
  gue_with_header,  ///< variant 0, with a checksum
};

/// One that adds the outer headers to what it sends, in the namespace where it is made.
class TunnelEntry {
 public:
  TunnelEntry(Wrapping wrapping, const address& inner, const address& end) : wrapping_(wrapping) {
    const int carried = inner.is_v4() ? IPPROTO_IPIP : IPPROTO_IPV6;
    const bool raw = wrapping == Wrapping::ip_in_ip;
    const Endpoint to(end, raw ? 0 : 6080);
    socket_ = checked(::socket(to.family(), (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, raw ? carried : 0), "tunnel");
    if (wrapping == Wrapping::gue) {
      constexpr int kOn = 1;
      const bool ipv4 = end.is_v4();
      ::setsockopt(socket_.get(), ipv4 ? SOL_SOCKET : SOL_UDP, ipv4 ? SO_NO_CHECK : UDP_NO_CHECK6_TX, &kOn, sizeof kOn);
    }
    if (::connect(socket_.get(), to.name(), to.size()) != 0) throw std::runtime_error("no way to the tunnel's end");
    header_ = {std::byte{0}, std::byte(carried), std::byte{0}, std::byte{0}};
    version_ = std::byte(inner.is_v4() ? 4 : 6);
  }

  /// Of the version of IP that it is for, and no multicast, by which hosts say what they are.
  [[nodiscard]] bool takes(std::span<const std::byte> packet) const {
    return packet[0] >> 4U == version_ && (version_ == std::byte{4} || packet[24] != std::byte{0xff});
  }

  void send(std::span<const std::byte> packet) const {
    std::array<iovec, 2> parts{{{const_cast<std::byte*>(header_.data()), header_.size()},
                                {const_cast<std::byte*>(packet.data()), packet.size()}}};
    const std::size_t first = wrapping_ == Wrapping::gue_with_header ? 0 : 1;
    const msghdr message{.msg_iov = &parts[first], .msg_iovlen = parts.size() - first};
    if (::sendmsg(socket_.get(), &message, 0) < 0)
      throw std::runtime_error(std::string("not sent by the tunnel: ") + std::strerror(errno));
  }

 private:
  Wrapping wrapping_;
  Descriptor socket_;
  std::array<std::byte, 4> header_{};  ///< of GUE
  std::byte version_{};
};

/// The device tun0, made in the namespace where the thread is.
class Tun {
 public:
  Tun() : descriptor_(checked(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), "tun")) {
    ifreq request{};
    std::strcpy(request.ifr_name, "tun0");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(descriptor_.get(), TUNSETIFF, &request) != 0) throw std::runtime_error("tun0 can not be made");
  }

  /// Sends what comes out on by the tunnel, until a socket is ready for `events`; false: the time is over.
  [[nodiscard]] bool forward_until(int socket, short events, const TunnelEntry& tunnel) const {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (std::chrono::steady_clock::now() < end) {
      std::array<pollfd, 2> ready{{{descriptor_.get(), POLLIN, 0}, {socket, events, 0}}};
      if (::poll(ready.data(), ready.size(), 1000) < 0) return false;
      forward(tunnel);
      if (ready[1].revents != 0) return true;
    }
    return false;
  }

 private:
  void forward(const TunnelEntry& tunnel) const {
    std::array<std::byte, 65536> packet;
    for (ssize_t size = 0; (size = ::read(descriptor_.get(), packet.data(), packet.size())) > 0;) {
      const auto whole = std::span(packet).first(static_cast<std::size_t>(size));
      if (tunnel.takes(whole)) tunnel.send(whole);
    }
  }

  Descriptor descriptor_;
};

}  // namespace astil::agent
