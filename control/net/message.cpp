#include "control/net/message.hpp"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace astil::net {
namespace {

constexpr std::size_t kAlignment = 4;  // of messages and attributes alike

std::size_t aligned(std::size_t length) { return (length + kAlignment - 1) & ~(kAlignment - 1); }

Bytes after(Bytes bytes, std::size_t length) { return bytes.subspan(std::min(length, bytes.size())); }

template <class T>
std::optional<T> read(Bytes bytes) {
  if (bytes.size() < sizeof(T)) return {};
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

struct Attribute {
  std::uint16_t type = 0;
  Bytes value;
};

class AttributeReader {
 public:
  explicit AttributeReader(Bytes bytes) : rest_(bytes) {}

  std::optional<Attribute> next() {
    const auto header = read<nlattr>(rest_);
    if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > rest_.size()) return {};
    const Attribute attribute{static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK),
                              rest_.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr))};
    rest_ = after(rest_, aligned(header->nla_len));
    return attribute;
  }

 private:
  Bytes rest_;
};

std::optional<address> read_address(unsigned family, Bytes bytes) {
  if (family == AF_INET) {
    const auto value = read<boost::asio::ip::address_v4::bytes_type>(bytes);
    if (value) return boost::asio::ip::address_v4(*value);
  } else if (family == AF_INET6) {
    const auto value = read<boost::asio::ip::address_v6::bytes_type>(bytes);
    if (value) return boost::asio::ip::address_v6(*value);
  }
  return {};
}

/// "0.0.0.0" or "::", which a prefix of length 0 leaves out.
std::optional<address> unspecified(unsigned family) {
  if (family == AF_INET) return boost::asio::ip::address_v4::any();
  if (family == AF_INET6) return boost::asio::ip::address_v6::any();
  return {};
}

std::optional<MacAddress> read_mac(Bytes bytes) {
  if (bytes.size() != sizeof(MacAddress::bytes)) return {};
  return read<MacAddress>(bytes);
}

std::string read_text(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    if (byte == std::byte{0}) break;
    text += static_cast<char>(byte);
  }
  return text;
}

std::optional<Change> change_of(std::uint16_t type, std::uint16_t added, std::uint16_t removed) {
  if (type == added) return Change::added;
  if (type == removed) return Change::removed;
  return {};
}

std::uint32_t read_route_mtu(Bytes metrics) {
  AttributeReader attributes(metrics);
  while (const auto metric = attributes.next()) {
    if (metric->type == RTAX_MTU) return read<std::uint32_t>(metric->value).value_or(0);
  }
  return 0;
}

/// A gateway of another family than the route's.
std::optional<address> read_via(Bytes value) {
  const auto family = read<std::uint16_t>(value);
  if (!family) return {};
  return read_address(*family, after(value, sizeof(std::uint16_t)));
}

void apply(RouteMessage& route, unsigned family, const Attribute& attribute) {
  switch (attribute.type) {
    case RTA_DST:
      route.destination = read_address(family, attribute.value).value_or(route.destination);
      break;
    case RTA_OIF:
      route.ifindex = read<std::uint32_t>(attribute.value).value_or(0);
      break;
    case RTA_GATEWAY:
      route.gateway = read_address(family, attribute.value);
      break;
    case RTA_VIA:
      route.gateway = read_via(attribute.value);
      break;
    case RTA_PREFSRC:
      route.source = read_address(family, attribute.value);
      break;
    case RTA_METRICS:
      route.mtu = read_route_mtu(attribute.value);
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<RawMessage> MessageReader::next() {
  const auto header = read<nlmsghdr>(rest_);
  if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest_.size()) return {};
  const RawMessage message{header->nlmsg_type, header->nlmsg_flags, header->nlmsg_seq,
                           rest_.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr))};
  rest_ = after(rest_, aligned(header->nlmsg_len));
  return message;
}

bool Neighbour::valid() const {
  constexpr unsigned usable = NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
  return mac.has_value() && (state & usable) != 0;
}

bool Neighbour::foreign() const {
  return (state & (NUD_PERMANENT | NUD_NOARP)) != 0 || learned || (managed && originator != kOriginator);
}

