// All virtual routers of this node together: what keeps each from running (the engine, its interface), groups that
// change their state together (sync groups), and what concerns all of them. Pure, as VirtualRouter is.
#pragma once

#include <compare>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/ha/vrrp/virtual_router.hpp"

namespace astil::ha {

/// What makes a group the same one over changes of the configuration.
struct GroupKey {
  std::string interface;
  std::uint8_t version = 4;  ///< of IP
  std::uint8_t virtual_router_id = 0;
  bool virtual_mac = false;  ///< with the other MAC address it is another one: its addresses are elsewhere
  auto operator<=>(const GroupKey&) const = default;
};

struct GroupSetup {
  GroupKey key;
  RouterSettings router;
  std::string sync_group;  ///< empty: none
};

class Election {
 public:
  /// Groups that are there already go on, those that are not any more shut down. `output_of` gives the output of each
  /// group that is new; all outputs must outlive their group.
  void configure(Time now, const std::vector<GroupSetup>& setups,
                 const std::function<Output&(const GroupKey& key)>& output_of);

  [[nodiscard]] std::size_t size() const { return groups_.size(); }
  [[nodiscard]] const VirtualRouter& router(std::size_t group) const { return *groups_[group].router; }
  [[nodiscard]] const GroupKey& key(std::size_t group) const { return groups_[group].setup.key; }
  [[nodiscard]] GroupState state(std::size_t group) const;
  /// Would take over, and waits, since another of its sync group hears who is active.
  [[nodiscard]] bool is_held_back(std::size_t group, Time now) const;
  [[nodiscard]] std::optional<std::size_t> find(const GroupKey& key) const;

  /// Whether packets are forwarded. `cause` is why not.
  void set_engine(Time now, bool healthy, Cause cause);
  /// The primary address that adverts leave from; none: the interface is down, or has none.
  void set_link(Time now, std::size_t group, std::optional<address> local);
  /// What is taken from the group's priority, and with it from all of its sync group.
  void set_penalty(Time now, std::size_t group, unsigned subtract);
  void set_gate(bool open);

  void on_advert(Time now, std::size_t group, const Advert& advert, const address& sender);
  void on_foreign_announcement(Time now, std::size_t group);
  void on_peer_state(Time now, std::size_t group, VirtualRouter::PeerState state);
  /// These groups were active on the other node until then, and are not any more as far as heartbeats tell.
  void on_peer_gone(Time now, Time silent_since, Cause cause, const std::vector<std::size_t>& active_there);
  /// With a sync group only whole. Without a time nobody is preempted before the group was active again.
  void step_down(Time now, const std::vector<std::size_t>& groups, std::optional<milliseconds> for_so_long);
  void on_time(Time now);
  /// Before `on_time`, where that comes late by so much.
  void forgive(Time now, Time late);
  [[nodiscard]] std::optional<Time> deadline() const;

 private:
  struct Group {
    GroupSetup setup;
    std::unique_ptr<VirtualRouter> router;
    std::optional<address> local;
    unsigned penalty = 0;
    bool was_active = false;  ///< when all had followed last
    Time held_until{0};
  };

  [[nodiscard]] bool together(const Group& one, const Group& other) const;
  [[nodiscard]] bool can_run(const Group& group) const;
  [[nodiscard]] Cause why_not(const Group& group) const;
  void follow(Time now);
  void follow_conditions(Time now);
  void follow_sync_groups(Time now);
  void hold_back(Time now, Group& group);
  void follow_penalties(Time now);

  std::vector<Group> groups_;
  bool engine_ = false;
  Cause engine_cause_ = Cause::engine_down;
  bool gate_open_ = true;
};

}  // namespace astil::ha
