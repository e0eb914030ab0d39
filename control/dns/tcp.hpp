// Queries by TCP (RFC 7766): a length in front of each message, any number of them on a connection one behind the other
// (pipelining), answered in their order. A connection ends when it has been without a whole query for too long, and
// where there are too many.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "control/dns/responder.hpp"
#include "control/dns/server.hpp"
#include "control/dns/sockets.hpp"

namespace astil::dns {

class TcpConnections {
 public:
  using Clock = std::chrono::steady_clock;

  /// `poll` is an epoll descriptor, which connections are added to, with the address of their Connection as data.
  TcpConnections(int poll, const TcpLimits& limits, const Published& published, WorkerContext& worker);

  struct Connection;
  using Place = std::list<std::unique_ptr<Connection>>::iterator;

  struct Connection {
    Descriptor socket;
    Client client;
    Clock::time_point since;  ///< of the last whole query, or of its begin
    std::vector<std::byte> in;
    std::vector<std::byte> out;
    std::size_t sent = 0;    ///< of `out`
    bool has_ended = false;  ///< the client sends no more
    std::uint32_t watched = 0;
    Place place;

    [[nodiscard]] std::size_t unsent() const { return out.size() - sent; }
  };

  /// Takes what waits at the listener.
  void accept(int listener, Clock::time_point now);
  /// The connection can be read from, or written to.
  void serve(Connection& connection, Clock::time_point now);
  /// Closes those that were idle for too long. Returns when to be called next; none: there is no connection.
  [[nodiscard]] std::optional<Clock::time_point> close_idle(Clock::time_point now);
  /// Frees those that were closed since; not while events of theirs may be at hand.
  void bury() { buried_.clear(); }

  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  void add(Descriptor socket, const sockaddr_storage& from, Clock::time_point now);
  void close(Connection& connection, Counter why);
  bool receive(Connection& connection);
  /// False: it was closed.
  bool answer(Connection& connection, Clock::time_point now);
  bool flush(Connection& connection);
  void watch(Connection& connection);
  void count_now() { count_.store(connections_.size(), std::memory_order_relaxed); }

  int poll_;
  TcpLimits limits_;
  const Published& published_;
  WorkerContext& worker_;
  std::list<std::unique_ptr<Connection>> connections_;  ///< the one that was idle for longest first
  std::list<std::unique_ptr<Connection>> buried_;
  std::map<std::array<std::byte, 16>, std::uint32_t> of_client_;
  std::atomic<std::uint64_t> count_{0};
  std::vector<std::byte> room_;      ///< of a response
  std::vector<std::byte> received_;  ///< room of what is read at once
};

}  // namespace astil::dns
