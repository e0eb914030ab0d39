#include "control/ha/vrrp/app/router_devices.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <fstream>

#include "control/base/log.hpp"
#include "control/ha/router_device.hpp"
#include "control/ha/vrrp/advert_frame.hpp"
#include "control/net/request.hpp"

namespace astil::ha {
namespace {

net::Request link_request(std::uint32_t ifindex, std::uint16_t type, std::uint16_t flags = 0) {
  net::Request request(type, static_cast<std::uint16_t>(NLM_F_ACK | flags));
  request.add_header<ifinfomsg>().ifi_index = static_cast<int>(ifindex);
  return request;
}

/// In bridge mode: in private mode the other node's adverts, which come from the same MAC address, would be taken for
/// the device's own and would not reach the interface.
net::Request make_device(const std::string& name, const net::MacAddress& mac, std::uint32_t over) {
  net::Request request = link_request(0, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.add_text(IFLA_IFNAME, name.c_str());
  request.add_attribute(IFLA_ADDRESS, std::as_bytes(std::span(mac.bytes)));
  request.add_attribute(IFLA_LINK, over);
  const auto info = request.begin_nested(IFLA_LINKINFO);
  request.add_text(IFLA_INFO_KIND, "macvlan");
  const auto data = request.begin_nested(IFLA_INFO_DATA);
  request.add_attribute(IFLA_MACVLAN_MODE, std::uint32_t{MACVLAN_MODE_BRIDGE});
  request.end_nested(data);
  request.end_nested(info);
  return request;
}

struct Setting {
  std::uint16_t key;  ///< IPV4_DEVCONF_*
  std::uint32_t value;
};

/// net.ipv4.conf.DEVICE.*
net::Request set_ipv4(std::uint32_t device, std::initializer_list<Setting> settings) {
  net::Request request = link_request(device, RTM_NEWLINK);
  const auto families = request.begin_nested(IFLA_AF_SPEC);
  const auto ipv4 = request.begin_nested(AF_INET);
  const auto values = request.begin_nested(IFLA_INET_CONF);
  for (const Setting& setting : settings) request.add_attribute(setting.key, setting.value);
  request.end_nested(values);
  request.end_nested(ipv4);
  request.end_nested(families);
  return request;
}

/// Its link-local address is the group's, where it has one, and no other.
net::Request without_link_local(std::uint32_t device) {
  net::Request request = link_request(device, RTM_NEWLINK);
  const auto families = request.begin_nested(IFLA_AF_SPEC);
  const auto ipv6 = request.begin_nested(AF_INET6);
  request.add_attribute(IFLA_INET6_ADDR_GEN_MODE, std::uint8_t{IN6_ADDR_GEN_MODE_NONE});
  request.end_nested(ipv6);
  request.end_nested(families);
  return request;
}

constexpr std::uint32_t kOnlyOfThisInterface = 1;  // arp_ignore
constexpr std::uint32_t kOnlyOfThatInterface = 2;  // arp_announce
constexpr std::uint32_t kLoose = 2;                // rp_filter, which the one of "all" can not make strict

}  // namespace

std::uint32_t RouterDevices::find(const std::string& name) {
  std::uint32_t found = 0;
  (void)socket_.ask(net::list_links(), [&](const net::RawMessage& message) {
    const auto listed = net::parse_link(message);
    if (listed && listed->link.name == name) found = listed->link.ifindex;
  });
  return found;
}

Result<std::uint32_t> RouterDevices::ensure(const GroupKey& key, const net::Link& link, const net::Links& links) {
  const std::string name = router_device_name(key.version, key.virtual_router_id, link.ifindex);
  const net::MacAddress mac = virtual_router_mac(key.version, key.virtual_router_id);
  if (const net::Link* there = links.by_name(name)) {
    if (there->mac != mac) return Error{name + " is there with another MAC address", "remove it: 'ip link delete'"};
    guardian_.note_device(there->ifindex);
    return there->ifindex;
  }
  const auto verdict = socket_.ask(make_device(name, mac, link.ifindex));
  if (verdict.error != 0 && verdict.error != EEXIST)
    return net::kernel_error("make " + name + " over " + link.name, verdict);
  const std::uint32_t device = find(name);
  if (device == 0) return Error{name + " is gone as soon as it was made", {}};
  guardian_.note_device(device);
  furnish(device, name, link, key.version == 4);
  return device;
}

/// Each device answers for its own addresses, with its own MAC address; one of IPv6 for none of IPv4. Routes lead out
/// by the interface, so what comes in by a device is not looked for in them.
void RouterDevices::furnish(std::uint32_t device, const std::string& name, const net::Link& link, bool is_v4) {
  const auto ask = [&](const net::Request& request) {
    if (const auto verdict = socket_.ask(request); verdict.error != 0)
      log::warning("virtual router's device not set up",
                   {{"device", name}, {"error", net::kernel_error("set up", verdict).text()}});
  };
  ask(without_link_local(device));
  // Router advertisements are for the interface. There is no way to say so but this file.
  std::ofstream("/proc/sys/net/ipv6/conf/" + name + "/accept_ra") << 0;
  ask(set_ipv4(device, {{IPV4_DEVCONF_ARP_IGNORE, kOnlyOfThisInterface}, {IPV4_DEVCONF_RP_FILTER, kLoose}}));
  if (!is_v4) return;
  ask(set_ipv4(link.ifindex,
               {{IPV4_DEVCONF_ARP_IGNORE, kOnlyOfThisInterface}, {IPV4_DEVCONF_ARP_ANNOUNCE, kOnlyOfThatInterface}}));
}

void RouterDevices::set(std::uint32_t device, bool up) {
  net::Request request(RTM_NEWLINK, NLM_F_ACK);
  auto& header = request.add_header<ifinfomsg>();
  header.ifi_index = static_cast<int>(device);
  header.ifi_flags = up ? IFF_UP : 0;
  header.ifi_change = IFF_UP;
  const auto verdict = socket_.ask(request);
  if (verdict.error != 0 && verdict.error != ENODEV)
    log::error("virtual router's device not set", {{"error", net::kernel_error(up ? "up" : "down", verdict).text()}});
}

void RouterDevices::remove(std::uint32_t device) {
  (void)socket_.ask(net::remove_link(device));
  guardian_.forget_device(device);
}

std::optional<net::MacAddress> RouterDevices::station(std::uint32_t ifindex, const address& host) {
  const net::NeighbourKey key{ifindex, host};
  std::optional<net::Neighbour> found;
  (void)socket_.ask(net::look_up_neighbour(key), [&](const net::RawMessage& message) {
    if (const auto neighbour = net::parse_neighbour(message)) found = neighbour->neighbour;
  });
  if (!found || !found->valid() || !found->mac) return std::nullopt;
  if ((found->state & NUD_STALE) != 0) (void)socket_.ask(net::use_neighbour(key, net::IfAbsent::leave));
  return found->mac;
}

}  // namespace astil::ha
