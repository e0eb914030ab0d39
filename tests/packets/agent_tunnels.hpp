// Requests in every kind of tunnel that the agent knows, as they are sent and as they should come out.
#pragma once

#include <array>
#include <cstdint>
#include <ostream>
#include <span>
#include <vector>

#include "tests/packets/packet.hpp"

namespace astil::agent {

using test::Bytes;
using test::Packet;

inline constexpr std::uint64_t kBackendMac = test::mac(0x11);
inline constexpr std::uint64_t kBalancerMac = test::mac(0x01);
inline constexpr std::uint16_t kGuePort = 6080;
inline constexpr std::size_t kEthernet = 14;

enum class Ip { v4, v6 };

/// Who takes part, in one version of IP.
struct Ends {
  const char *client, *service, *balancer, *backend, *elsewhere;
};
inline constexpr Ends kIpv4{"203.0.113.7", "192.0.2.20", "198.51.100.1", "198.51.100.21", "198.51.100.99"};
inline constexpr Ends kIpv6{"2001:db8:c::7", "2001:db8:5::20", "2001:db8:b::1", "2001:db8:b::21", "2001:db8:b::99"};
constexpr const Ends& of(Ip version) { return version == Ip::v4 ? kIpv4 : kIpv6; }

enum class Wrapping { ip_in_ip, gue, gue_with_header };

/// A kind of tunnel that the agent knows.
struct Shape {
  Ip outer, inner;
  Wrapping wrapping;

  /// Bytes in front of the inner packet, without the Ethernet header.
  [[nodiscard]] std::size_t headers() const {
    constexpr std::array<std::size_t, 3> kOfWrapping{0, 8, 12};
    return (outer == Ip::v4 ? 20 : 40) + kOfWrapping[static_cast<std::size_t>(wrapping)];
  }
};
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  constexpr std::array kNames{"IP-in-IP", "GUE", "GUE with its header"};
  return out << "IPv" << (shape.inner == Ip::v4 ? 4 : 6) << " in IPv" << (shape.outer == Ip::v4 ? 4 : 6) << " by "
             << kNames[static_cast<std::size_t>(shape.wrapping)];
}

inline std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const Wrapping wrapping : {Wrapping::ip_in_ip, Wrapping::gue, Wrapping::gue_with_header}) {
    for (const Ip outer : {Ip::v4, Ip::v6}) {
      for (const Ip inner : {Ip::v4, Ip::v6}) all.push_back({outer, inner, wrapping});
    }
  }
  return all;
}

inline Packet datagram(Ip version, const char* source, const char* destination) {
  Packet packet = Packet().ethernet(kBackendMac, kBalancerMac);
  return version == Ip::v4 ? packet.ipv4(source, destination) : packet.ipv6(source, destination).flow_label(0x9abcd);
}

inline Packet request(Ip version) {
  return datagram(version, of(version).client, of(version).service).tcp(40000, 443, test::kAck).payload(100);
}

inline Packet outer(const Shape& shape) {
  Packet packet = datagram(shape.outer, of(shape.outer).balancer, of(shape.outer).backend);
  if (shape.wrapping != Wrapping::ip_in_ip) packet.gue(55555, kGuePort);
  if (shape.wrapping == Wrapping::gue_with_header) packet.gue_header();
  return packet;
}

/// A request as the balancer sends it.
inline Packet tunnelled(const Shape& shape) { return outer(shape).carrying(request(shape.inner)); }

inline constexpr Shape kPlain{Ip::v4, Ip::v4, Wrapping::ip_in_ip};
inline constexpr Shape kPlainIpv6{Ip::v6, Ip::v6, Wrapping::ip_in_ip};
inline constexpr Shape kGue{Ip::v4, Ip::v4, Wrapping::gue};
inline constexpr Shape kGueWithHeader{Ip::v4, Ip::v4, Wrapping::gue_with_header};

inline void set8(Bytes& bytes, std::size_t index, unsigned value) { bytes[index] = static_cast<std::byte>(value); }
inline void set16(Bytes& bytes, std::size_t index, std::size_t value) {
  set8(bytes, index, (value >> 8U) & 0xffU);
  set8(bytes, index + 1, value & 0xffU);
}
inline void correct_checksum(Bytes& frame) {
  set16(frame, kEthernet + 10, 0);
  set16(frame, kEthernet + 10, test::internet_checksum(std::span(frame).subspan(kEthernet, 20)));
}
/// The outer headers say of a frame of this shape that it is as long as it is.
inline void correct_lengths(Bytes& frame, const Shape& shape) {
  const std::size_t length = frame.size() - kEthernet;
  const std::size_t header = shape.outer == Ip::v4 ? 20 : 40;
  if (shape.wrapping != Wrapping::ip_in_ip) set16(frame, kEthernet + header + 4, length - header);
  set16(frame, kEthernet + (shape.outer == Ip::v4 ? 2 : 4), shape.outer == Ip::v4 ? length : length - header);
  if (shape.outer == Ip::v4) correct_checksum(frame);
}

}  // namespace astil::agent
