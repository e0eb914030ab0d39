// Heartbeats: what the two nodes tell each other over each path, sealed (authentication.hpp), and whether the other one
// is alive. Pure. On the wire, numbers in network byte order:
//
//   "ASHB" | version, 1 byte | groups, 1 | length of the node's name, 1 | 0 | digest, 8 | name | groups of:
//   VRID | IP version | GroupState | priority | mark, 4
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/ha/channel.hpp"
#include "control/ha/vrrp/virtual_router.hpp"

namespace astil::ha {

struct HeartbeatGroup {
  std::uint8_t virtual_router_id = 0;
  std::uint8_t version = 4;  ///< of IP
  GroupState state = GroupState::stopped;
  std::uint8_t priority = 0;
  std::uint32_t mark = 0;  ///< of its addresses, by which groups with one number are told apart
  bool operator==(const HeartbeatGroup&) const = default;
};

struct HeartbeatMessage {
  std::string node;                    ///< 1 to 63 bytes
  std::uint64_t digest = 0;            ///< of the configuration; 0: not known
  std::vector<HeartbeatGroup> groups;  ///< at most kMostChannelGroups
  bool operator==(const HeartbeatMessage&) const = default;
};

/// Of a group's addresses, in whichever order.
[[nodiscard]] std::uint32_t mark_of(std::span<const AddressRecord> addresses);

/// For each group here, the place of the other node's group among those of its heartbeat: that with the same number and
/// addresses, or else the next with the same number. None: it has no such group.
[[nodiscard]] std::vector<std::optional<std::size_t>> match_groups(std::span<const HeartbeatGroup> here,
                                                                   std::span<const HeartbeatGroup> there);

[[nodiscard]] std::vector<std::byte> build_heartbeat(const HeartbeatMessage& message);
/// None: it is cut short, has bytes too many, or is another version's.
[[nodiscard]] std::optional<HeartbeatMessage> parse_heartbeat(Bytes bytes);

/// When the other node was heard on each path, and whether it is dead: silent on all of them for `lost_after`
/// intervals, after it was alive.
class HeartbeatWatch {
 public:
  HeartbeatWatch() = default;
  HeartbeatWatch(std::size_t paths, milliseconds interval, unsigned lost_after);

  /// A heartbeat that is authentic and new.
  void heard(Time now, std::size_t path);
  /// The caller was late by so much, as the other node may have been: where it would be dead now, it has an interval
  /// more, once in a silence.
  void forgive(Time now, Time late);
  /// To be called at `deadline` or later. True once for each death.
  [[nodiscard]] bool died(Time now);
  /// When the next path, or the node, counts as lost.
  [[nodiscard]] std::optional<Time> deadline() const;
  [[nodiscard]] bool is_alive() const { return alive_; }
  [[nodiscard]] bool is_alive(std::size_t path) const { return paths_[path].alive; }
  [[nodiscard]] Time last_heard(std::size_t path) const { return paths_[path].last.value_or(Time{0}); }
  [[nodiscard]] std::uint64_t losses(std::size_t path) const { return paths_[path].losses; }

 private:
  struct Path {
    std::optional<Time> last;
    bool alive = false;
    std::uint64_t losses = 0;
  };
  std::vector<Path> paths_;
  Time interval_{0};
  Time silence_{0};
  bool alive_ = false;
  bool forgiven_ = false;  ///< since the other node was heard
};

}  // namespace astil::ha
