#include "control/app/offline.hpp"

#include <boost/asio/io_context.hpp>
#include <set>

#include "control/app/engines.hpp"
#include "control/app/inputs.hpp"
#include "control/app/instance_lock.hpp"
#include "control/app/pair.hpp"
#include "control/app/service_addresses.hpp"
#include "dataplane/publisher.hpp"
#include "dataplane/xdp/probe_programs.hpp"

namespace astil::app {

Result<void> detach_offline(const std::string& instance) {
  if (const auto socket = socket_of_daemon(instance)) {
    return Error{"instance " + instance + " has a daemon, which answers at " + *socket,
                 "detach with --socket " + *socket + ", or end that daemon first"};
  }
  const auto lock = InstanceLock::take(instance, "");
  if (lock.has_error()) return lock.error();
  {
    // Of a pair's node: the addresses that astil-vrrp has, while packets are still forwarded.
    boost::asio::io_context loop;
    Pair pair(loop, instance, [] {});
    if (auto left = pair.follow({}, {}); left.has_error()) return left.error();
  }
  const auto served = served_addresses(instance);
  if (!served.empty()) {
    boost::asio::io_context loop;
    auto network = net::Network::open(loop, {});
    if (network.has_error()) return network.error();
    std::set<config::address> hosts;
    for (const core::Address& address : served) hosts.insert(from_core(address));
    ServiceAddresses addresses(**network);
    if (auto known = addresses.inherit(hosts); known.has_error()) return known.error();
    if (auto gone = addresses.remove_all(); gone.has_error()) return gone.error();
  }
  xdp::remove_probe_filters(instance);
  auto removed = remove_instance(instance);
  if (removed.has_error()) return removed.error();
  return {};
}

std::optional<std::string> socket_of_daemon(const std::string& instance) {
  auto holder = holder_of(instance);
  return holder && !holder->empty() ? holder : std::nullopt;
}

}  // namespace astil::app
