#include "control/net/request.hpp"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cassert>

namespace astil::net {
namespace {

std::uint8_t family_of(const address& host) { return host.is_v4() ? AF_INET : AF_INET6; }

std::uint8_t width_of(const address& host) { return host.is_v4() ? 32 : 128; }

std::uint16_t creating(IfAbsent if_absent) { return if_absent == IfAbsent::create ? NLM_F_CREATE : 0; }

Request neighbour_request(const NeighbourKey& key, std::uint16_t flags) {
  Request request(RTM_NEWNEIGH, static_cast<std::uint16_t>(NLM_F_ACK | NLM_F_REPLACE | flags));
  auto& header = request.add_header<ndmsg>();
  header.ndm_family = family_of(key.host);
  header.ndm_ifindex = static_cast<int>(key.ifindex);
  header.ndm_flags = NTF_USE;
  request.add_attribute(NDA_DST, key.host);
  return request;
}

Request address_request(const InterfaceAddress& address, std::uint16_t type, std::uint16_t flags) {
  Request request(type, static_cast<std::uint16_t>(NLM_F_ACK | flags));
  auto& header = request.add_header<ifaddrmsg>();
  header.ifa_family = family_of(address.host);
  header.ifa_prefixlen = address.prefix_length;
  header.ifa_index = address.ifindex;
  request.add_attribute(IFA_LOCAL, address.host);
  request.add_attribute(IFA_ADDRESS, address.host);
  return request;
}

}  // namespace

Request::Request(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr* header = mnl_nlmsg_put_header(buffer_.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
}

nlmsghdr* Request::message() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }

void* Request::reserve(std::size_t size) { return mnl_nlmsg_put_extra_header(message(), size); }

void Request::add_attribute(std::uint16_t type, std::span<const std::byte> value) {
  [[maybe_unused]] const bool fits = mnl_attr_put_check(message(), buffer_.size(), type, value.size(), value.data());
  assert(fits);
}

void Request::add_attribute(std::uint16_t type, const address& value) {
  if (value.is_v4()) {
    const auto bytes = value.to_v4().to_bytes();
    add_attribute(type, std::as_bytes(std::span(bytes)));
  } else {
    const auto bytes = value.to_v6().to_bytes();
    add_attribute(type, std::as_bytes(std::span(bytes)));
  }
}

void Request::add_attribute(std::uint16_t type, std::uint32_t value) {
  add_attribute(type, std::as_bytes(std::span(&value, 1)));
}

void Request::add_attribute(std::uint16_t type, std::uint8_t value) {
  add_attribute(type, std::as_bytes(std::span(&value, 1)));
}

void Request::add_text(std::uint16_t type, const char* text) {
  [[maybe_unused]] const bool fits = mnl_attr_put_strz_check(message(), buffer_.size(), type, text);
  assert(fits);
}

std::size_t Request::begin_nested(std::uint16_t type) {
  const std::size_t begun = bytes().size();
  [[maybe_unused]] const nlattr* nested = mnl_attr_nest_start_check(message(), buffer_.size(), type);
  assert(nested != nullptr);
  return begun;
}

void Request::end_nested(std::size_t begun) {
  mnl_attr_nest_end(message(), reinterpret_cast<nlattr*>(buffer_.data() + MNL_ALIGN(begun)));
}

void Request::set_sequence(std::uint32_t sequence) { message()->nlmsg_seq = sequence; }

std::span<const std::byte> Request::bytes() const {
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer_.data());
  return std::span(buffer_).first(header->nlmsg_len);
}

Request list_links() {
  Request request(RTM_GETLINK, NLM_F_DUMP);
  request.add_header<ifinfomsg>().ifi_family = AF_UNSPEC;
  // Counters would be the greater part of the answer.
  request.add_attribute(IFLA_EXT_MASK, std::uint32_t{RTEXT_FILTER_SKIP_STATS});
  return request;
}

Request list_addresses() {
  Request request(RTM_GETADDR, NLM_F_DUMP);
  request.add_header<ifaddrmsg>().ifa_family = AF_UNSPEC;
  return request;
}

Request list_neighbours() {
  Request request(RTM_GETNEIGH, NLM_F_DUMP);
  request.add_header<ndmsg>().ndm_family = AF_UNSPEC;
  return request;
}

Request list_routes() {
  Request request(RTM_GETROUTE, NLM_F_DUMP);
  request.add_header<rtmsg>().rtm_family = AF_UNSPEC;
  return request;
}

Request look_up_route(const address& destination) {
  Request request(RTM_GETROUTE, NLM_F_ACK);
  auto& header = request.add_header<rtmsg>();
  header.rtm_family = family_of(destination);
  header.rtm_dst_len = width_of(destination);
  request.add_attribute(RTA_DST, destination);
  return request;
}

Request look_up_neighbour(const NeighbourKey& key) {
  Request request(RTM_GETNEIGH, NLM_F_ACK);
  auto& header = request.add_header<ndmsg>();
  header.ndm_family = family_of(key.host);
  header.ndm_ifindex = static_cast<int>(key.ifindex);
  request.add_attribute(NDA_DST, key.host);
  return request;
}

Request keep_neighbour(const NeighbourKey& key) {
  Request request = neighbour_request(key, NLM_F_CREATE);
  request.add_attribute(NDA_PROTOCOL, kOriginator);
  request.add_attribute(NDA_FLAGS_EXT, std::uint32_t{NTF_EXT_MANAGED});
  return request;
}

Request use_neighbour(const NeighbourKey& key, IfAbsent if_absent) {
  return neighbour_request(key, creating(if_absent));
}

Request add_address(const InterfaceAddress& address, std::uint8_t originator) {
  Request request = address_request(address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  request.add_attribute(IFA_PROTO, originator);
  if (address.host.is_v6()) {
    // The local route is enough: that of a prefix would be a second one for the same address, which routing daemons
    // would take for a network of this link and announce. IPv4 makes none for a /32.
    request.add_attribute(IFA_FLAGS, std::uint32_t{IFA_F_NODAD | IFA_F_NOPREFIXROUTE});
    // A deprecated address answers, and starts nothing (RFC 4862 section 5.5.4).
    const ifa_cacheinfo lifetimes{.ifa_prefered = 0, .ifa_valid = UINT32_MAX, .cstamp = 0, .tstamp = 0};
    request.add_attribute(IFA_CACHEINFO, std::as_bytes(std::span(&lifetimes, 1)));
  }
  return request;
}

Request remove_address(const InterfaceAddress& address) { return address_request(address, RTM_DELADDR, 0); }

Request remove_link(std::uint32_t ifindex) {
  Request request(RTM_DELLINK, NLM_F_ACK);
  request.add_header<ifinfomsg>().ifi_index = static_cast<int>(ifindex);
  return request;
}

}  // namespace astil::net
