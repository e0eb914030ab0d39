// The name server's sockets and threads: workers that share each port (SO_REUSEPORT), off the control loop, by UDP a
// thread for each address, by TCP one for all, each answering from the snapshot that was published last.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "control/base/result.hpp"
#include "control/dns/counters.hpp"
#include "control/dns/query_log.hpp"
#include "control/dns/snapshot.hpp"

namespace astil::dns {

struct ListenAddress {
  boost::asio::ip::address host;  ///< may be unspecified: every address of this host of that version
  std::uint16_t port = 0;         ///< host byte order; 0: any free one, for tests
  bool operator==(const ListenAddress&) const = default;
};

struct TcpLimits {
  std::chrono::milliseconds idle{10'000};     ///< without a whole query, RFC 7766 section 6.2.3
  std::uint32_t connections = 1000;           ///< of a worker; one more closes the one that was idle for longest
  std::uint32_t connections_per_client = 50;  ///< of an address, with a worker
  bool operator==(const TcpLimits&) const = default;
};

struct ServerOptions {
  std::vector<ListenAddress> listen;
  unsigned workers = 1;
  TcpLimits tcp;
  std::uint64_t seed = 1;  ///< of what is drawn by weight
  bool operator==(const ServerOptions&) const = default;
};

/// The snapshot that is in force. Thread safe: workers take it once a batch. A mutex, since std::atomic of a shared_ptr
/// is a lock too, and one that GCC 12's library releases after a read without an order.
class Published {
 public:
  explicit Published(std::shared_ptr<const Snapshot> first) : current_(std::move(first)) {}
  /// The one before ends outside of the lock, if nobody has it.
  void set(std::shared_ptr<const Snapshot> next) {
    const std::lock_guard lock(mutex_);
    current_.swap(next);
  }
  [[nodiscard]] std::shared_ptr<const Snapshot> get() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> current_;
};

class UdpWorker;
class TcpWorker;

class Server {
 public:
  /// Binds everything, and then starts the threads, which take no signals. Error: a port can not be had.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const ServerOptions& options,
                                                             std::shared_ptr<const Snapshot> first);
  /// Ends the threads, and waits for that.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void publish(std::shared_ptr<const Snapshot> next) { published_.set(std::move(next)); }

  [[nodiscard]] const ServerOptions& options() const { return options_; }
  /// As bound: with the port that port 0 became.
  [[nodiscard]] const std::vector<ListenAddress>& bound() const { return bound_; }
  [[nodiscard]] std::uint64_t count(Counter counter) const;
  [[nodiscard]] std::uint64_t tcp_connections() const;

  /// Gives each query that was to be written down to `write`.
  void take_log(const std::function<void(const LoggedQuery&)>& write);

 private:
  Server(ServerOptions options, std::shared_ptr<const Snapshot> first);

  ServerOptions options_;
  std::vector<ListenAddress> bound_;
  Published published_;
  std::vector<std::unique_ptr<UdpWorker>> by_udp_;
  std::vector<std::unique_ptr<TcpWorker>> by_tcp_;
};

}  // namespace astil::dns
