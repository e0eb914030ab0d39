// rtnetlink messages from bytes: what the kernel sends is understood, and what is cut short or nonsense does no harm.
#include "control/net/message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include "control/net/request.hpp"

namespace astil::net {
namespace {

using boost::asio::ip::make_address;

/// A message written byte for byte, as the kernel would.
class Datagram {
 public:
  template <class Header>
  Datagram(std::uint16_t type, const Header& header) {
    nlmsghdr message{};
    message.nlmsg_type = type;
    message.nlmsg_seq = 7;
    append(message);
    append(header);
    finish();
  }

  Datagram& attribute(std::uint16_t type, const std::vector<std::uint8_t>& value) {
    nlattr header{};
    header.nla_type = type;
    header.nla_len = static_cast<std::uint16_t>(sizeof header + value.size());
    append(header);
    for (const std::uint8_t byte : value) bytes_.push_back(std::byte{byte});
    while (bytes_.size() % 4 != 0) bytes_.push_back(std::byte{0});
    return finish();
  }

  Datagram& number(std::uint16_t type, std::uint32_t value) {
    std::vector<std::uint8_t> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return attribute(type, bytes);
  }

  Datagram& text(std::uint16_t type, std::string_view value) {
    std::vector<std::uint8_t> bytes(value.begin(), value.end());
    bytes.push_back(0);
    return attribute(type, bytes);
  }

  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }
  [[nodiscard]] RawMessage message() const { return MessageReader(bytes_).next().value(); }

 private:
  template <class T>
  void append(const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  Datagram& finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    return *this;
  }

  std::vector<std::byte> bytes_;
};

ifinfomsg link_header(std::uint8_t family, unsigned flags) {
  ifinfomsg header{};
  header.ifi_family = family;
  header.ifi_type = ARPHRD_ETHER;
  header.ifi_index = 3;
  header.ifi_flags = flags;
  return header;
}

Datagram ethernet(std::uint8_t family = AF_UNSPEC) {
  Datagram datagram(RTM_NEWLINK, link_header(family, IFF_UP | IFF_RUNNING));
  datagram.text(IFLA_IFNAME, "eth0").number(IFLA_MTU, 1500).attribute(IFLA_ADDRESS, {2, 0, 0, 0, 0, 1});
  return datagram;
}

std::vector<std::uint8_t> ipv6_bytes(const char* text) {
  const auto bytes = make_address(text).to_v6().to_bytes();
  return {bytes.begin(), bytes.end()};
}

ndmsg neighbour_header(std::uint16_t state) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = 3;
  header.ndm_state = state;
  return header;
}

rtmsg route_header(std::uint8_t prefix_length) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = prefix_length;
  header.rtm_type = RTN_UNICAST;
  return header;
}

/// Everything that reads messages, on anything.
void read_all(Bytes bytes) {
  MessageReader reader(bytes);
  while (const auto message = reader.next()) {
    static_cast<void>(parse_link(*message));
    static_cast<void>(parse_address(*message));
    static_cast<void>(parse_neighbour(*message));
    static_cast<void>(parse_route(*message));
    static_cast<void>(parse_acknowledgement(*message));
  }
}

TEST(net_message, a_link_is_read) {
  const auto link = parse_link(ethernet().message());
  ASSERT_TRUE(link);
  EXPECT_EQ(link->link.name, "eth0");
  EXPECT_EQ(link->link.ifindex, 3U);
  EXPECT_EQ(link->link.mtu, 1500U);
  EXPECT_EQ(to_string(*link->link.mac), "02:00:00:00:00:01");
  EXPECT_TRUE(link->link.up);
  EXPECT_TRUE(link->link.carrier);
}

/// An attribute of a nest, as bytes.
std::vector<std::uint8_t> nested(std::uint16_t type, const std::vector<std::uint8_t>& value) {
  const auto length = static_cast<std::uint8_t>(sizeof(nlattr) + value.size());
  std::vector<std::uint8_t> bytes{length, 0, static_cast<std::uint8_t>(type), 0};
  bytes.insert(bytes.end(), value.begin(), value.end());
  while (bytes.size() % 4 != 0) bytes.push_back(0);
  return bytes;
}

std::vector<std::uint8_t> link_info(std::vector<std::uint8_t> kind, const std::vector<std::uint8_t>& data) {
  auto bytes = nested(IFLA_INFO_KIND, kind);
  const auto details = nested(IFLA_INFO_DATA, data);
  bytes.insert(bytes.end(), details.begin(), details.end());
  return bytes;
}

