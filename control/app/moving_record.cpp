#include "control/app/moving_record.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "control/app/inputs.hpp"
#include "control/app/pair_plan.hpp"
#include "control/base/atomic_file.hpp"
#include "control/base/log.hpp"
#include "control/ha/router_device.hpp"
#include "control/net/links.hpp"
#include "control/net/netlink_socket.hpp"

namespace astil::app {
namespace {

/// A line of the file: "eth0 51 0 192.0.2.10 192.0.2.11"; the interface, the VRID, whether it has a MAC address of its
/// own, the addresses.
struct Held {
  std::string interface;
  unsigned virtual_router_id = 0;
  bool virtual_mac = false;
  std::vector<config::address> hosts;
};

std::string line_of(const ha::GroupRecord& group) {
  std::string line(group.interface.view());
  line += " " + std::to_string(group.virtual_router_id) + " " + std::to_string(group.virtual_mac);
  for (const ha::AddressRecord& host : std::span(group.addresses).first(group.address_count))
    line += " " + from_record(host).to_string();
  return line + "\n";
}

/// What can not be read is of no use.
std::vector<Held> read(const std::string& path) {
  std::vector<Held> all;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Held held;
    words >> held.interface >> held.virtual_router_id >> held.virtual_mac;
    for (std::string word; words >> word;) {
      boost::system::error_code wrong;
      const config::address host = boost::asio::ip::make_address(word, wrong);
      if (!wrong) held.hosts.push_back(host);
    }
    const bool is_right = !held.hosts.empty() && held.virtual_router_id <= 255;
    if (is_right) all.push_back(std::move(held));
    if (!is_right) log::warning("line of no group", {{"file", path}, {"look_at", "ip address show proto 86"}});
  }
  return all;
}

net::Links links_of(net::NetlinkSocket& socket) {
  std::vector<net::Link> list;
  (void)socket.ask(net::list_links(), [&](const net::RawMessage& message) {
    if (const auto listed = net::parse_link(message)) list.push_back(listed->link);
  });
  net::Links links;
  (void)links.replace(list);
  return links;
}

std::set<net::InterfaceAddress> marked_addresses(net::NetlinkSocket& socket) {
  std::set<net::InterfaceAddress> marked;
  (void)socket.ask(net::list_addresses(), [&](const net::RawMessage& message) {
    const auto listed = net::parse_address(message);
    if (listed && listed->originator == net::kVrrpOriginator) marked.insert(listed->address);
  });
  return marked;
}

/// With its addresses.
Result<void> remove_device(net::NetlinkSocket& socket, const net::Links& links, const net::Link& over,
                           const Held& held) {
  const auto id = static_cast<std::uint8_t>(held.virtual_router_id);
  const std::uint8_t version = held.hosts.front().is_v4() ? 4 : 6;
  const net::Link* device = links.by_name(ha::router_device_name(version, id, over.ifindex));
  if (device == nullptr || device->mac != mac_of(core::virtual_router_mac(version, id))) return {};
  const auto verdict = socket.ask(net::remove_link(device->ifindex));
  if (verdict.error != 0 && verdict.error != ENODEV) return net::kernel_error("remove " + device->name, verdict);
  log::info("virtual router's device removed", {{"device", device->name}, {"why", "its processes are gone"}});
  return {};
}

Result<void> remove_addresses(net::NetlinkSocket& socket, const net::Link& link, const Held& held) {
  for (const net::InterfaceAddress& address : marked_addresses(socket)) {
    if (address.ifindex != link.ifindex || std::ranges::find(held.hosts, address.host) == held.hosts.end()) continue;
    const auto verdict = socket.ask(net::remove_address(address));
    if (verdict.error != 0 && verdict.error != EADDRNOTAVAIL && verdict.error != ENODEV)
      return net::kernel_error("remove " + address.host.to_string() + " from " + link.name, verdict);
    log::info("address of a group removed",
              {{"address", address.host.to_string()}, {"interface", link.name}, {"why", "its processes are gone"}});
  }
  return {};
}

}  // namespace

MovingRecord::MovingRecord(const std::string& instance)
    : MovingRecord(std::filesystem::path(ha::channel_path(instance)).parent_path(), instance) {}

MovingRecord::MovingRecord(const std::string& folder, const std::string& instance)
    : file_(folder + "/" + instance + ".moving") {}

Result<void> MovingRecord::write(std::span<const ha::GroupRecord> groups) {
  std::string text;
  for (const ha::GroupRecord& group : groups) text += line_of(group);
  return base::write_atomically(file_, text);
}

Result<void> MovingRecord::clear() {
  std::error_code none;
  if (!std::filesystem::exists(file_, none)) return {};
  auto socket = net::NetlinkSocket::open({});
  if (socket.has_error()) return socket.error();
  const net::Links links = links_of(*socket);
  for (const Held& held : read(file_)) {
    const net::Link* link = links.by_name(held.interface);
    if (link == nullptr) continue;
    auto removed =
        held.virtual_mac ? remove_device(*socket, links, *link, held) : remove_addresses(*socket, *link, held);
    if (removed.has_error()) return removed;
  }
  std::filesystem::remove(file_, none);
  return {};
}

}  // namespace astil::app
