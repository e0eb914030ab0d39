// Follows the sources of services whose backends are found: files as they change, names as long as their answers live.
// An error, or an answer with fewer backends than there must be, keeps the last good set.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/base/aside.hpp"
#include "control/discovery/file_reading.hpp"
#include "control/discovery/file_watch.hpp"
#include "control/discovery/kept_sets.hpp"
#include "control/discovery/lookup.hpp"

namespace astil::discovery {

/// A service whose backends are found.
struct Wanted {
  std::string service;
  config::Discovery how;
  /// Of hosts that SRV names only addresses of this IP version are taken, 4 or 6, since each may have both; none: all.
  std::optional<unsigned> version = std::nullopt;
};

/// What is known of a service's source.
struct Report {
  std::optional<Set> set;                                   ///< the last good one; none: there was none yet
  std::optional<std::chrono::system_clock::time_point> at;  ///< when it was found, or found to be the same
  std::string error;                                        ///< of the last attempt; empty: it went well
  std::uint64_t followed = 0;                               ///< attempts that went well, since the daemon started
  std::uint64_t failed = 0;                                 ///< those that did not, likewise
  std::uint64_t refused = 0;                                ///< answers that were not followed, likewise
};

class Discoveries {
 public:
  /// Runs in a thread of its own, and may wait.
  using LookUp = std::function<Result<Answer>(const config::DnsDiscovery&)>;
  /// Likewise: the targets of the file of that name.
  using ReadSet = std::function<Result<Set>(const std::string&)>;
  /// A service's set has changed. An error: it can not be used, and the one before stays.
  using OnChange = std::function<Result<void>(const std::string& service)>;

  /// `state_file`: where the last good sets are kept, and read from now; empty: nowhere. The loop must outlive this.
  Discoveries(boost::asio::io_context& loop, std::string state_file, LookUp look_up, OnChange on_change,
              ReadSet read = read_set);
  ~Discoveries();
  Discoveries(const Discoveries&) = delete;
  Discoveries& operator=(const Discoveries&) = delete;

  /// Whether a service's set can be used.
  using Fits = std::function<Result<void>(const std::string& service, const Set& set)>;

  /// The sources from now on. What is known of one that was there stays; of those that go now, until the next call.
  /// Tells nobody: read `report` afterwards. Files are read within this call, unless that takes longer than
  /// kFilesWithin: then what is known stays, and what they name is told once it is read. So it does where what they
  /// name does not fit.
  void configure(const std::vector<Wanted>& wanted, const Fits& fits);

  /// The last good set of each service.
  using Sets = std::map<std::string, std::optional<Set>>;
  [[nodiscard]] Sets sets() const;
  /// What of these is of sources that are followed is theirs again: what came since could not be used, and why.
  void put_back(const Sets& sets, const std::string& why);

  /// Null: no such service.
  [[nodiscard]] const Report* report(const std::string& service) const;
  /// The last good set of a service that has this very source; none: nothing is known.
  [[nodiscard]] std::optional<Set> known(const std::string& service, const config::Discovery& how) const;
  /// The sets that they would have right after a `configure`, by service; none: nothing is known.
  [[nodiscard]] std::map<std::string, Set> would_be(const std::vector<Wanted>& wanted) const;

  /// "file /etc/astil/web.json", "SRV of _http._tcp.example.org": equal for the same source.
  [[nodiscard]] static std::string source_of(const config::Discovery& how);

  /// How long a call may hold the loop up for files, all of them together.
  static constexpr std::chrono::milliseconds kFilesWithin{300};

 private:
  struct Source;
  void read_file(const std::shared_ptr<Source>& source);
  [[nodiscard]] FileReading begin_reading(const std::shared_ptr<Source>& source);
  void ask(const std::shared_ptr<Source>& source);
  void ask_in(const std::shared_ptr<Source>& source, std::chrono::milliseconds delay);
  void on_folder(const std::string& folder);
  void look_again();
  void take(Source& source, Result<Set> found, const Fits& fits);
  void tell(Source& source, Result<Set> found);
  void refuse(Source& source, const std::string& why);
  void note_failure(Source& source, const std::string& error);
  void keep();

  boost::asio::io_context& loop_;
  std::string state_file_;
  LookUp look_up_;
  OnChange on_change_;
  ReadSet read_set_;
  KeptSets kept_;
  std::map<std::string, std::shared_ptr<Source>> sources_;  ///< by service
  std::map<std::string, std::shared_ptr<Source>> gone_;     ///< those of the configuration before
  FileWatch watch_;
  boost::asio::steady_timer again_;
  mutable base::Aside files_;                       ///< reads them
  base::Aside names_;                               ///< asks for them
  std::optional<boost::asio::thread_pool> writer_;  ///< once there is something to keep
  /// What was to be kept last could not be written.
  std::shared_ptr<std::atomic<bool>> unwritten_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace astil::discovery
