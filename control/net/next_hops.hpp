// The next hops of the addresses that are tracked: which route each takes, which neighbour that leads to, and that
// neighbour's MAC. Pure state: it is told what changed, asks the kernel by an interface again about just that, and says
// whose next hop is other than before.
//
// A MAC once learnt stays until another is learnt or the route leads elsewhere. A silent neighbour or a flushed table
// is no reason to drop the packets of live connections: whether the backend is well is the health checks' to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "control/base/result.hpp"
#include "control/net/links.hpp"
#include "control/net/message.hpp"
#include "control/net/types.hpp"

namespace astil::net {

/// What a route lookup gives.
struct Route {
  std::uint32_t ifindex = 0;
  std::optional<address> gateway;  ///< none: on the link
  std::optional<address> source;   ///< none: no address of this machine gets there
  std::uint32_t mtu = 0;           ///< 0: the interface's
  bool operator==(const Route&) const = default;
};

/// What the next hops ask of the kernel. Answers are the present state; what comes later comes as an event.
class Kernel {
 public:
  virtual ~Kernel() = default;
  [[nodiscard]] virtual Result<Route> route(const address& destination) = 0;
  /// None: the kernel's table has no such entry.
  [[nodiscard]] virtual std::optional<Neighbour> neighbour(const NeighbourKey& key) = 0;
  /// Resolve it now, and keep it fresh until it is released.
  virtual void keep(const NeighbourKey& key) = 0;
  virtual void release(const NeighbourKey& key) = 0;
};

class NextHops {
 public:
  /// Both must outlive this.
  NextHops(Kernel& kernel, const Links& links) : kernel_(kernel), links_(links) {}

  /// A neighbour that an earlier run of the daemon has kept. Released by the next `track` if nothing needs it.
  void adopt(const NeighbourKey& key, const Neighbour& neighbour);

  /// The addresses to follow, instead of those before. Asks at once; neighbours not yet known are told of by later
  /// changes.
  void track(const std::set<address>& addresses);

  /// The error says what is missing.
  [[nodiscard]] Result<NextHop> next_hop(const address& target) const;

  /// What `next_hop` would say right after a `track` with this address, which is not followed for that.
  [[nodiscard]] Result<NextHop> look_up(const address& destination) const;

  /// Events. Each marks what it may concern; `refresh` then asks.
  void on_link();
  void on_route(const address& network, unsigned prefix_length);
  void on_address(std::uint32_t ifindex);
  void on_neighbour(const NeighbourMessage& message);
  void on_rules();  ///< rules or next hop objects: any route may be other
  void on_lost_messages();

  /// Asks what must be asked and gives the addresses whose next hop came, went or changed.
  [[nodiscard]] std::set<address> refresh();

  /// To be called every few seconds, with `refresh` after it. Neighbours that the kernel does not keep fresh (too old,
  /// or another program took the mark away) are asked for again, which costs nothing while the kernel does it. And
  /// routes, kRoutesInTurn each time: the kernel tells nobody when it learns the MTU of a path or forgets it.
  void keep_up();
  static constexpr std::size_t kRoutesInTurn = 256;

  /// Gives back every neighbour that is kept.
  void release_all();

  /// This neighbour is in use, and seen to.
  [[nodiscard]] bool follows(const NeighbourKey& key) const { return entries_.contains(key); }

 private:
  struct Target {
    Result<Route> route = Error{"its route was not asked for yet", {}};
    Result<NextHop> hop = Error{"its route was not asked for yet", {}};
  };
  struct Entry {
    Neighbour now;
    std::optional<MacAddress> last_mac;
    bool kept = false;  // by us, or by an earlier run of us
    std::set<address> users;
  };

  void set_route(const address& destination, Target& target, Result<Route> route);
  void leave(const address& user, const NeighbourKey& key);
  void join(const address& user, const NeighbourKey& key);
  void update(Entry& entry, const Neighbour& now);
  void keep(const NeighbourKey& key, Entry& entry);
  void release_unused();
  [[nodiscard]] const Entry* entry_of(const Result<Route>& way, const address& destination) const;
  [[nodiscard]] Result<NextHop> work_out(const Result<Route>& way, const Entry* entry,
                                         const address& destination) const;

  Kernel& kernel_;
  const Links& links_;
  std::map<address, Target> targets_;
  std::map<NeighbourKey, Entry> entries_;
  address last_in_turn_;            // whose route was asked for last, of those in turn
  std::set<address> to_route_;      // their routes are to be asked for again
  std::set<NeighbourKey> to_keep_;  // vanished from the kernel's table while in use
  std::set<address> to_compare_;    // their next hops may be other
};

}  // namespace astil::net
