#include "control/app/offline.hpp"

#include <boost/asio/io_context.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "control/app/inputs.hpp"
#include "control/app/service_addresses.hpp"
#include "dataplane/publisher.hpp"
#include "dataplane/xdp/pins.hpp"
#include "dataplane/xdp/xdp_dataplane.hpp"

namespace astil::app {

Result<void> detach_offline(const std::string& instance) {
  const auto served = xdp::pinned_services(instance);
  if (!served.empty()) {
    boost::asio::io_context loop;
    auto network = net::Network::open(loop, {});
    if (network.has_error()) return network.error();
    std::set<config::address> hosts;
    for (const core::Address& address : served) hosts.insert(from_core(address));
    ServiceAddresses addresses(**network);
    addresses.inherit(hosts);
    addresses.remove_unwanted({});
  }
  auto removed = xdp::remove_instance(instance);
  if (removed.has_error()) return removed.error();
  return {};
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return system_error("read " + path, errno);
  std::ostringstream text;
  text << file.rdbuf();
  return Result<std::string>(boost::system::in_place_value, text.str());
}

}  // namespace astil::app
