#include "dataplane/dpdk/app/routes.hpp"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "dataplane/core/hash.hpp"
#include "dataplane/core/hops.hpp"
#include "dataplane/core/verdict.hpp"

namespace astil::dpdk {

struct Routes::Route {
  bool is_unicast = false;
  std::uint32_t ifindex = 0;
  core::Address neighbour{};  ///< the gateway, or whom the datagram is for
  std::uint32_t mtu = 0;      ///< 0: the interface's
};

namespace {

constexpr std::size_t kLongestAnswer = 8192;
constexpr std::uint64_t kMacBits = 0xffffffffffffULL;

/// A message under construction.
struct Request {
  alignas(NLMSG_ALIGNTO) std::array<std::byte, 256> bytes{};

  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes.data()); }
  template <class Body>
  Body& begin(std::uint16_t type, std::uint16_t flags) {
    header() = {.nlmsg_len = NLMSG_LENGTH(sizeof(Body)), .nlmsg_type = type, .nlmsg_flags = flags};
    return *reinterpret_cast<Body*>(bytes.data() + NLMSG_HDRLEN);
  }
  void add(std::uint16_t type, const void* value, std::size_t length) {
    auto* attribute = reinterpret_cast<rtattr*>(bytes.data() + NLMSG_ALIGN(header().nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(length));
    std::memcpy(reinterpret_cast<std::byte*>(attribute) + RTA_LENGTH(0), value, length);
    header().nlmsg_len = static_cast<std::uint32_t>(NLMSG_ALIGN(header().nlmsg_len) + RTA_ALIGN(attribute->rta_len));
  }
  void add(std::uint16_t type, const core::Address& address) {
    if (core::is_ipv4(address)) {
      const core::Be32 word = core::ipv4_of(address);
      add(type, &word, sizeof(word));
    } else {
      add(type, &address, sizeof(address));
    }
  }
};

unsigned char family_of(const core::Address& address) { return core::is_ipv4(address) ? AF_INET : AF_INET6; }
unsigned char bits_of(const core::Address& address) { return core::is_ipv4(address) ? 32 : 128; }

/// Calls `visit(type, bytes)` for each attribute.
void visit_attributes(std::span<const std::byte> bytes, const auto& visit) {
  while (bytes.size() >= sizeof(rtattr)) {
    rtattr attribute{};
    std::memcpy(&attribute, bytes.data(), sizeof(attribute));
    if (attribute.rta_len < RTA_LENGTH(0) || attribute.rta_len > bytes.size()) return;
    constexpr std::uint16_t kFlags = NLA_F_NESTED | NLA_F_NET_BYTEORDER;
    visit(attribute.rta_type & ~kFlags, bytes.subspan(RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0)));
    bytes = bytes.subspan(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), bytes.size()));
  }
}

std::uint32_t word_of(std::span<const std::byte> bytes) {
  std::uint32_t word = 0;
  if (bytes.size() >= sizeof(word)) std::memcpy(&word, bytes.data(), sizeof(word));
  return word;
}

core::Address address_of(std::span<const std::byte> bytes) {
  core::Address address{};
  if (bytes.size() == sizeof(core::Be32)) return core::mapped(core::Be32{word_of(bytes)});
  if (bytes.size() == sizeof(address)) std::memcpy(&address, bytes.data(), sizeof(address));
  return address;
}

template <class Body>
std::span<const std::byte> attributes_of(const nlmsghdr& message) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&message);
  return std::span(bytes, message.nlmsg_len).subspan(NLMSG_SPACE(sizeof(Body)));
}

template <class Body>
const Body* body_of(const nlmsghdr* message, std::uint16_t type) {
  if (message == nullptr || message->nlmsg_type != type || message->nlmsg_len < NLMSG_SPACE(sizeof(Body)))
    return nullptr;
  return reinterpret_cast<const Body*>(reinterpret_cast<const std::byte*>(message) + NLMSG_HDRLEN);
}

}  // namespace

Routes::Routes(base::Descriptor socket) : socket_(std::move(socket)), answer_(kLongestAnswer) {}

Result<Routes> Routes::open() {
  base::Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return system_error("open a netlink socket", errno);
  return Routes(std::move(socket));
}

/// The kernel answers before `send` returns: nobody waits.
const nlmsghdr* Routes::exchange(nlmsghdr& request) {
  request.nlmsg_seq = ++sequence_;
  if (::send(socket_.get(), &request, request.nlmsg_len, 0) < 0) return nullptr;
  for (;;) {
    const ssize_t length = ::recv(socket_.get(), answer_.data(), answer_.size(), MSG_DONTWAIT);
    if (length < static_cast<ssize_t>(sizeof(nlmsghdr))) return nullptr;
    const auto* message = reinterpret_cast<const nlmsghdr*>(answer_.data());
    if (message->nlmsg_len > static_cast<std::size_t>(length) || message->nlmsg_seq != sequence_) continue;
    return message->nlmsg_type == NLMSG_ERROR ? nullptr : message;
  }
}

