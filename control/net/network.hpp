// The network as the control plane knows and uses it: interfaces, next hops, service addresses. It follows the kernel
// by rtnetlink on the daemon's loop, in one thread: every call and every callback is on that loop's thread, and in the
// network namespace that thread was in at `open`.
//
// State is never taken for granted: when messages were lost (ENOBUFS), everything is asked for anew.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/base/result.hpp"
#include "control/net/addresses.hpp"
#include "control/net/types.hpp"

namespace astil::net {

/// What is told, each on the loop, each may be empty. A callback may call the network; it must not destroy it.
struct Events {
  /// A link of this name came, went, was renamed from or to it, or changed its index, MAC, MTU or state.
  std::function<void(const std::string& interface)> on_link_change;
  /// A tracked address' next hop came, went or changed.
  std::function<void(const address& host)> on_next_hop_change;
  /// An address that we put on an interface, or adopted, is gone, and not by us. `interface` is empty where that is
  /// gone too.
  std::function<void(const std::string& interface, const InterfaceAddress& lost)> on_address_lost;
};

class Network {
 public:
  using Interval = std::chrono::steady_clock::duration;
  /// As often as the kernel looks at the neighbours that it keeps fresh, by default (interval_probe_time_ms).
  static constexpr std::chrono::seconds kKeepUpInterval{5};

  /// Reads the interfaces before it returns. What the kernel does not tell of by itself (the MTU of a path) is asked
  /// for again at each interval, 256 addresses at a time.
  [[nodiscard]] static Result<std::unique_ptr<Network>> open(boost::asio::io_context& loop, Events events,
                                                             Interval keep_up_interval = kKeepUpInterval);
  /// Gives back the neighbours it had the kernel keep fresh. Addresses stay.
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] std::optional<Link> link(const std::string& name) const;
  [[nodiscard]] std::optional<Link> link(std::uint32_t ifindex) const;
  [[nodiscard]] std::vector<Link> links() const;

  /// The addresses whose next hops are followed from now on, instead of those before. Read them by `next_hop`
  /// afterwards; a neighbour the kernel does not know yet is asked for, and its answer comes as an event.
  void track(const std::set<address>& hosts);

  /// Of a tracked address. The error says what is missing: a route, a carrier, a neighbour's answer.
  [[nodiscard]] Result<NextHop> next_hop(const address& host) const;

  /// What `next_hop` would say of it right after a `track`, without following it.
  [[nodiscard]] Result<NextHop> look_up(const address& host) const;

  /// Has the kernel ask for a neighbour that the packet path wants to send to. Once a call: the caller limits the rate.
  void resolve(const address& host, std::uint32_t ifindex);

  /// Whether the gateways of this machine's routes are kept known, for replies that the packet path sends by them.
  void keep_gateways(bool wanted);

  /// Idempotent. The outcome says who put the address there.
  [[nodiscard]] Result<AddressOutcome> add_address(const std::string& interface, const address& host,
                                                   unsigned prefix_length);
  [[nodiscard]] Result<> remove_address(const std::string& interface, const address& host, unsigned prefix_length);
  /// Takes over one of `list_own_addresses`: its loss is told of, as that of one which this run has added.
  void adopt_address(const InterfaceAddress& own);
  /// Addresses with our mark, from this run or an earlier one.
  [[nodiscard]] Result<std::vector<InterfaceAddress>> list_own_addresses();

 private:
  class Core;
  explicit Network(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  std::shared_ptr<Core> core_;
};

}  // namespace astil::net
