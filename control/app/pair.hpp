// astild's end of a pair: starts astil-vrrp, tells it what it is to do (control/ha/channel.hpp), and knows what it
// reports. On the daemon's loop. The process outlives this object, which finds it again when the daemon starts.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "control/app/handover.hpp"
#include "control/app/moving_record.hpp"
#include "control/app/pair_plan.hpp"
#include "control/app/retry.hpp"
#include "control/app/takeover_gate.hpp"
#include "control/app/tracks.hpp"
#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "control/ha/channel.hpp"
#include "control/health/alarm.hpp"
#include "control/health/asio_prober.hpp"

namespace astil::app {

class Pair {
 public:
  static constexpr std::chrono::milliseconds kLookInterval{500};

  /// `changed` is called when a group changed its state, or something that it tracks did, on the loop.
  Pair(boost::asio::io_context& loop, std::string instance, std::function<void()> changed);
  ~Pair();
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  /// What the model says is so when this returns, but for addresses in `without`, which nobody has then. Starts the
  /// process where it is not there. Without `ha` the process gives up its addresses and ends.
  [[nodiscard]] Result<void> follow(const config::Model& model, const std::set<config::address>& without);

  /// Whether packets are forwarded, so that this node may be active. The process is told, now and whenever it starts.
  /// `proof`: a file that is there as long as they are, also without astild; empty: none tells.
  enum class Engine { forwards, stopped };
  void set_engine(Engine engine, const std::string& proof);

  /// Of the configuration (config::digest_of_shared); the peer is told, and its own one is in the report.
  void set_digest(std::uint64_t digest);
  /// 0: not known.
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  /// Orders that these groups are left to the other node, and waits for nothing: is_answered. Nobody is preempted for
  /// so long; without a time, not before they were active again.
  [[nodiscard]] Result<std::uint32_t> order_step_down(const std::vector<std::string>& groups,
                                                      std::optional<std::chrono::milliseconds> for_so_long);
  /// Whether an order is done.
  [[nodiscard]] bool is_answered(std::uint32_t order) const;
  /// Who has a group's addresses, by what the process said last.
  [[nodiscard]] Handover::Owner owner_of(const std::string& group) const;
  /// Gives up all addresses, and ends the process. Afterwards nothing is started until `follow`.
  [[nodiscard]] Result<void> leave();

  /// Whoever brings the peer's flows says by this whether they are here.
  [[nodiscard]] TakeoverGate& gate() { return gate_; }
  [[nodiscard]] const TakeoverGate& gate() const { return gate_; }

  /// What the process said last; none: it is not there.
  [[nodiscard]] const std::optional<ha::Report>& report() const { return report_; }
  /// When each of its counts of drops and errors changed last, of the steady clock in nanoseconds; 0: not since this
  /// daemon looks. Shaped as the report.
  [[nodiscard]] const ha::Report& changes() const { return changes_; }
  /// Called each kLookInterval: a process that says nothing any more is killed, so that its guardian takes the
  /// addresses away, and started again.
  void look();
  /// What the other node's heartbeats say of a group here, as GroupReport::peer_state.
  [[nodiscard]] std::uint8_t peer_state_of(const std::string& group) const;
  /// The groups that the report is about, in its order.
  [[nodiscard]] const ha::Configuration& plan() const { return told_; }
  [[nodiscard]] bool is_wanted() const { return ha_.has_value(); }
  [[nodiscard]] const Tracks& tracks() const { return tracks_; }
  /// Whether any group is active here.
  [[nodiscard]] bool is_active() const;
  /// How often the process was started since the daemon was.
  [[nodiscard]] std::uint64_t starts() const { return starts_; }
  /// Changes of a group's state that the hook was told of.
  [[nodiscard]] std::uint64_t notified() const { return notified_; }

 private:
  [[nodiscard]] Result<void> connect();
  [[nodiscard]] Result<void> start_process();
  [[nodiscard]] bool try_connect();
  [[nodiscard]] Result<void> bring_up();
  [[nodiscard]] Result<void> tell(const ha::Message& message);
  [[nodiscard]] Result<void> send(const ha::Message& message);
  void tell_later(const ha::Message& message);
  void await_messages();
  [[nodiscard]] bool take_messages();
  void take_report(ha::Report report);
  void note_changes(const ha::Report& report);
  void tell_of_change(const ha::GroupRecord& group, const ha::GroupReport& report);
  void lose_process();
  bool kill_process();
  void tell_tracks();
  void reap();

  boost::asio::io_context& loop_;
  std::string instance_;
  MovingRecord record_;
  std::string proof_;
  std::function<void()> changed_;
  std::optional<boost::asio::posix::stream_descriptor> channel_;
  health::AsioAlarm retry_alarm_;
  Retry retry_;
  std::minstd_rand random_{std::random_device{}()};
  health::AsioProber prober_;  ///< of what is tracked alone: what the checks' probes prepare is theirs
  health::AsioAlarm track_alarm_;
  health::AsioAlarm file_alarm_;
  Tracks tracks_;

  std::optional<config::Ha> ha_;
  ha::Configuration wanted_;
  ha::Configuration told_;
  bool has_told_ = false;
  std::optional<Engine> engine_;  ///< none: not known yet
  std::uint64_t digest_ = 0;
  std::uint32_t sequence_ = 0;
  std::uint32_t answered_ = 0;  ///< sequence of the last message that is done
  std::optional<ha::Report> report_;
  ha::Report changes_;
  pid_t process_ = 0;                   ///< that listens at the other end of `channel_`; 0: not known
  unsigned silent_looks_ = 0;           ///< since the process said anything
  std::vector<ha::GroupState> states_;  ///< that the hook knows, by group
  std::vector<std::uint8_t> failing_;   ///< tracks, by group
  std::vector<pid_t> hooks_;            ///< that run
  std::uint64_t starts_ = 0;
  std::uint64_t notified_ = 0;
  TakeoverGate gate_;
};

}  // namespace astil::app