namespace {

/// IFLA_LINKINFO of a VLAN device; what carries it has its own attribute.
std::optional<Vlan> read_vlan(Bytes link_info) {
  std::string kind;
  Bytes data;
  AttributeReader attributes(link_info);
  while (const auto attribute = attributes.next()) {
    if (attribute->type == IFLA_INFO_KIND) kind = read_text(attribute->value);
    if (attribute->type == IFLA_INFO_DATA) data = attribute->value;
  }
  if (kind != "vlan") return {};
  Vlan vlan;
  AttributeReader details(data);
  while (const auto detail = details.next()) {
    if (detail->type == IFLA_VLAN_ID) vlan.id = read<std::uint16_t>(detail->value).value_or(0);
    if (detail->type == IFLA_VLAN_PROTOCOL) vlan.protocol = ntohs(read<std::uint16_t>(detail->value).value_or(0));
  }
  return vlan;
}

}  // namespace

std::optional<LinkMessage> parse_link(const RawMessage& message) {
  const auto change = change_of(message.type, RTM_NEWLINK, RTM_DELLINK);
  const auto header = read<ifinfomsg>(message.payload);
  // A bridge tells of its ports in messages of its own family: a port that leaves the bridge is no link that is gone.
  if (!change || !header || header->ifi_family != AF_UNSPEC) return {};

  LinkMessage result;
  result.change = *change;
  result.link.ifindex = static_cast<std::uint32_t>(header->ifi_index);
  result.link.up = (header->ifi_flags & IFF_UP) != 0;
  result.link.carrier = result.link.up && (header->ifi_flags & IFF_RUNNING) != 0;
  std::uint32_t parent = 0;
  bool elsewhere = false;  // what carries it is in another network namespace
  AttributeReader attributes(after(message.payload, sizeof(ifinfomsg)));
  while (const auto attribute = attributes.next()) {
    if (attribute->type == IFLA_LINK) parent = read<std::uint32_t>(attribute->value).value_or(0);
    if (attribute->type == IFLA_LINK_NETNSID) elsewhere = true;
    if (attribute->type == IFLA_LINKINFO) result.link.vlan = read_vlan(attribute->value);
    if (attribute->type == IFLA_IFNAME) result.link.name = read_text(attribute->value);
    if (attribute->type == IFLA_MTU) result.link.mtu = read<std::uint32_t>(attribute->value).value_or(0);
    if (attribute->type == IFLA_ADDRESS && header->ifi_type == ARPHRD_ETHER)
      result.link.mac = read_mac(attribute->value);
  }
  result.peer = parent;
  if (result.link.vlan) result.link.vlan->parent = elsewhere ? 0 : parent;
  // Wireless drivers send news of themselves as links without an MTU.
  if (result.link.name.empty() || (*change == Change::added && result.link.mtu == 0)) return {};
  return result;
}

std::optional<AddressMessage> parse_address(const RawMessage& message) {
  const auto change = change_of(message.type, RTM_NEWADDR, RTM_DELADDR);
  const auto header = read<ifaddrmsg>(message.payload);
  if (!change || !header) return {};

  std::optional<address> local;
  std::optional<address> other;
  std::uint8_t originator = 0;
  AttributeReader attributes(after(message.payload, sizeof(ifaddrmsg)));
  while (const auto attribute = attributes.next()) {
    if (attribute->type == IFA_LOCAL) local = read_address(header->ifa_family, attribute->value);
    if (attribute->type == IFA_ADDRESS) other = read_address(header->ifa_family, attribute->value);
    if (attribute->type == IFA_PROTO) originator = read<std::uint8_t>(attribute->value).value_or(0);
  }
  // IFA_ADDRESS is the peer's on a point-to-point link, and ours where there is no IFA_LOCAL (IPv6).
  const auto& ours = local ? local : other;
  if (!ours) return {};
  return AddressMessage{*change, {header->ifa_index, *ours, header->ifa_prefixlen}, originator};
}

std::optional<NeighbourMessage> parse_neighbour(const RawMessage& message) {
  const auto change = change_of(message.type, RTM_NEWNEIGH, RTM_DELNEIGH);
  const auto header = read<ndmsg>(message.payload);
  if (!change || !header || (header->ndm_flags & NTF_PROXY) != 0) return {};

  std::optional<address> host;
  Neighbour neighbour;
  neighbour.state = header->ndm_state;
  neighbour.learned = (header->ndm_flags & NTF_EXT_LEARNED) != 0;
  AttributeReader attributes(after(message.payload, sizeof(ndmsg)));
  while (const auto attribute = attributes.next()) {
    if (attribute->type == NDA_DST) host = read_address(header->ndm_family, attribute->value);
    if (attribute->type == NDA_LLADDR) neighbour.mac = read_mac(attribute->value);
    if (attribute->type == NDA_PROTOCOL) neighbour.originator = read<std::uint8_t>(attribute->value).value_or(0);
    if (attribute->type == NDA_FLAGS_EXT) {
      neighbour.managed = (read<std::uint32_t>(attribute->value).value_or(0) & NTF_EXT_MANAGED) != 0;
    }
  }
  if (!host) return {};
  return NeighbourMessage{*change, {static_cast<std::uint32_t>(header->ndm_ifindex), *host}, neighbour};
}

