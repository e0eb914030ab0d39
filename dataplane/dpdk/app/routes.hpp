// Where replies under nat leave, as the kernel's routing table has it: asked by netlink. Of one worker.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/core/engine.hpp"

struct nlmsghdr;

namespace astil::dpdk {

class Routes {
 public:
  static Result<Routes> open();

  /// For a datagram of `length` bytes. `settings` has the interfaces' MAC addresses; `unit`: of the fine clock.
  core::NextHop find(const core::Address& to, const core::Address& from, std::uint32_t length,
                     const core::Settings& settings, std::uint32_t unit);

 private:
  explicit Routes(base::Descriptor socket);
  struct Route;

  [[nodiscard]] bool ask_route(const core::Address& to, const core::Address& from, Route& route);
  [[nodiscard]] bool ask_neighbour(const core::Address& address, std::uint32_t ifindex, std::uint64_t& mac);
  /// The MAC address of a neighbour, asked for once in a while: clients have their gateway in common. 0: not known.
  std::uint64_t mac_of(const core::Address& neighbour, std::uint32_t ifindex, std::uint32_t unit);
  std::uint32_t mtu_of(std::uint32_t ifindex, std::uint32_t unit);
  /// The answer to a request; nullptr: an error, or none.
  const nlmsghdr* exchange(nlmsghdr& request);

  base::Descriptor socket_;
  std::uint32_t sequence_ = 0;
  std::vector<std::byte> answer_;
  struct KnownMtu {
    std::uint32_t ifindex = 0;
    std::uint32_t unit = 0;
    std::uint32_t mtu = 0;
  };
  std::array<KnownMtu, 16> mtus_{};
  struct KnownNeighbour {
    core::Address address{};
    std::uint32_t ifindex = 0;
    std::uint32_t unit = 0;
    std::uint64_t mac = 0;  ///< 0: none here
  };
  std::array<KnownNeighbour, 64> neighbours_{};
};

}  // namespace astil::dpdk
