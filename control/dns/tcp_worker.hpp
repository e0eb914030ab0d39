// A thread that answers by TCP: at all listeners, and on the connections that they take.
#pragma once

#include <sys/epoll.h>

#include <memory>
#include <thread>
#include <vector>

#include "control/base/result.hpp"
#include "control/dns/server.hpp"
#include "control/dns/sockets.hpp"
#include "control/dns/tcp.hpp"

namespace astil::dns {

class TcpWorker {
 public:
  TcpWorker(std::vector<Descriptor> listeners, const TcpLimits& limits, const Published& published, std::uint64_t seed);
  /// Ends the thread, and waits for that.
  ~TcpWorker();
  TcpWorker(const TcpWorker&) = delete;
  TcpWorker& operator=(const TcpWorker&) = delete;

  [[nodiscard]] Result<void> start();
  [[nodiscard]] WorkerContext& context() { return context_; }
  [[nodiscard]] std::uint64_t connections() const { return connections_.count(); }

 private:
  [[nodiscard]] bool watch(int descriptor, std::size_t number);
  void run();
  [[nodiscard]] bool serve(std::size_t events, TcpConnections::Clock::time_point now);

  static constexpr std::size_t kEvents = 64;

  std::vector<Descriptor> listeners_;
  WorkerContext context_;
  Descriptor poll_;
  Descriptor stop_;
  TcpConnections connections_;
  std::vector<epoll_event> events_;
  std::thread thread_;
};

}  // namespace astil::dns
