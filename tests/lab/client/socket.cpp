// Opening of lab_client's sockets.
#include "tests/lab/client/socket.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <sstream>

namespace astil::lab {
namespace {

/// Begins one connection; an errno other than 0 where that failed at once.
std::pair<Descriptor, int> open_socket(const Endpoint& to, const Endpoint* from) {
  Descriptor socket(::socket(to.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return {Descriptor{}, errno};
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (from != nullptr) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.get(), from->data(), static_cast<socklen_t>(from->size())) != 0) return {Descriptor{}, errno};
  }
  if (::connect(socket.get(), to.data(), static_cast<socklen_t>(to.size())) != 0 && errno != EINPROGRESS)
    return {Descriptor{}, errno};
  return {std::move(socket), 0};
}

}  // namespace

Endpoint Sources::next() {
  const std::uint64_t addresses = options_.sources.size();
  const std::uint64_t ports = std::uint64_t{options_.last_port} - options_.first_port + 1;
  const std::uint64_t turn = taken_++;
  return {options_.sources[turn % addresses],
          static_cast<std::uint16_t>(options_.first_port + turn / addresses % ports)};
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
  Endpoint local;
  auto length = static_cast<socklen_t>(local.capacity());
  if (::getsockname(socket.get(), local.data(), &length) != 0) return {};
  local.resize(length);
  return (std::ostringstream() << local).str();
}

}  // namespace astil::lab
