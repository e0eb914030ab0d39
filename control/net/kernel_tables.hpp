// The kernel's route and neighbour tables behind the interface that the next hops ask by.
#pragma once

#include <chrono>
#include <set>

#include "control/net/netlink_socket.hpp"
#include "control/net/next_hops.hpp"

namespace astil::net {

class KernelTables final : public Kernel {
 public:
  /// Must outlive this.
  explicit KernelTables(NetlinkSocket& socket) : socket_(socket) {}

  [[nodiscard]] Result<Route> route(const address& destination) override;
  [[nodiscard]] std::optional<Neighbour> neighbour(const NeighbourKey& key) override;
  void keep(const NeighbourKey& key) override;
  void release(const NeighbourKey& key) override;

  /// Asks for a neighbour once, unless somebody sees to it.
  void use(const NeighbourKey& key);

  /// The gateways of all routes, so many at most.
  [[nodiscard]] std::set<NeighbourKey> list_gateways(std::size_t most);

  /// The neighbours that an earlier run of ours had kept.
  [[nodiscard]] std::vector<NeighbourMessage> list_kept();

 private:
  void warn(const NeighbourKey& key, const Acknowledgement& verdict);

  NetlinkSocket& socket_;
  std::chrono::steady_clock::time_point quiet_until_{};  // a full neighbour table would warn once a backend
};

}  // namespace astil::net
