// A pair as one of its nodes shows it: the groups, who has their addresses, and the paths to the other node.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/describe/class.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace astil::api {

/// Adverts that were dropped for a reason; all reasons are listed.
struct AdvertDropView {
  std::string reason;
  std::uint64_t count = 0;
  bool recent = false;  ///< some in the last 15 s
};
BOOST_DESCRIBE_STRUCT(AdvertDropView, (), (reason, count, recent))

/// Something that takes from a group's priority while it is not well.
struct TrackView {
  std::string name;
  std::string type;   ///< "interface", "file", "gateway", "exec"
  std::string what;   ///< is looked at: an interface, a path, an address, a command
  std::string state;  ///< "well", "failing", "unknown": not looked at yet
  std::string error;  ///< of the last look that failed, in words; empty: there is none, or it is well again
  std::uint32_t subtract = 0;
  bool subtracts = false;      ///< from the priority, now
  std::uint64_t passed = 0;    ///< probes, of a gateway or a command
  std::uint64_t failed = 0;    ///< likewise
  std::uint64_t not_made = 0;  ///< for want of something on this host: says nothing
  std::uint64_t changes = 0;   ///< of its state, since the daemon started
};
BOOST_DESCRIBE_STRUCT(TrackView, (),
                      (name, type, what, state, error, subtract, subtracts, passed, failed, not_made, changes))

struct GroupView {
  std::string name;
  std::string interface;
  std::uint32_t virtual_router_id = 0;
  std::vector<boost::asio::ip::address> addresses;
  std::string state;  ///< "stopped", "fault", "backup", "active"
  std::string cause;  ///< of the last change of state, one word
  std::chrono::system_clock::time_point since;
  std::uint32_t priority = 0;             ///< in force
  std::uint32_t configured_priority = 0;  ///< before what is tracked takes from it
  std::string peer;                       ///< sender of the last advert; empty: none was heard
  std::uint32_t peer_priority = 0;
  /// Of the group on the other node, by its heartbeats: as `state`, or "none": it has no such group; empty: not known.
  std::string peer_state;
  bool hears_active = false;     ///< backup, and adverts of an active node have come since
  bool held_back = false;        ///< would take over, but another group of its sync group hears who is active
  bool send_fails = false;       ///< adverts, or what the neighbours are told, could not be sent in the last 15 s
  bool waits_for_flows = false;  ///< would take over, and waits for the other node's flows
  bool two_active = false;       ///< another node is active too
  std::uint64_t transitions = 0;
  std::uint64_t takeovers = 0;
  std::optional<double> last_takeover_seconds;  ///< from the last sign of the active node to the addresses being here
  std::uint64_t adverts_sent = 0;
  std::uint64_t adverts_received = 0;
  std::uint64_t send_errors = 0;
  std::uint64_t announcements = 0;  ///< gratuitous ARP, neighbour advertisements
  std::uint64_t takeovers_without_flows = 0;
  std::uint64_t conflicts = 0;  ///< times that another node was active too
  std::uint64_t address_errors = 0;
  std::vector<AdvertDropView> drops;
  std::vector<TrackView> tracks;
};
BOOST_DESCRIBE_STRUCT(GroupView, (),
                      (name, interface, virtual_router_id, addresses, state, cause, since, priority,
                       configured_priority, peer, peer_priority, peer_state, hears_active, held_back, send_fails,
                       waits_for_flows, two_active, transitions, takeovers, last_takeover_seconds, adverts_sent,
                       adverts_received, send_errors, announcements, takeovers_without_flows, conflicts, address_errors,
                       drops, tracks))

struct PathView {
  std::string name;
  boost::asio::ip::address local;
  boost::asio::ip::address peer;
  bool alive = false;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t dropped = 0;  ///< the sum of `drops`
  std::uint64_t losses = 0;   ///< times that it was alive and is not
  std::vector<AdvertDropView> drops;
};
BOOST_DESCRIBE_STRUCT(PathView, (), (name, local, peer, alive, sent, received, dropped, losses, drops))