std::optional<RouteMessage> parse_route(const RawMessage& message) {
  const auto change = change_of(message.type, RTM_NEWROUTE, RTM_DELROUTE);
  const auto header = read<rtmsg>(message.payload);
  if (!change || !header) return {};
  const auto any = unspecified(header->rtm_family);
  if (!any) return {};

  std::optional<RouteMessage> result(std::in_place);
  result->change = *change;
  result->type = header->rtm_type;
  result->cached = (header->rtm_flags & RTM_F_CLONED) != 0;
  result->destination = *any;
  result->prefix_length = header->rtm_dst_len;
  AttributeReader attributes(after(message.payload, sizeof(rtmsg)));
  while (const auto attribute = attributes.next()) apply(*result, header->rtm_family, *attribute);
  return result;
}

namespace {

/// What the attributes of a route, or of one of its several next hops, say of the gateway and the interface to it.
void add_gateway(std::vector<NeighbourKey>& keys, unsigned family, Bytes attributes, std::uint32_t ifindex) {
  RouteMessage route;
  route.ifindex = ifindex;
  AttributeReader reader(attributes);
  while (const auto attribute = reader.next()) apply(route, family, *attribute);
  if (route.gateway && route.ifindex != 0) keys.push_back({route.ifindex, *route.gateway});
}

/// RTA_MULTIPATH: next hops, each with attributes of its own.
void add_gateways(std::vector<NeighbourKey>& keys, unsigned family, Bytes hops) {
  while (const auto hop = read<rtnexthop>(hops)) {
    if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > hops.size()) return;
    const Bytes attributes = hops.subspan(sizeof(rtnexthop), hop->rtnh_len - sizeof(rtnexthop));
    add_gateway(keys, family, attributes, static_cast<std::uint32_t>(hop->rtnh_ifindex));
    hops = after(hops, aligned(hop->rtnh_len));
  }
}

}  // namespace

GatewaysMessage parse_gateways(const RawMessage& message) {
  const auto change = change_of(message.type, RTM_NEWROUTE, RTM_DELROUTE);
  const auto header = read<rtmsg>(message.payload);
  if (!change || !header || !unspecified(header->rtm_family)) return {};
  if (header->rtm_type != RTN_UNICAST || (header->rtm_flags & RTM_F_CLONED) != 0) return {};

  GatewaysMessage result{.change = *change, .keys = {}};
  const Bytes all = after(message.payload, sizeof(rtmsg));
  add_gateway(result.keys, header->rtm_family, all, 0);
  AttributeReader attributes(all);
  while (const auto attribute = attributes.next()) {
    if (attribute->type == RTA_MULTIPATH) add_gateways(result.keys, header->rtm_family, attribute->value);
  }
  return result;
}

/// The kernel sends a negated errno. What can be none is told apart from it: EPROTO.
static int errno_of(int error) {
  constexpr int kMost = 4095;  // the kernel's MAX_ERRNO
  return error > 0 || error < -kMost ? EPROTO : -error;
}

std::optional<Acknowledgement> parse_acknowledgement(const RawMessage& message) {
  if (message.type == NLMSG_DONE) return Acknowledgement{errno_of(read<int>(message.payload).value_or(0)), {}};
  const auto header = read<nlmsgerr>(message.payload);
  if (message.type != NLMSG_ERROR || !header) return {};

  Acknowledgement result{errno_of(header->error), {}};
  // Attributes follow the request's header (our sockets ask for no more of it: NETLINK_CAP_ACK).
  if ((message.flags & NLM_F_ACK_TLVS) == 0) return result;
  AttributeReader attributes(after(message.payload, sizeof(nlmsgerr)));
  while (const auto attribute = attributes.next()) {
    if (attribute->type == NLMSGERR_ATTR_MSG) result.text = read_text(attribute->value);
  }
  return result;
}

}  // namespace astil::net