std::vector<std::uint8_t> vlan_100_of_802_1ad() {
  auto data = nested(IFLA_VLAN_ID, {100, 0});
  const auto protocol = nested(IFLA_VLAN_PROTOCOL, {0x88, 0xa8});
  data.insert(data.end(), protocol.begin(), protocol.end());
  return link_info({'v', 'l', 'a', 'n', 0}, data);
}

TEST(net_message, a_vlan_device_is_read_with_its_tag_and_what_carries_it) {
  const auto link =
      parse_link(ethernet().number(IFLA_LINK, 2).attribute(IFLA_LINKINFO, vlan_100_of_802_1ad()).message());
  ASSERT_TRUE(link && link->link.vlan);
  EXPECT_EQ(*link->link.vlan, (Vlan{.parent = 2, .id = 100, .protocol = 0x88a8}));
}

TEST(net_message, a_vlan_device_over_a_link_of_another_namespace_has_none_here) {
  const auto link = parse_link(ethernet()
                                   .number(IFLA_LINK, 2)
                                   .number(IFLA_LINK_NETNSID, 0)
                                   .attribute(IFLA_LINKINFO, vlan_100_of_802_1ad())
                                   .message());
  ASSERT_TRUE(link && link->link.vlan);
  EXPECT_EQ(link->link.vlan->parent, 0U);
}

TEST(net_message, a_link_that_leads_to_another_is_no_vlan_device_by_that) {
  const auto veth = parse_link(
      ethernet().number(IFLA_LINK, 2).attribute(IFLA_LINKINFO, link_info({'v', 'e', 't', 'h', 0}, {})).message());
  ASSERT_TRUE(veth);
  EXPECT_FALSE(veth->link.vlan);
}

TEST(net_message, a_bridge_port_that_leaves_its_bridge_is_no_link_that_is_gone) {
  Datagram left(RTM_DELLINK, link_header(AF_BRIDGE, IFF_UP));
  left.text(IFLA_IFNAME, "eth0");
  EXPECT_FALSE(parse_link(left.message()));
  EXPECT_FALSE(parse_link(ethernet(AF_BRIDGE).message()));
}

TEST(net_message, a_link_that_is_not_ethernet_has_no_mac) {
  auto header = link_header(AF_UNSPEC, IFF_UP);
  header.ifi_type = ARPHRD_LOOPBACK;
  Datagram loopback(RTM_NEWLINK, header);
  loopback.text(IFLA_IFNAME, "lo").number(IFLA_MTU, 65536).attribute(IFLA_ADDRESS, {0, 0, 0, 0, 0, 0});
  EXPECT_FALSE(parse_link(loopback.message())->link.mac);
}

TEST(net_message, an_address_is_its_own_and_not_its_peers) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 32;
  header.ifa_index = 3;
  Datagram datagram(RTM_DELADDR, header);
  datagram.attribute(IFA_ADDRESS, {10, 0, 0, 2})
      .attribute(IFA_LOCAL, {10, 0, 0, 1})
      .attribute(IFA_PROTO, {kOriginator});
  const auto address = parse_address(datagram.message());
  ASSERT_TRUE(address);
  EXPECT_EQ(address->change, Change::removed);
  EXPECT_EQ(address->address, (InterfaceAddress{3, make_address("10.0.0.1"), 32}));
  EXPECT_EQ(address->originator, kOriginator);
}

TEST(net_message, an_ipv6_address_is_read_where_no_local_one_is_told) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET6;
  header.ifa_prefixlen = 128;
  header.ifa_index = 3;
  const auto address =
      parse_address(Datagram(RTM_DELADDR, header).attribute(IFA_ADDRESS, ipv6_bytes("fd00::1")).message());
  ASSERT_TRUE(address);
  EXPECT_EQ(address->address, (InterfaceAddress{3, make_address("fd00::1"), 128}));
}

