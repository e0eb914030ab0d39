// The configurations that ran, with time, cause and result: what `astil history` lists and `astil rollback` goes back
// to. The last of them is the one that runs. They are kept in a folder: each text as it was applied in a file of its
// own, and an index. Files are written by a thread of their own, since a disk may take its time, and the daemon's loop
// has none.
//
// What can not be written stays in memory and is tried again: the running state does not depend on it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/view.hpp"
#include "control/app/retry.hpp"
#include "control/base/result.hpp"

namespace astil::app {

class History {
 public:
  /// Older ones are forgotten.
  static constexpr std::size_t kMostEntries = 50;
  static constexpr std::size_t kMostBytes = 64U << 20U;  ///< of texts, but for the newest two

  /// Reads what is there. `loop` and `alarm` must outlive this; the alarm is this one's alone.
  History(boost::asio::io_context& loop, health::Alarm& alarm, std::filesystem::path folder);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  /// The oldest first. Of the last one, which runs, the number; 0: there is none.
  [[nodiscard]] const std::vector<api::HistoryEntry>& entries() const { return entries_; }
  [[nodiscard]] const api::HistoryEntry* find(std::uint64_t number) const;
  [[nodiscard]] std::uint64_t running() const { return entries_.empty() ? 0 : entries_.back().number; }

  [[nodiscard]] Result<std::string> text(std::uint64_t number) const;

  /// The text runs from now on. Fills in number, digest and what ran before, and gives the number. Written soon.
  std::uint64_t add(api::HistoryEntry entry, const std::string& text);
  /// What became of it. Written soon.
  void settle(std::uint64_t number, api::ChangeResult result);
  /// The last one did not come to run.
  void drop_last();

  /// Waits until all is on the disk, kPatience at most.
  [[nodiscard]] Result<> flush();
  /// The same without waiting: says how it ended, and until then none. What is returned may outlive this.
  [[nodiscard]] std::function<std::optional<Result<>>()> begin_flush();
  static constexpr std::chrono::milliseconds kPatience{2000};

  /// Why the last attempt to write failed; none: all is written, or under way.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  struct Job;
  using Text = std::shared_ptr<const std::string>;

  void read();
  void prune();
  [[nodiscard]] std::shared_ptr<Job> make_job() const;
  void write();
  void on_written(const Job& job);
  [[nodiscard]] Error no_answer() const;
  [[nodiscard]] std::filesystem::path file_of(std::uint64_t number) const;

  boost::asio::io_context& loop_;
  std::filesystem::path folder_;
  std::vector<api::HistoryEntry> entries_;
  std::map<std::uint64_t, Text> unsaved_;  ///< texts that are not on the disk yet
  std::uint64_t next_number_ = 1;
  std::optional<Error> failure_;
  std::uint64_t failures_ = 0;
  bool under_way_ = false;  ///< a job is
  bool changed_ = false;    ///< since it was made
  Retry retry_;
  std::shared_ptr<History*> self_;  ///< for what comes back from the thread
  boost::asio::thread_pool writer_{1};
};

/// SHA-256, hexadecimal.
[[nodiscard]] std::string digest_of(const std::string& text);

/// The entry whose text a daemon starts with in place of its file, whose digest is given; none: with the file. A change
/// that waits for its confirmation ends with the daemon, and a file that has it, or one that was taken back, is not
/// started with until somebody applies it.
[[nodiscard]] std::optional<std::uint64_t> instead_of(const std::vector<api::HistoryEntry>& entries,
                                                      const std::string& digest);

}  // namespace astil::app
