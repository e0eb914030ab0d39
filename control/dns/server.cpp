#include "control/dns/server.hpp"

#include "control/dns/sockets.hpp"
#include "control/dns/tcp_worker.hpp"
#include "control/dns/udp.hpp"

namespace astil::dns {
namespace {

struct Pair {
  Descriptor udp;
  Descriptor tcp;
};

/// Both or none.
Result<Pair> open_once(ListenAddress& address) {
  auto udp = open_socket(address, Transport::udp);
  if (udp.has_error()) return udp.error();
  if (address.port == 0) address.port = port_of(udp->get());
  auto tcp = open_socket(address, Transport::tcp);
  if (tcp.has_error()) return tcp.error();
  return Pair{.udp = std::move(*udp), .tcp = std::move(*tcp)};
}

/// `address` has its port afterwards. A free port of one transport may be taken of the other one: then another is
/// tried.
Result<Pair> open_pair(ListenAddress& address) {
  constexpr int kTries = 32;
  const bool is_free_to_choose = address.port == 0;
  for (int i = 1;; ++i) {
    auto opened = open_once(address);
    if (opened || !is_free_to_choose || i == kTries) return opened;
    address.port = 0;
  }
}

}  // namespace

Server::Server(ServerOptions options, std::shared_ptr<const Snapshot> first)
    : options_(std::move(options)), bound_(options_.listen), published_(std::move(first)) {}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, std::shared_ptr<const Snapshot> first) {
  std::unique_ptr<Server> server(new Server(options, std::move(first)));
  std::uint64_t seed = options.seed;
  for (unsigned i = 0; i < options.workers; ++i) {
    std::vector<Descriptor> listeners;
    for (ListenAddress& address : server->bound_) {
      auto opened = open_pair(address);
      if (opened.has_error()) return opened.error();
      server->by_udp_.push_back(std::make_unique<UdpWorker>(std::move(opened->udp), server->published_, seed++));
      listeners.push_back(std::move(opened->tcp));
    }
    server->by_tcp_.push_back(
        std::make_unique<TcpWorker>(std::move(listeners), options.tcp, server->published_, seed++));
  }
  for (const auto& worker : server->by_tcp_) {
    if (auto started = worker->start(); started.has_error()) return started.error();
  }
  for (const auto& worker : server->by_udp_) worker->start();
  return server;
}

std::uint64_t Server::count(Counter counter) const {
  std::uint64_t sum = 0;
  for (const auto& worker : by_udp_) sum += worker->context().counters.get(counter);
  for (const auto& worker : by_tcp_) sum += worker->context().counters.get(counter);
  return sum;
}

std::uint64_t Server::tcp_connections() const {
  std::uint64_t sum = 0;
  for (const auto& worker : by_tcp_) sum += worker->connections();
  return sum;
}

void Server::take_log(const std::function<void(const LoggedQuery&)>& write) {
  for (const auto& worker : by_udp_) worker->context().log.take(write);
  for (const auto& worker : by_tcp_) worker->context().log.take(write);
}

}  // namespace astil::dns
