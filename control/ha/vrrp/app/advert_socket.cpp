#include "control/ha/vrrp/app/advert_socket.hpp"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace astil::ha {
namespace {

constexpr std::size_t kLongestPacket = 2048;
constexpr int kPrecedence = 0xc0;  // internetwork control, as routing protocols have it (RFC 2474 section 4.2.2.1)
constexpr int kTtl = kVrrpTtl;
constexpr int kOn = 1;
constexpr int kOff = 0;

template <class T>
bool set(int socket, int level, int name, const T& value) {
  return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

bool set_up_v4(int socket, std::uint32_t ifindex) {
  ip_mreqn group{};
  std::memcpy(&group.imr_multiaddr, advert_multicast(true).to_v4().to_bytes().data(), 4);
  group.imr_ifindex = static_cast<int>(ifindex);
  return set(socket, IPPROTO_IP, IP_MULTICAST_TTL, kTtl) && set(socket, IPPROTO_IP, IP_TTL, kTtl) &&
         set(socket, IPPROTO_IP, IP_TOS, kPrecedence) && set(socket, IPPROTO_IP, IP_MULTICAST_LOOP, kOff) &&
         set(socket, IPPROTO_IP, IP_MULTICAST_IF, group) && set(socket, IPPROTO_IP, IP_PKTINFO, kOn) &&
         set(socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, group);
}

bool set_up_v6(int socket, std::uint32_t ifindex) {
  ipv6_mreq group{};
  std::memcpy(&group.ipv6mr_multiaddr, advert_multicast(false).to_v6().to_bytes().data(), 16);
  group.ipv6mr_interface = ifindex;
  const int index = static_cast<int>(ifindex);
  return set(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kTtl) && set(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kTtl) &&
         set(socket, IPPROTO_IPV6, IPV6_TCLASS, kPrecedence) && set(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, kOff) &&
         set(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, index) && set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, kOn) &&
         set(socket, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, kOn) && set(socket, IPPROTO_IPV6, IPV6_JOIN_GROUP, group);
}

address from(const in6_addr& host) {
  boost::asio::ip::address_v6::bytes_type bytes{};
  std::memcpy(bytes.data(), &host, bytes.size());
  return boost::asio::ip::address_v6(bytes);
}

/// A raw socket of IPv4 gives the IP header too.
bool read_v4(Bytes packet, Received& received) {
  iphdr header{};
  if (packet.size() < sizeof header) return false;
  std::memcpy(&header, packet.data(), sizeof header);
  const std::size_t length = std::size_t{header.ihl} * 4;
  if (header.version != 4 || length < sizeof header || packet.size() < length) return false;
  received.payload = packet.subspan(length);
  received.source = boost::asio::ip::address_v4(ntohl(header.saddr));
  received.destination = boost::asio::ip::address_v4(ntohl(header.daddr));
  received.ttl = header.ttl;
  return true;
}

bool read_v6(Bytes packet, const sockaddr_in6& sender, msghdr& message, Received& received) {
  received.payload = packet;
  received.source = from(sender.sin6_addr);
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != IPPROTO_IPV6) continue;
    if (part->cmsg_type == IPV6_HOPLIMIT) {
      int hops = 0;
      std::memcpy(&hops, CMSG_DATA(part), sizeof hops);
      received.ttl = static_cast<std::uint8_t>(hops);
    } else if (part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      received.destination = from(info.ipi6_addr);
    }
  }
  return true;
}

}  // namespace

Result<AdvertSocket> AdvertSocket::open(const std::string& interface, std::uint32_t ifindex, bool is_v4) {
  const int family = is_v4 ? AF_INET : AF_INET6;
  base::Descriptor socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kVrrpProtocol));
  if (!socket.valid()) return system_error("open a socket for adverts", errno);
  const int raw = socket.get();
  const bool bound =
      ::setsockopt(raw, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), static_cast<socklen_t>(interface.size())) == 0;
  if (!bound || !(is_v4 ? set_up_v4(raw, ifindex) : set_up_v6(raw, ifindex)))
    return system_error("set up a socket for adverts on " + interface, errno);
  return AdvertSocket(std::move(socket), ifindex, is_v4);
}

int AdvertSocket::send(Bytes message, const address& source, const address& destination) {
  sockaddr_storage to{};
  socklen_t length = 0;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
  msghdr header{};
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  if (is_v4_) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, destination.to_v4().to_bytes().data(), 4);
    std::memcpy(&to, &v4, length = sizeof v4);
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(ifindex_);
    std::memcpy(&info.ipi_spec_dst, source.to_v4().to_bytes().data(), 4);
    part->cmsg_level = IPPROTO_IP;
    part->cmsg_type = IP_PKTINFO;
    part->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(part), &info, sizeof info);
    header.msg_controllen = CMSG_SPACE(sizeof info);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, destination.to_v6().to_bytes().data(), 16);
    v6.sin6_scope_id = ifindex_;
    std::memcpy(&to, &v6, length = sizeof v6);
    in6_pktinfo info{};
    info.ipi6_ifindex = ifindex_;
    std::memcpy(&info.ipi6_addr, source.to_v6().to_bytes().data(), 16);
    part->cmsg_level = IPPROTO_IPV6;
    part->cmsg_type = IPV6_PKTINFO;
    part->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(part), &info, sizeof info);
    header.msg_controllen = CMSG_SPACE(sizeof info);
  }
  iovec data{const_cast<std::byte*>(message.data()), message.size()};
  header.msg_name = &to;
  header.msg_namelen = length;
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  return ::sendmsg(socket_.get(), &header, MSG_DONTWAIT) < 0 ? errno : 0;
}

void AdvertSocket::receive(const std::function<void(const Received&)>& take) {
  std::array<std::byte, kLongestPacket> buffer;
  alignas(cmsghdr) std::array<std::byte, 256> control;
  for (int i = 0; i < kPacketsAtOnce; ++i) {
    sockaddr_in6 sender{};
    iovec data{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t length = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT);
    if (length < 0) return;
    const Bytes packet = Bytes(buffer).first(static_cast<std::size_t>(length));
    Received received;
    if (is_v4_ ? read_v4(packet, received) : read_v6(packet, sender, header, received)) take(received);
  }
}

}  // namespace astil::ha
