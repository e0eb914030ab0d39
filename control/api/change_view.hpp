// What a configuration changes, and which ones ran. Included by control/api/view.hpp, whose conventions hold here too.
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace astil::api {

using TimePoint = std::chrono::system_clock::time_point;

/// What becomes of one service's ring. `moved` counts slots whose backend changes, `least` how many have to. `later`
/// counts those that move after that, once the backends that are not known to be well are.
struct RingChange {
  std::string service;
  std::uint32_t slots = 0;
  std::uint32_t moved = 0;
  std::uint32_t least = 0;
  std::uint32_t later = 0;
};
BOOST_DESCRIBE_STRUCT(RingChange, (), (service, slots, moved, least, later))

enum class PartChange { changed, added, removed };
BOOST_DESCRIBE_ENUM(PartChange, changed, added, removed)

struct BackendChange {
  std::string backend;
  std::vector<std::string> changes;  ///< "weight 2 to 0"
  std::uint64_t flows = 0;           ///< that it has now; they stay, unless the service's `flows_end`
};
BOOST_DESCRIBE_STRUCT(BackendChange, (), (backend, changes, flows))

struct ServiceChange {
  std::string service;
  PartChange change = PartChange::changed;
  std::vector<std::string> changes;  ///< of the service itself
  std::vector<BackendChange> backends;
  std::uint64_t flows = 0;      ///< that the change concerns
  std::uint64_t flows_end = 0;  ///< of these, those that nobody serves any more
};
BOOST_DESCRIBE_STRUCT(ServiceChange, (), (service, change, changes, backends, flows, flows_end))

/// What a configuration changes: asked for by a plan, done by an apply. Flows are counted by the last census.
struct ApplyView {
  std::vector<std::string> changes;  ///< one line each: "service web: backend b3 added"; empty: nothing to do
  std::vector<RingChange> rings;
  std::vector<std::string> warnings;    ///< what is not there yet although the configuration is in force; tried again
  std::vector<std::string> overall;     ///< of `changes`, those that concern no service in particular
  std::vector<ServiceChange> services;  ///< the others, by service
  std::uint64_t flows_carried = 0;      ///< to tables of other sizes
  std::uint64_t number = 0;             ///< in the history; 0: of a plan, or nothing has changed
  std::optional<std::uint64_t> confirm_within;  ///< seconds; else what was before comes back
};
BOOST_DESCRIBE_STRUCT(ApplyView, (),
                      (changes, rings, warnings, overall, services, flows_carried, number, confirm_within))

enum class ChangedBy {
  start,     ///< of the daemon, with its file
  apply,     ///< astil apply
  reload,    ///< SIGHUP
  rollback,  ///< astil rollback
  deadline,  ///< a change that nobody confirmed
};
BOOST_DESCRIBE_ENUM(ChangedBy, start, apply, reload, rollback, deadline)

enum class ChangeResult {
  applied,   ///< for good
  awaiting,  ///< its confirmation
  confirmed,
  taken_back,  ///< since it was not confirmed
};
BOOST_DESCRIBE_ENUM(ChangeResult, applied, awaiting, confirmed, taken_back)

/// A configuration that ran.
struct HistoryEntry {
  std::uint64_t number = 0;
  TimePoint time;
  ChangedBy by = ChangedBy::apply;
  std::optional<std::uint32_t> uid;  ///< of who asked for it over the socket
  std::string file;
  ChangeResult result = ChangeResult::applied;
  std::string digest;        ///< SHA-256 of its text, hexadecimal
  std::uint64_t bytes = 0;   ///< of its text
  std::uint64_t before = 0;  ///< the number of what ran before it; 0: nothing did
  std::string token;         ///< the name of that of who asked for it over the network
};
BOOST_DESCRIBE_STRUCT(HistoryEntry, (), (number, time, by, uid, file, result, digest, bytes, before, token))

struct HistoryView {
  std::vector<HistoryEntry> entries;  ///< the oldest first; the last one runs
};
BOOST_DESCRIBE_STRUCT(HistoryView, (), (entries))

}  // namespace astil::api
