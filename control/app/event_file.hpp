// Keeps events over restarts of the daemon: a line of JSON for each, appended by a thread of its own, since a disk may
// take its time and the daemon's loop has none. Two files of a limited size take turns: PATH, and PATH.old before it.
// Nothing is synced: what a crash of the host loses is some last lines of a history, and a torn one is skipped.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <mutex>
#include <string>

#include "control/api/view.hpp"

namespace astil::app {

class EventFile {
 public:
  static constexpr std::size_t kMostBytes = 2U << 20U;     ///< of each of the two files
  static constexpr std::size_t kMostPending = 16U << 20U;  ///< bytes that wait for the disk; what is more is not kept

  explicit EventFile(std::string path, std::size_t most_bytes = kMostBytes);
  /// Writes what is pending first.
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// The oldest first. Before the first `append`.
  void read(const std::function<void(api::EventView)>& on_event) const;
  void append(const api::EventView& event);

  /// Events that are not in the file, and never will be.
  [[nodiscard]] std::uint64_t unkept() const { return unkept_; }
  /// Of the last attempt to write; empty: it went well.
  [[nodiscard]] std::string failure() const;

 private:
  void write_pending();
  [[nodiscard]] std::string write(const std::string& lines) const;

  std::string path_;
  std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::string pending_;
  std::size_t pending_events_ = 0;
  std::string failure_;
  std::atomic<std::uint64_t> unkept_ = 0;
  boost::asio::thread_pool writer_{1};
};

}  // namespace astil::app