/// Records of the other node's, or datagrams dropped, by what became of them; all are listed.
struct SyncCountView {
  std::string what;
  std::uint64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(SyncCountView, (), (what, count))

/// Flow sync with the other node.
struct SyncView {
  bool up = false;              ///< there is a session
  bool has_peer_table = false;  ///< all that the other node had when the session began is here
  bool peer_has_table = false;  ///< and the other way round
  std::uint64_t pending = 0;    ///< entries that are to be sent yet
  double lag_seconds = 0;       ///< the other node has what was here so long ago
  std::uint64_t peer_pending = 0;
  double peer_lag_seconds = 0;
  std::optional<double> full_seconds;  ///< how long the last transfer of the whole table to here took
  std::optional<bool> same_rings;      ///< absent: not known
  std::uint64_t sessions = 0;
  std::uint64_t sent_datagrams = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t send_errors = 0;
  std::uint64_t received_datagrams = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t lost_datagrams = 0;     ///< own ones, told anew
  std::uint64_t bandwidth_limited = 0;  ///< times that the bandwidth was used up
  std::uint64_t sent_flows = 0;
  std::uint64_t sent_ports = 0;  ///< of full NAT
  std::uint64_t rekeyed = 0;     ///< times that this node took the other's hash key
  std::uint64_t rekey_lost = 0;  ///< connections that had no place then
  double walk_seconds = 0;       ///< of the last walk over the tables
  std::vector<SyncCountView> records;
  std::vector<SyncCountView> dropped;
};
BOOST_DESCRIBE_STRUCT(SyncView, (),
                      (up, has_peer_table, peer_has_table, pending, lag_seconds, peer_pending, peer_lag_seconds,
                       full_seconds, same_rings, sessions, sent_datagrams, sent_bytes, send_errors, received_datagrams,
                       received_bytes, lost_datagrams, bandwidth_limited, sent_flows, sent_ports, rekeyed, rekey_lost,
                       walk_seconds, records, dropped))

/// What is to be left to the other node.
struct HandoverOrder {
  std::optional<boost::asio::ip::address> address;  ///< with its group; none: all that this node has
  std::string to;                                   ///< the node that is to have it; empty: the other one
  bool with_group = false;                          ///< also where other addresses go along
  std::optional<std::chrono::seconds> for_so_long;  ///< this node does not ask for it; none: until nobody has it
};

struct HandoverView {
  std::string node;                                 ///< that has the addresses now; empty: the other one has no name
  std::vector<std::string> groups;                  ///< that were left to it
  std::vector<boost::asio::ip::address> addresses;  ///< theirs
  bool was_there = false;                           ///< nothing was to be done
  double seconds = 0;                               ///< from the order until the other node had them
};
BOOST_DESCRIBE_STRUCT(HandoverView, (), (node, groups, addresses, was_there, seconds))
inline constexpr std::chrono::hours kLongestHandover{24};

struct PairView {
  std::string node;
  std::string peer_node;               ///< as its heartbeats say; empty: not known
  bool runs = false;                   ///< astil-vrrp is there; without it nothing below is known
  bool real_time = false;              ///< it is scheduled and its memory is locked as it should be
  double late_seconds = 0;             ///< the most that one of its timers was late
  std::uint64_t starts = 0;            ///< times that the daemon started it
  std::uint64_t hooks = 0;             ///< times that ha.notify was run
  std::uint64_t handovers = 0;         ///< by order of an operator's, since the daemon started
  std::uint64_t handovers_failed = 0;  ///< that were begun, and did not end with the other node having the addresses
  bool has_heartbeats = false;         ///< they are configured
  bool heartbeats_alive = false;
  /// Services, names, timeouts and groups are configured as on the other node; absent: its heartbeats have not said.
  std::optional<bool> same_configuration;
  bool flows_complete = true;    ///< the other node's flows are here, or nobody brings them
  std::optional<SyncView> sync;  ///< absent: ha.sync is not configured
  std::vector<GroupView> groups;
  std::vector<PathView> paths;
  std::vector<AdvertDropView> drops;  ///< of packets that are no group's
};
BOOST_DESCRIBE_STRUCT(PairView, (),
                      (node, peer_node, runs, real_time, late_seconds, starts, hooks, handovers, handovers_failed,
                       has_heartbeats, heartbeats_alive, same_configuration, flows_complete, sync, groups, paths,
                       drops))

}  // namespace astil::api
