// Opening of lab_client's sockets.
#include "tests/lab/client/socket.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace astil::lab {
namespace {

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

/// Begins one connection; an errno other than 0 where that failed at once.
std::pair<Descriptor, int> open_socket(const sockaddr_in& to, const sockaddr_in* from) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return {Descriptor{}, errno};
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (from != nullptr) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.get(), generic(*from), sizeof *from) != 0) return {Descriptor{}, errno};
  }
  if (::connect(socket.get(), generic(to), sizeof to) != 0 && errno != EINPROGRESS) return {Descriptor{}, errno};
  return {std::move(socket), 0};
}

}  // namespace

sockaddr_in Sources::next() {
  const std::uint64_t addresses = options_.sources.size();
  const std::uint64_t ports = std::uint64_t{options_.last_port} - options_.first_port + 1;
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr = options_.sources[taken_ % addresses];
  from.sin_port = htons(static_cast<std::uint16_t>(options_.first_port + taken_ / addresses % ports));
  ++taken_;
  return from;
}

std::pair<Descriptor, int> Sources::open_next() {
  if (options_.sources.empty()) return open_socket(options_.to, nullptr);
  // A source may still be held by a connection of an earlier round that has not ended; the next ones will do as well.
  constexpr int kTries = 1000;
  int error = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto from = next();
    auto [socket, failed] = open_socket(options_.to, &from);
    if (failed == 0) return {std::move(socket), 0};
    error = failed;
    if (failed != EADDRINUSE && failed != EADDRNOTAVAIL) break;
  }
  return {Descriptor{}, error};
}

std::string local_name(const Descriptor& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(ntohs(address.sin_port));
}

}  // namespace astil::lab
