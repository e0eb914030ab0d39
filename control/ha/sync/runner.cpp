#include "control/ha/sync/runner.hpp"

#include <poll.h>
#include <sodium.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <cstring>

namespace astil::ha::sync {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t kDatagramsAtOnce = 64;
/// A window of datagrams, and what the kernel counts beside their bytes.
constexpr int kSocketRoom = 8 << 20;
/// Whoever waits for the tables gets them.
constexpr std::chrono::microseconds kYield{20};
constexpr milliseconds kLongestSleep{100};

Error named(const RunnerOptions::Path& path, std::uint16_t port, const std::string& action) {
  const int why = errno;
  return system_error(action + " " + path.local.to_string() + " port " + std::to_string(port) + " for flow sync", why);
}

Result<base::Descriptor> open_socket(const RunnerOptions::Path& path, std::uint16_t port) {
  using boost::asio::ip::udp;
  const udp::endpoint local(path.local, port);
  const udp::endpoint peer(path.peer, port);
  base::Descriptor socket(
      ::socket(path.local.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return named(path, port, "socket of");
  const int on = 1;
  // The address may come later than this daemon; and a daemon that takes over finds the port free.
  const int level = path.local.is_v4() ? IPPROTO_IP : IPPROTO_IPV6;
  (void)::setsockopt(socket.get(), level, path.local.is_v4() ? IP_FREEBIND : IPV6_FREEBIND, &on, sizeof on);
  // A path with a smaller MTU gets fragments, and not nothing.
  const int fragments = path.local.is_v4() ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_DONT;
  (void)::setsockopt(socket.get(), level, path.local.is_v4() ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &fragments,
                     sizeof fragments);
  for (const auto& [forced, plain] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (::setsockopt(socket.get(), SOL_SOCKET, forced, &kSocketRoom, sizeof kSocketRoom) != 0)
      (void)::setsockopt(socket.get(), SOL_SOCKET, plain, &kSocketRoom, sizeof kSocketRoom);
  }
  if (::bind(socket.get(), local.data(), static_cast<socklen_t>(local.size())) != 0) return named(path, port, "bind");
  return socket;
}

}  // namespace

/// Datagrams that wait to be sent together.
struct Runner::Outbox {
  explicit Outbox(const boost::asio::ip::udp::endpoint& to) : peer(to) {}

  boost::asio::ip::udp::endpoint peer;
  std::size_t count = 0;
  std::array<std::array<std::byte, kLongestDatagram>, kDatagramsAtOnce> bytes{};
  std::array<std::size_t, kDatagramsAtOnce> lengths{};
};

struct Runner::Inbox {
  std::array<std::array<std::byte, kLongestDatagram + 1>, kDatagramsAtOnce> bytes{};
};

Runner::Runner(const dataplane::Dataplane& engine, Keyring keys, const RunnerOptions& options,
               std::function<void()> changed)
    : engine_(engine), changed_(std::move(changed)), inbox_(std::make_unique<Inbox>()) {
  PeerOptions peer{.session = {.paths = options.paths.size(), .bytes_per_second = options.bytes_per_second},
                   .interval = options.interval};
  for (const RunnerOptions::Path& path : options.paths)
    outboxes_.push_back(std::make_unique<Outbox>(boost::asio::ip::udp::endpoint(path.peer, options.port)));
  peer_ = std::make_unique<Peer>(
      engine.tables(), std::move(keys), peer,
      Peer::Surroundings{.send = [this](std::size_t path, Bytes datagram) { return queue(path, datagram); },
                         .random = [](std::span<std::uint8_t> out) { ::randombytes_buf(out.data(), out.size()); },
                         .tick = [this] { return engine_.tick(); },
                         .clock = [] { return Clock::now(); }});
}

Result<std::unique_ptr<Runner>> Runner::start(const dataplane::Dataplane& engine, Keyring keys,
                                              const RunnerOptions& options, std::function<void()> changed) {
  if (::sodium_init() < 0) return Error{"libsodium does not start", "see whether /dev/urandom is there"};
  std::unique_ptr<Runner> runner(new Runner(engine, std::move(keys), options, std::move(changed)));
  if (auto opened = runner->open(options); opened.has_error()) return opened.error();
  runner->thread_ = std::jthread([self = runner.get()](const std::stop_token& stop) { self->run(stop); });
  return runner;
}

Result<void> Runner::open(const RunnerOptions& options) {
  wake_ = base::Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return system_error("eventfd", errno);
  for (const RunnerOptions::Path& path : options.paths) {
    auto socket = open_socket(path, options.port);
    if (socket.has_error()) return socket.error();
    sockets_.push_back(std::move(*socket));
  }
  return {};
}

Runner::~Runner() {
  thread_.request_stop();
  wake();
}

void Runner::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

bool Runner::queue(std::size_t path, Bytes datagram) {
  Outbox& box = *outboxes_[path];
  if (box.count == kDatagramsAtOnce) flush();
  std::memcpy(box.bytes[box.count].data(), datagram.data(), datagram.size());
  box.lengths[box.count++] = datagram.size();
  return true;
}

/// What can not be sent is lost, as if on the way.
void Runner::flush() {
  for (std::size_t path = 0; path < outboxes_.size(); ++path) {
    Outbox& box = *outboxes_[path];
    std::array<mmsghdr, kDatagramsAtOnce> messages{};
    std::array<iovec, kDatagramsAtOnce> parts{};
    for (std::size_t i = 0; i < box.count; ++i) {
      parts[i] = {.iov_base = box.bytes[i].data(), .iov_len = box.lengths[i]};
      messages[i].msg_hdr = {.msg_name = box.peer.data(),
                             .msg_namelen = static_cast<socklen_t>(box.peer.size()),
                             .msg_iov = &parts[i],
                             .msg_iovlen = 1};
    }
    std::size_t sent = 0;
    while (sent < box.count) {
      const int done = ::sendmmsg(sockets_[path].get(), &messages[sent], static_cast<unsigned>(box.count - sent), 0);
      if (done > 0) {
        sent += static_cast<std::size_t>(done);
        continue;
      }
      ++send_errors_;
      ++sent;  // this one; the next may find its way
      if (errno == EAGAIN || errno == ENOBUFS) break;
    }
    box.count = 0;
  }
}

void Runner::take_datagrams() {
  for (std::size_t path = 0; path < sockets_.size(); ++path) {
    std::array<mmsghdr, kDatagramsAtOnce> messages{};
    std::array<iovec, kDatagramsAtOnce> parts{};
    for (std::size_t i = 0; i < kDatagramsAtOnce; ++i) {
      parts[i] = {.iov_base = inbox_->bytes[i].data(), .iov_len = inbox_->bytes[i].size()};
      messages[i].msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    const int count = ::recvmmsg(sockets_[path].get(), messages.data(), kDatagramsAtOnce, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      peer_->receive(path, Bytes(inbox_->bytes[at]).first(messages[at].msg_len));
    }
  }
}

void Runner::run(const std::stop_token& stop) {
  std::vector<pollfd> ready;
  for (const base::Descriptor& socket : sockets_) ready.push_back({.fd = socket.get(), .events = POLLIN, .revents = 0});
  ready.push_back({.fd = wake_.get(), .events = POLLIN, .revents = 0});
  while (!stop.stop_requested()) {
    while (waiting_ != 0) std::this_thread::sleep_for(kYield);
    Time due;
    bool has_table = false;
    {
      const std::scoped_lock lock(mutex_);
      take_datagrams();
      peer_->run();
      due = peer_->due();
      has_table = peer_->has_peer_table();
    }
    flush();
    if (has_peer_table_.exchange(has_table) != has_table) changed_();
    const auto sleep = std::clamp<nanoseconds>(due - Clock::now(), nanoseconds(0), kLongestSleep);
    const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(sleep.count())};
    if (::ppoll(ready.data(), ready.size(), &time, nullptr) > 0 && ready.back().revents != 0) {
      std::uint64_t times = 0;
      (void)!::read(wake_.get(), &times, sizeof times);
    }
  }
}

void Runner::set_active(bool active) {
  const TablesGuard guard(*this);
  peer_->set_active(active);
}

bool Runner::told_since(Time time) {
  const TablesGuard guard(*this);
  return peer_->told_since(time);
}

PeerStatus Runner::status() {
  const TablesGuard guard(*this);
  PeerStatus status = peer_->status();
  status.session.send_errors += send_errors_;
  return status;
}

}  // namespace astil::ha::sync
