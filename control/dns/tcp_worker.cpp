#include "control/dns/tcp_worker.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>

#include "control/dns/worker.hpp"

namespace astil::dns {

TcpWorker::TcpWorker(std::vector<Descriptor> listeners, const TcpLimits& limits, const Published& published,
                     std::uint64_t seed)
    : listeners_(std::move(listeners)),
      context_(worker_context(seed)),
      poll_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      connections_(poll_.get(), limits, published, context_),
      events_(kEvents) {}

TcpWorker::~TcpWorker() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

/// Numbers of listeners are told from addresses of connections by their size; 0 is the end.
bool TcpWorker::watch(int descriptor, std::size_t number) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = number}};
  return ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

Result<void> TcpWorker::start() {
  if (poll_.get() < 0 || stop_.get() < 0 || !watch(stop_.get(), 0)) return system_error("dns: epoll", errno);
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (!watch(listeners_[i].get(), i + 1)) return system_error("dns: epoll", errno);
  }
  thread_ = start_worker([this] { run(); });
  return {};
}

void TcpWorker::run() {
  using Clock = TcpConnections::Clock;
  std::optional<Clock::time_point> next;
  Clock::time_point now = Clock::now();
  for (;;) {
    int wait = -1;
    if (next) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
      wait = static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
    }
    const int count = ::epoll_wait(poll_.get(), events_.data(), kEvents, wait);
    now = Clock::now();  // of all that the turn does
    tell_time(context_);
    if (!serve(static_cast<std::size_t>(std::max(count, 0)), now)) return;
    next = connections_.close_idle(now);
    connections_.bury();
  }
}

/// False: it is to end.
bool TcpWorker::serve(std::size_t events, TcpConnections::Clock::time_point now) {
  // Connections first: what the listeners do may free some.
  for (std::size_t i = 0; i < events; ++i) {
    if (events_[i].data.u64 > listeners_.size())
      connections_.serve(*static_cast<TcpConnections::Connection*>(events_[i].data.ptr), now);
  }
  for (std::size_t i = 0; i < events; ++i) {
    const std::uint64_t number = events_[i].data.u64;
    if (number == 0) return false;
    if (number <= listeners_.size()) connections_.accept(listeners_[number - 1].get(), now);
  }
  return true;
}

}  // namespace astil::dns
