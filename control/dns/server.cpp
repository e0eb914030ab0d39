#include "control/dns/server.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <optional>
#include <thread>

#include "control/dns/sockets.hpp"
#include "control/dns/tcp.hpp"
#include "control/dns/udp.hpp"

namespace astil::dns {

class Server::Worker {
 public:
  Worker(const TcpLimits& limits, const Published& published, std::uint64_t seed)
      : published_(published),
        context_{.random = Random(seed), .limiter = RateLimiter(Random(seed).next())},
        poll_(::epoll_create1(EPOLL_CLOEXEC)),
        stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        tcp_(poll_.get(), limits, published, context_) {}

  ~Worker() {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof(one));
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// `address` has its port afterwards. A free port of one transport may be taken of the other one: then another is
  /// tried.
  Result<void> listen(ListenAddress& address) {
    constexpr int kTries = 32;
    const bool is_free_to_choose = address.port == 0;
    for (int i = 1;; ++i) {
      auto listening = listen_once(address);
      if (listening || !is_free_to_choose || i == kTries) return listening;
      address.port = 0;
    }
  }

  Result<void> start() {
    if (poll_.get() < 0 || stop_.get() < 0) return system_error("dns: epoll", errno);
    (void)watch(stop_.get(), 0);
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      if (!watch(sockets_[i].descriptor.get(), i + 1)) return system_error("dns: epoll", errno);
    }
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);  // threads inherit it
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "astil-dns");
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return {};
  }

  [[nodiscard]] const Counters& counters() const { return context_.counters; }
  [[nodiscard]] std::uint64_t tcp_connections() const { return tcp_.count(); }

 private:
  struct Socket {
    Descriptor descriptor;
    Transport transport;
  };

  /// Both or none.
  Result<void> listen_once(ListenAddress& address) {
    auto udp = open_socket(address, Transport::udp);
    if (udp.has_error()) return udp.error();
    if (address.port == 0) address.port = port_of(udp->get());
    auto tcp = open_socket(address, Transport::tcp);
    if (tcp.has_error()) return tcp.error();
    sockets_.push_back({std::move(*udp), Transport::udp});
    sockets_.push_back({std::move(*tcp), Transport::tcp});
    return {};
  }

  /// Numbers of sockets are told from addresses of connections by their size.
  bool watch(int descriptor, std::size_t number) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = number}};
    return ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
  }

  void run();

  /// Queries of a turn have one time: cookies and limits are no finer.
  void note_time(TcpConnections::Clock::time_point now) {
    using std::chrono::duration_cast;
    const auto steady = duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    context_.milliseconds = static_cast<std::uint32_t>(steady);
    context_.now = static_cast<std::uint32_t>(duration_cast<std::chrono::seconds>(wall).count());
  }

  static constexpr std::size_t kEvents = 64;

  const Published& published_;
  WorkerContext context_;
  Descriptor poll_;
  Descriptor stop_;
  std::vector<Socket> sockets_;
  TcpConnections tcp_;
  UdpBatch udp_;
  std::thread thread_;
};

void Server::Worker::run() {
  using Clock = TcpConnections::Clock;
  std::array<epoll_event, kEvents> events{};
  std::optional<Clock::time_point> next;
  for (;;) {
    int wait = -1;
    if (next) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now()).count();
      wait = static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
    }
    const int count = ::epoll_wait(poll_.get(), events.data(), kEvents, wait);
    const Clock::time_point now = Clock::now();
    note_time(now);
    // Connections first: what the listeners do may free some.
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 > sockets_.size()) tcp_.serve(*static_cast<TcpConnections::Connection*>(event.data.ptr), now);
    }
    for (int i = 0; i < count; ++i) {
      const std::uint64_t number = events[static_cast<std::size_t>(i)].data.u64;
      if (number > sockets_.size()) continue;
      if (number == 0) return;
      const Socket& socket = sockets_[number - 1];
      if (socket.transport == Transport::udp) {
        udp_.serve(socket.descriptor.get(), published_, context_);
      } else {
        tcp_.accept(socket.descriptor.get(), now);
      }
    }
    next = tcp_.close_idle(now);
    tcp_.bury();
  }
}

Server::Server(ServerOptions options, std::shared_ptr<const Snapshot> first)
    : options_(std::move(options)), bound_(options_.listen), published_(std::move(first)) {}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, std::shared_ptr<const Snapshot> first) {
  std::unique_ptr<Server> server(new Server(options, std::move(first)));
  for (unsigned i = 0; i < options.workers; ++i) {
    auto worker = std::make_unique<Worker>(options.tcp, server->published_, options.seed + i);
    for (ListenAddress& address : server->bound_) {
      if (auto listening = worker->listen(address); listening.has_error()) return listening.error();
    }
    server->workers_.push_back(std::move(worker));
  }
  for (const auto& worker : server->workers_) {
    if (auto started = worker->start(); started.has_error()) return started.error();
  }
  return server;
}

std::uint64_t Server::count(Counter counter) const {
  std::uint64_t sum = 0;
  for (const auto& worker : workers_) sum += worker->counters().get(counter);
  return sum;
}

std::uint64_t Server::tcp_connections() const {
  std::uint64_t sum = 0;
  for (const auto& worker : workers_) sum += worker->tcp_connections();
  return sum;
}

}  // namespace astil::dns
