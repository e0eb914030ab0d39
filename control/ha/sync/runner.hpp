// Flow sync as it runs: a thread with UDP sockets, one for each path to the other node, around a Peer. Whoever
// publishes to the tables holds `tables_guard` meanwhile, and says afterwards that names may have changed.
#pragma once

#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "control/ha/sync/peer.hpp"
#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dataplane.hpp"

namespace astil::ha::sync {

struct RunnerOptions {
  struct Path {
    boost::asio::ip::address local, peer;
    bool operator==(const Path&) const = default;
  };
  std::vector<Path> paths;  ///< at least one; in the order in which they are preferred
  std::uint16_t port = 0;   ///< UDP, of both nodes
  std::chrono::milliseconds interval{50};
  std::uint64_t bytes_per_second = 125'000'000;
  bool operator==(const RunnerOptions&) const = default;
};

class Runner {
 public:
  /// `engine` must outlive it. `changed` is called by the thread when what `has_peer_table` says has changed.
  static Result<std::unique_ptr<Runner>> start(const dataplane::Dataplane& engine, Keyring keys,
                                               const RunnerOptions& options, std::function<void()> changed);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// While it lives, the thread does not touch the tables.
  class TablesGuard {
   public:
    explicit TablesGuard(Runner& runner) : runner_(runner) {
      ++runner_.waiting_;
      runner_.mutex_.lock();
      --runner_.waiting_;
    }
    ~TablesGuard() { runner_.mutex_.unlock(); }
    TablesGuard(const TablesGuard&) = delete;
    TablesGuard& operator=(const TablesGuard&) = delete;

   private:
    Runner& runner_;
  };
  [[nodiscard]] TablesGuard tables_guard() { return TablesGuard(*this); }

  /// Under a guard: services, backends or source addresses may have other numbers now.
  void names_changed() { peer_->names_changed(); }
  /// Under a guard: was a record written for the backend since then?
  [[nodiscard]] bool wrote_since(std::uint32_t number, Time time) const { return peer_->wrote_since(number, time); }

  /// Whether clients' packets come to this node.
  void set_active(bool active);
  [[nodiscard]] bool has_peer_table() const { return has_peer_table_; }
  /// Has the peer all that was here at `time`?
  [[nodiscard]] bool told_since(Time time);
  [[nodiscard]] PeerStatus status();

 private:
  Runner(const dataplane::Dataplane& engine, Keyring keys, const RunnerOptions& options, std::function<void()> changed);
  Result<void> open(const RunnerOptions& options);
  void run(const std::stop_token& stop);
  void take_datagrams();
  [[nodiscard]] bool queue(std::size_t path, Bytes datagram);
  void flush();
  void wake();

  const dataplane::Dataplane& engine_;
  std::function<void()> changed_;
  std::vector<base::Descriptor> sockets_;
  base::Descriptor wake_;
  struct Outbox;
  struct Inbox;
  std::vector<std::unique_ptr<Outbox>> outboxes_;
  std::unique_ptr<Inbox> inbox_;
  std::mutex mutex_;
  std::atomic<int> waiting_ = 0;
  std::atomic<bool> has_peer_table_ = false;
  std::atomic<std::uint64_t> send_errors_ = 0;
  std::unique_ptr<Peer> peer_;
  std::jthread thread_;
};

}  // namespace astil::ha::sync
