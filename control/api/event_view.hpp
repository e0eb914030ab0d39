// Changes of state, as the daemon keeps and tells them: what something was, what it became, when, and why. Included by
// control/api/view.hpp, whose conventions hold here too.
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace astil::api {

/// Of what the state has changed, and which states there are.
enum class EventKind {
  health,         ///< of a backend, by its checks: unknown, up, down
  order,          ///< of a backend, by the operator: active, drain, maintenance
  rotation,       ///< of a backend: in, out, removed
  flows,          ///< of a backend that was ordered out: drained
  service,        ///< enough, too-few (backends that are well), withdrawn
  interface,      ///< up, down, no-carrier, missing
  configuration,  ///< the number in the history that runs
  daemon,         ///< started, forwarding (all is as wanted), failing (something is not)
  discovery,      ///< of a service: the number of backends that are found
  group,          ///< of a pair: active, backup, fault, stopped
  track,          ///< of a group, what is tracked: well, failing
  suspicion,      ///< of a backend, by its clients' connections: suspect, none
  repair,  ///< of what somebody else had changed: what it was (attachment, pin, table, address, next-hop, probe),
           ///< failed
};
BOOST_DESCRIBE_ENUM(EventKind, health, order, rotation, flows, service, interface, configuration, daemon, discovery,
                    group, track, suspicion, repair)

struct EventView {
  std::uint64_t number = 0;  ///< from 1, each one more than the last; goes on over restarts of the daemon
  std::string time;          ///< "2026-01-31T12:00:00.123456Z"
  EventKind kind = EventKind::daemon;
  std::string service;    ///< empty: it concerns none
  std::string backend;    ///< likewise
  std::string interface;  ///< likewise
  std::string group;      ///< likewise
  std::string track;      ///< likewise
  std::string before;     ///< empty: not known, or there was nothing
  std::string after;
  std::string reason;  ///< a sentence without its full stop; empty: none is known
};
BOOST_DESCRIBE_STRUCT(EventView, (),
                      (number, time, kind, service, backend, interface, group, track, before, after, reason))

struct EventsView {
  std::vector<EventView> events;  ///< the oldest first
};
BOOST_DESCRIBE_STRUCT(EventsView, (), (events))

/// Why a backend's use by a service is as it is, and how it came to that.
struct BackendHistory {
  std::string service;
  std::string backend;
  bool configured = false;  ///< else it was removed, and only its history is left
  bool in_rotation = false;
  std::string reason;             ///< why in rotation, or why not, as a sentence without its full stop
  std::vector<EventView> events;  ///< the last ones of its own, the oldest first
};
BOOST_DESCRIBE_STRUCT(BackendHistory, (), (service, backend, configured, in_rotation, reason, events))

struct WhyView {
  std::vector<BackendHistory> backends;
};
BOOST_DESCRIBE_STRUCT(WhyView, (), (backends))

/// Which events; what is not set matches all.
struct EventFilter {
  std::optional<std::string> service;
  std::optional<std::string> backend;
};

/// Events as they happen, for one who follows them. All on the daemon's loop.
class EventFollower {
 public:
  virtual ~EventFollower() = default;
  /// What has come since the last call, the oldest first, a limited number at a time; call until it is empty.
  [[nodiscard]] virtual std::vector<EventView> take() = 0;
  /// `ready` is called when something comes while there is nothing to take, and when it falls behind.
  virtual void on_ready(std::function<void()> ready) = 0;
  /// Events are gone that this follower has not taken: it hears of nothing more.
  [[nodiscard]] virtual bool fell_behind() const = 0;
  /// Events that were wanted, and were gone before it began to follow.
  [[nodiscard]] virtual std::uint64_t missing() const = 0;
  /// Whoever reads it does not take what it is sent: counted as one that fell behind.
  virtual void give_up() = 0;
};

/// How the events are kept and followed.
struct EventLogView {
  std::uint64_t number = 0;     ///< of the last event
  std::uint64_t followers = 0;  ///< now
  std::uint64_t slow = 0;       ///< followers that were dropped since they fell behind, since the daemon started
  std::uint64_t unkept = 0;     ///< events that are not in the file, likewise
  std::string failure;          ///< why the file can not be written now; empty: it can
};
BOOST_DESCRIBE_STRUCT(EventLogView, (), (number, followers, slow, unkept, failure))

}  // namespace astil::api