TEST(net_message, a_neighbours_mac_counts_only_in_a_usable_state) {
  Datagram stale(RTM_NEWNEIGH, neighbour_header(NUD_STALE));
  stale.attribute(NDA_DST, {10, 0, 0, 2})
      .attribute(NDA_LLADDR, {2, 0, 0, 0, 0, 2})
      .number(NDA_FLAGS_EXT, NTF_EXT_MANAGED);
  const auto known = parse_neighbour(stale.message());
  ASSERT_TRUE(known);
  EXPECT_EQ(known->key, (NeighbourKey{3, make_address("10.0.0.2")}));
  EXPECT_TRUE(known->neighbour.valid());
  EXPECT_TRUE(known->neighbour.managed);

  Datagram failed(RTM_NEWNEIGH, neighbour_header(NUD_FAILED));
  failed.attribute(NDA_DST, {10, 0, 0, 2}).attribute(NDA_LLADDR, {2, 0, 0, 0, 0, 2});
  EXPECT_FALSE(parse_neighbour(failed.message())->neighbour.valid());
}

TEST(net_message, an_ipv6_neighbour_is_read) {
  auto header = neighbour_header(NUD_REACHABLE);
  header.ndm_family = AF_INET6;
  Datagram datagram(RTM_NEWNEIGH, header);
  datagram.attribute(NDA_DST, ipv6_bytes("fe80::2")).attribute(NDA_LLADDR, {2, 0, 0, 0, 0, 2});
  const auto known = parse_neighbour(datagram.message());
  ASSERT_TRUE(known);
  EXPECT_EQ(known->key, (NeighbourKey{3, make_address("fe80::2")}));
  EXPECT_TRUE(known->neighbour.valid());
}

TEST(net_message, a_proxy_entry_is_no_neighbour) {
  auto header = neighbour_header(NUD_NONE);
  header.ndm_flags = NTF_PROXY;
  Datagram proxy(RTM_NEWNEIGH, header);
  proxy.attribute(NDA_DST, {10, 0, 0, 2});
  EXPECT_FALSE(parse_neighbour(proxy.message()));
}

TEST(net_message, what_others_see_to_is_foreign) {
  EXPECT_TRUE((Neighbour{.mac = {}, .state = NUD_PERMANENT}.foreign()));
  EXPECT_TRUE((Neighbour{.mac = {}, .state = NUD_NOARP}.foreign()));
  EXPECT_TRUE((Neighbour{.mac = {}, .learned = true}.foreign()));
  EXPECT_TRUE((Neighbour{.mac = {}, .managed = true, .originator = 0}.foreign()));
  EXPECT_FALSE((Neighbour{.mac = {}, .managed = true, .originator = kOriginator}.foreign()));
  EXPECT_FALSE((Neighbour{.mac = {}, .state = NUD_REACHABLE}.foreign()));
}

TEST(net_message, a_route_is_read_with_its_gateway_and_path_mtu) {
  Datagram datagram(RTM_NEWROUTE, route_header(24));
  datagram.attribute(RTA_DST, {10, 9, 0, 0})
      .number(RTA_OIF, 3)
      .attribute(RTA_GATEWAY, {10, 1, 0, 2})
      .attribute(RTA_PREFSRC, {10, 1, 0, 1})
      .attribute(RTA_METRICS, {8, 0, RTAX_MTU, 0, 0x78, 0x05, 0, 0});
  const auto route = parse_route(datagram.message());
  ASSERT_TRUE(route);
  EXPECT_EQ(route->destination, make_address("10.9.0.0"));
  EXPECT_EQ(route->prefix_length, 24);
  EXPECT_EQ(route->ifindex, 3U);
  EXPECT_EQ(route->gateway, make_address("10.1.0.2"));
  EXPECT_EQ(route->source, make_address("10.1.0.1"));
  EXPECT_EQ(route->mtu, 1400U);
}

TEST(net_message, an_ipv6_route_is_read_with_its_gateway_and_path_mtu) {
  auto header = route_header(64);
  header.rtm_family = AF_INET6;
  Datagram datagram(RTM_NEWROUTE, header);
  datagram.attribute(RTA_DST, ipv6_bytes("fd00:9::"))
      .number(RTA_OIF, 3)
      .attribute(RTA_GATEWAY, ipv6_bytes("fe80::2"))
      .attribute(RTA_METRICS, {8, 0, RTAX_MTU, 0, 0x14, 0x05, 0, 0});
  const auto route = parse_route(datagram.message());
  ASSERT_TRUE(route);
  EXPECT_EQ(route->destination, make_address("fd00:9::"));
  EXPECT_EQ(route->prefix_length, 64);
  EXPECT_EQ(route->gateway, make_address("fe80::2"));
  EXPECT_EQ(route->mtu, 1300U);
  header.rtm_dst_len = 0;
  EXPECT_EQ(parse_route(Datagram(RTM_DELROUTE, header).message())->destination, make_address("::"));
}

