#include "control/dns/tcp.hpp"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace astil::dns {
namespace {

constexpr std::size_t kReadAtOnce = 16384;
constexpr std::size_t kLengthSize = 2;
/// Responses that a client does not take. Above it no more of its queries are read.
constexpr std::size_t kMostUnsent = 128U << 10U;
constexpr unsigned kAcceptsAtOnce = 64;

}  // namespace

TcpConnections::TcpConnections(int poll, const TcpLimits& limits, const Published& published, WorkerContext& worker)
    : poll_(poll),
      limits_(limits),
      published_(published),
      worker_(worker),
      room_(kLongestMessage),
      received_(kReadAtOnce) {}

void TcpConnections::accept(int listener, Clock::time_point now) {
  for (unsigned i = 0; i < kAcceptsAtOnce; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    Descriptor socket(::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.get() < 0) {
      // Without a descriptor to spare, one is made free: else the listener would be ready for ever.
      const bool is_full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (!is_full || connections_.empty()) return;
      close(*connections_.front(), Counter::tcp_closed_limit);
      bury();  // events at hand are of the listener alone: see TcpWorker::serve
      continue;
    }
    add(std::move(socket), from, now);
  }
}

void TcpConnections::add(Descriptor socket, const sockaddr_storage& from, Clock::time_point now) {
  auto made = std::make_unique<Connection>();
  made->client = client_of(from, Transport::tcp);
  made->since = now;
  std::uint32_t& of_client = of_client_[made->client.address];
  if (of_client >= limits_.connections_per_client) {
    worker_.counters.add(Counter::tcp_closed_client_limit);
    return;
  }
  const int on = 1;
  (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  made->socket = std::move(socket);
  ++of_client;
  worker_.counters.add(Counter::tcp_opened);
  Connection& connection = *made;
  connection.place = connections_.insert(connections_.end(), std::move(made));
  epoll_event event{.events = 0, .data = {.ptr = &connection}};
  (void)::epoll_ctl(poll_, EPOLL_CTL_ADD, connection.socket.get(), &event);
  watch(connection);
  if (connections_.size() > limits_.connections) close(*connections_.front(), Counter::tcp_closed_limit);
  count_now();
}

/// Closing its descriptor takes it out of epoll.
void TcpConnections::close(Connection& connection, Counter why) {
  worker_.counters.add(why);
  const auto of_client = of_client_.find(connection.client.address);
  if (--of_client->second == 0) of_client_.erase(of_client);
  connection.socket = Descriptor();
  buried_.splice(buried_.end(), connections_, connection.place);
  count_now();
}

/// What the kernel has; false: it was closed.
bool TcpConnections::receive(Connection& connection) {
  const ssize_t got = ::recv(connection.socket.get(), received_.data(), received_.size(), MSG_DONTWAIT);
  if (got > 0) {
    connection.in.insert(connection.in.end(), received_.begin(), received_.begin() + got);
    return true;
  }
  if (got == 0) {
    connection.has_ended = true;
    return true;
  }
  if (errno == EAGAIN || errno == EINTR) return true;
  close(connection, Counter::tcp_closed_error);
  return false;
}

bool TcpConnections::answer(Connection& connection, Clock::time_point now) {
  const std::shared_ptr<const Snapshot> snapshot = published_.get();
  std::size_t at = 0;
  const std::vector<std::byte>& in = connection.in;
  while (in.size() - at >= kLengthSize && connection.unsent() < kMostUnsent) {
    const std::size_t size = std::to_integer<std::size_t>(in[at]) << 8U | std::to_integer<std::size_t>(in[at + 1]);
    if (in.size() - at - kLengthSize < size) break;
    const Bytes query = Bytes(in).subspan(at + kLengthSize, size);
    const std::size_t length = respond(*snapshot, query, connection.client, room_, worker_);
    at += kLengthSize + size;
    if (length == 0) {  // no query: nothing good comes from there
      close(connection, Counter::tcp_closed_error);
      return false;
    }
    connection.out.push_back(static_cast<std::byte>(length >> 8U));
    connection.out.push_back(static_cast<std::byte>(length & 0xffU));
    connection.out.insert(connection.out.end(), room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(length));
  }
  if (at == 0) return true;
  connection.in.erase(connection.in.begin(), connection.in.begin() + static_cast<std::ptrdiff_t>(at));
  connection.since = now;
  connections_.splice(connections_.end(), connections_, connection.place);
  return true;
}

/// False: it was closed.
bool TcpConnections::flush(Connection& connection) {
  while (connection.unsent() > 0) {
    const ssize_t sent = ::send(connection.socket.get(), connection.out.data() + connection.sent, connection.unsent(),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      connection.sent += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return true;
    close(connection, Counter::tcp_closed_error);
    return false;
  }
  connection.out.clear();
  connection.sent = 0;
  return true;
}

void TcpConnections::watch(Connection& connection) {
  std::uint32_t events = 0;
  if (!connection.has_ended && connection.unsent() < kMostUnsent) events |= EPOLLIN;
  if (connection.unsent() > 0) events |= EPOLLOUT;
  if (events == connection.watched) return;
  connection.watched = events;
  epoll_event event{.events = events, .data = {.ptr = &connection}};
  (void)::epoll_ctl(poll_, EPOLL_CTL_MOD, connection.socket.get(), &event);
}

void TcpConnections::serve(Connection& connection, Clock::time_point now) {
  if (connection.socket.get() < 0) return;  // closed by an event before this one
  if (!connection.has_ended && connection.unsent() < kMostUnsent && !receive(connection)) return;
  if (!flush(connection)) return;
  // What was held back while the client took nothing may be answered now.
  while (connection.in.size() >= kLengthSize) {
    const std::size_t before = connection.in.size();
    if (!answer(connection, now) || !flush(connection)) return;
    if (connection.in.size() == before || connection.unsent() >= kMostUnsent) break;
  }
  if (connection.has_ended && connection.unsent() == 0) return close(connection, Counter::tcp_closed_by_client);
  watch(connection);
}

std::optional<TcpConnections::Clock::time_point> TcpConnections::close_idle(Clock::time_point now) {
  while (!connections_.empty()) {
    Connection& oldest = *connections_.front();
    if (now < oldest.since + limits_.idle) return oldest.since + limits_.idle;
    close(oldest, Counter::tcp_closed_idle);
  }
  return std::nullopt;
}

}  // namespace astil::dns
