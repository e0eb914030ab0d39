#include "control/net/own_namespace.hpp"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <thread>

namespace astil::net {
namespace {

constexpr const char* kInside = "probe";
/// The kernel puts a number in place of %d.
constexpr const char* kOutside = "astil-probe%d";
constexpr const char* kOfThread = "/proc/thread-self/ns/net";

base::Descriptor open_namespace() { return base::Descriptor(::open(kOfThread, O_RDONLY | O_CLOEXEC)); }

/// The pair, made in the namespace of the asking socket: its other end goes to the namespace `host`.
Request make_pair(const MacAddress& inside, const base::Descriptor& host) {
  Request request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  static_cast<void>(request.add_header<ifinfomsg>());
  request.add_text(IFLA_IFNAME, kInside);
  request.add_attribute(IFLA_ADDRESS, std::as_bytes(std::span(inside.bytes)));
  request.add_attribute(IFLA_MTU, OwnNamespace::kMtu);
  const auto info = request.begin_nested(IFLA_LINKINFO);
  request.add_text(IFLA_INFO_KIND, "veth");
  const auto data = request.begin_nested(IFLA_INFO_DATA);
  const auto peer = request.begin_nested(VETH_INFO_PEER);
  static_cast<void>(request.add_header<ifinfomsg>());
  request.add_text(IFLA_IFNAME, kOutside);
  request.add_attribute(IFLA_MTU, OwnNamespace::kMtu);
  request.add_attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(host.get()));
  request.end_nested(peer);
  request.end_nested(data);
  request.end_nested(info);
  return request;
}

Request set_up(std::uint32_t ifindex, unsigned flags) {
  Request request(RTM_NEWLINK, NLM_F_ACK);
  auto& header = request.add_header<ifinfomsg>();
  header.ifi_index = static_cast<int>(ifindex);
  header.ifi_flags = flags;
  header.ifi_change = flags;
  return request;
}

/// Everything leaves by the device.
Request add_default_route(std::uint8_t family, std::uint32_t ifindex) {
  Request request(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  auto& header = request.add_header<rtmsg>();
  header.rtm_family = family;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  request.add_attribute(RTA_OIF, ifindex);
  return request;
}

struct Ends {
  std::uint32_t inner = 0;
  std::uint32_t outer = 0;  ///< an index of the other namespace
};

Result<Ends> find_ends(NetlinkSocket& netlink) {
  Ends ends;
  const auto verdict = netlink.ask(list_links(), [&](const RawMessage& message) {
    const auto link = parse_link(message);
    if (!link || link->link.name != kInside) return;
    ends.inner = link->link.ifindex;
    ends.outer = link->peer;
  });
  if (verdict.error != 0) return kernel_error("list the links of the probes' namespace", verdict);
  if (ends.inner == 0 || ends.outer == 0) return Error{"the probes' pair of devices is not there", {}};
  return ends;
}

/// Checksums are finished before packets leave; with that, segmentation is not left to the device either.
Result<> finish_checksums() {
  const base::Descriptor any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value off{.cmd = ETHTOOL_STXCSUM, .data = 0};
  ifreq request{};
  std::copy_n(kInside, std::string_view(kInside).size(), static_cast<char*>(request.ifr_name));
  request.ifr_data = reinterpret_cast<char*>(&off);
  if (!any.valid() || ::ioctl(any.get(), SIOCETHTOOL, &request) != 0)
    return system_error("have the probes' device leave no checksums open", errno);
  return {};
}

Result<> ask(NetlinkSocket& netlink, const Request& request, const std::string& action) {
  const auto verdict = netlink.ask(request);
  if (verdict.error != 0) return kernel_error(action, verdict);
  return {};
}

struct Made {
  base::Descriptor own;
  std::optional<NetlinkSocket> netlink;
  Ends ends;
};

/// In a thread that is in the new namespace already.
Result<Made> furnish(const MacAddress& inside, const base::Descriptor& host) {
  Made made{.own = open_namespace(), .netlink = {}, .ends = {}};
  if (!made.own.valid()) return system_error("open the probes' namespace", errno);
  auto opened = NetlinkSocket::open({});
  if (!opened) return opened.error();
  NetlinkSocket& netlink = made.netlink.emplace(std::move(*opened));
  if (auto done = ask(netlink, make_pair(inside, host), "make the probes' pair of devices"); !done) return done.error();
  auto ends = find_ends(netlink);
  if (!ends) return ends.error();
  made.ends = *ends;
  if (auto done = finish_checksums(); !done) return done.error();
  if (auto done = ask(netlink, set_up(ends->inner, IFF_UP | IFF_NOARP), "set the probes' device up"); !done)
    return done.error();
  for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    if (auto done = ask(netlink, add_default_route(family, ends->inner), "route the probes"); !done) {
      if (family == AF_INET) return done.error();  // a kernel without IPv6 has no probes by it
    }
  }
  return made;
}

}  // namespace

Result<OwnNamespace> OwnNamespace::make(const MacAddress& inside) {
  base::Descriptor host = open_namespace();
  if (!host.valid()) return system_error("open the network namespace", errno);
  Result<Made> made = Error{"no thread", {}};
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      Error error = system_error("make a network namespace", errno);
      error.remedy = "run as root, or with CAP_SYS_ADMIN; with systemd RestrictNamespaces= must allow net";
      made = std::move(error);
      return;
    }
    made = furnish(inside, host);
  }).join();
  if (!made) return made.error();
  auto outside = NetlinkSocket::open({});
  if (!outside) return outside.error();
  if (auto done = ask(*outside, set_up(made->ends.outer, IFF_UP | IFF_NOARP), "set the probes' device up"); !done)
    return done.error();
  return OwnNamespace(std::move(host), std::move(made->own), std::move(*made->netlink), made->ends.inner,
                      made->ends.outer);
}

Result<base::Descriptor> OwnNamespace::socket(int family, int type) const {
  if (::setns(own_.get(), CLONE_NEWNET) != 0) return system_error("enter the probes' namespace", errno);
  base::Descriptor made(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int error = errno;
  // A process that can not come back would do everything from now on in the wrong place.
  while (::setns(host_.get(), CLONE_NEWNET) != 0) {
    if (errno != ENOMEM) std::abort();
  }
  if (!made.valid()) return system_error("open a socket in the probes' namespace", error);
  return made;
}

Result<> OwnNamespace::add_address(const address& host) {
  if (addresses_.contains(host)) return {};
  const std::uint8_t width = host.is_v4() ? 32 : 128;
  const auto verdict = netlink_.ask(net::add_address({inner_, host, width}));
  if (verdict.error != 0 && verdict.error != EEXIST)
    return kernel_error("add " + host.to_string() + " to the probes' namespace", verdict);
  addresses_.insert(host);
  return {};
}

}  // namespace astil::net