TEST(net_message, a_default_route_has_no_destination_and_covers_all) {
  const auto route = parse_route(Datagram(RTM_DELROUTE, route_header(0)).message());
  ASSERT_TRUE(route);
  EXPECT_EQ(route->destination, make_address("0.0.0.0"));
  EXPECT_EQ(route->prefix_length, 0);
}

TEST(net_message, an_ipv4_route_may_have_an_ipv6_gateway) {
  std::vector<std::uint8_t> via{AF_INET6, 0};
  const auto gateway = make_address("fd00::2").to_v6().to_bytes();
  via.insert(via.end(), gateway.begin(), gateway.end());
  const auto route = parse_route(Datagram(RTM_NEWROUTE, route_header(24)).attribute(RTA_VIA, via).message());
  EXPECT_EQ(route->gateway, make_address("fd00::2"));
}

TEST(net_message, a_refusal_carries_the_kernels_words) {
  nlmsgerr header{};
  header.error = -EINVAL;
  Datagram datagram(NLMSG_ERROR, header);
  datagram.text(NLMSGERR_ATTR_MSG, "Invalid prefix");
  RawMessage message = datagram.message();
  message.flags = NLM_F_ACK_TLVS;
  EXPECT_EQ(parse_acknowledgement(message)->error, EINVAL);
  EXPECT_EQ(parse_acknowledgement(message)->text, "Invalid prefix");
  EXPECT_FALSE(parse_acknowledgement(ethernet().message()));
}

TEST(net_message, a_datagram_holds_several_messages) {
  std::vector<std::byte> both = ethernet().bytes();
  const auto second = Datagram(RTM_NEWROUTE, route_header(0)).bytes();
  both.insert(both.end(), second.begin(), second.end());
  MessageReader reader(both);
  EXPECT_EQ(reader.next()->type, RTM_NEWLINK);
  EXPECT_EQ(reader.next()->type, RTM_NEWROUTE);
  EXPECT_FALSE(reader.next());
}

TEST(net_message, a_message_cut_anywhere_is_read_without_reading_on) {
  const auto whole = ethernet().bytes();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    // A buffer of its own, so that a sanitizer sees a byte too many.
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(MessageReader(cut).next()) << length;
    RawMessage message{RTM_NEWLINK, 0, 0, Bytes(cut).subspan(std::min<std::size_t>(sizeof(nlmsghdr), length))};
    static_cast<void>(parse_link(message));
  }
}

TEST(net_message, noise_does_no_harm) {
  std::mt19937 random(1);
  const std::vector<std::vector<std::byte>> seeds{
      ethernet().bytes(), Datagram(RTM_NEWROUTE, route_header(24)).number(RTA_OIF, 3).number(RTA_METRICS, 8).bytes(),
      Datagram(RTM_NEWNEIGH, neighbour_header(NUD_STALE)).attribute(NDA_DST, {10, 0, 0, 2}).bytes()};
  for (int i = 0; i < 200'000; ++i) {
    std::vector<std::byte> bytes = seeds[random() % seeds.size()];
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      bytes[random() % bytes.size()] = std::byte{static_cast<std::uint8_t>(random())};
    }
    read_all(bytes);
  }
}

TEST(net_message, a_request_reads_back_as_it_was_meant) {
  const InterfaceAddress vip{3, make_address("10.0.0.1"), 32};
  const Request request = add_address(vip);
  const auto message = MessageReader(request.bytes()).next();
  ASSERT_TRUE(message);
  EXPECT_EQ(parse_address(*message)->address, vip);
  EXPECT_EQ(parse_address(*message)->originator, kOriginator);

  const InterfaceAddress ipv6{3, make_address("fd00::1"), 128};
  const Request request6 = add_address(ipv6);
  EXPECT_EQ(parse_address(MessageReader(request6.bytes()).next().value())->address, ipv6);

  const NeighbourKey key{3, make_address("fd00::2")};
  const Request keep = keep_neighbour(key);
  const auto kept = parse_neighbour(MessageReader(keep.bytes()).next().value());
  EXPECT_EQ(kept->key, key);
  EXPECT_TRUE(kept->neighbour.managed);
  EXPECT_EQ(kept->neighbour.originator, kOriginator);
}

}  // namespace
}  // namespace astil::net