/// Rules that go by the source are followed where it is an address of this machine: the kernel takes no other.
bool Routes::ask_route(const core::Address& to, const core::Address& from, Route& route) {
  const nlmsghdr* answer = nullptr;
  for (const bool with_source : {true, false}) {
    Request request;
    auto& wanted = request.begin<rtmsg>(RTM_GETROUTE, NLM_F_REQUEST);
    wanted.rtm_family = family_of(to);
    wanted.rtm_dst_len = bits_of(to);
    wanted.rtm_src_len = with_source ? bits_of(from) : std::uint8_t{0};
    request.add(RTA_DST, to);
    if (with_source) request.add(RTA_SRC, from);
    answer = exchange(request.header());
    if (answer != nullptr) break;
  }
  const auto* found = body_of<rtmsg>(answer, RTM_NEWROUTE);
  if (found == nullptr) return false;
  route.is_unicast = found->rtm_type == RTN_UNICAST;
  route.neighbour = to;
  visit_attributes(attributes_of<rtmsg>(*answer), [&](std::uint32_t type, std::span<const std::byte> value) {
    if (type == RTA_OIF) route.ifindex = word_of(value);
    if (type == RTA_GATEWAY) route.neighbour = address_of(value);
    if (type == RTA_VIA && value.size() > sizeof(std::uint16_t))  // a gateway of the other version (RFC 8950)
      route.neighbour = address_of(value.subspan(sizeof(std::uint16_t)));
    if (type != RTA_METRICS) return;
    visit_attributes(value, [&](std::uint32_t metric, std::span<const std::byte> number) {
      if (metric == RTAX_MTU) route.mtu = word_of(number);
    });
  });
  return true;
}

bool Routes::ask_neighbour(const core::Address& address, std::uint32_t ifindex, std::uint64_t& mac) {
  Request request;
  auto& wanted = request.begin<ndmsg>(RTM_GETNEIGH, NLM_F_REQUEST);
  wanted.ndm_family = family_of(address);
  wanted.ndm_ifindex = static_cast<int>(ifindex);
  request.add(NDA_DST, address);
  const nlmsghdr* answer = exchange(request.header());
  const auto* found = body_of<ndmsg>(answer, RTM_NEWNEIGH);
  constexpr unsigned kValid = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
  if (found == nullptr || (found->ndm_state & kValid) == 0) return false;
  mac = 0;
  visit_attributes(attributes_of<ndmsg>(*answer), [&](std::uint32_t type, std::span<const std::byte> value) {
    if (type == NDA_LLADDR && value.size() == 6) std::memcpy(&mac, value.data(), value.size());
  });
  return mac != 0;
}

std::uint64_t Routes::mac_of(const core::Address& neighbour, std::uint32_t ifindex, std::uint32_t unit) {
  const std::uint64_t mixed = core::mixed(core::half(neighbour, 0) ^ core::half(neighbour, 1) ^ ifindex);
  KnownNeighbour& known = neighbours_[mixed % neighbours_.size()];
  if (known.mac != 0 && known.address == neighbour && known.ifindex == ifindex && unit - known.unit < core::kHopUnits)
    return known.mac;
  std::uint64_t mac = 0;
  if (!ask_neighbour(neighbour, ifindex, mac)) return 0;
  known = {.address = neighbour, .ifindex = ifindex, .unit = unit, .mac = mac};
  return mac;
}

std::uint32_t Routes::mtu_of(std::uint32_t ifindex, std::uint32_t unit) {
  KnownMtu& known = mtus_[ifindex % mtus_.size()];
  if (known.ifindex == ifindex && unit - known.unit < core::kUnitsPerSecond) return known.mtu;
  ifreq request{};
  known = {.ifindex = ifindex, .unit = unit, .mtu = 0};
  const base::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (::if_indextoname(ifindex, request.ifr_name) != nullptr && ::ioctl(socket.get(), SIOCGIFMTU, &request) == 0)
    known.mtu = static_cast<std::uint32_t>(request.ifr_mtu);
  return known.mtu;
}

core::NextHop Routes::find(const core::Address& to, const core::Address& from, std::uint32_t length,
                           const core::Settings& settings, std::uint32_t unit) {
  using Status = core::NextHop::Status;
  Route route;
  if (!ask_route(to, from, route) || !route.is_unicast) return {.status = Status::no_route};
  const core::Interface& own = settings.interfaces[core::interface_slot(route.ifindex, settings.interface_multiplier)];
  if (own.ifindex != route.ifindex) return {.status = Status::no_route};
  const std::uint32_t mtu = route.mtu != 0 ? route.mtu : mtu_of(route.ifindex, unit);
  if (length > mtu) return {.status = Status::too_big, .mtu = mtu};
  const std::uint64_t mac = mac_of(route.neighbour, route.ifindex, unit);
  if (mac == 0) return {.status = Status::no_neighbour, .interface = route.ifindex};
  return {.status = Status::found,
          .interface = route.ifindex,
          .destination_mac = mac,
          .source_mac = own.mac & kMacBits,
          .mtu = mtu};
}

}  // namespace astil::dpdk
