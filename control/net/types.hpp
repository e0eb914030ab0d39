// What the network looks like to the rest of the control plane: plain values, in host byte order, as the kernel last
// told them.
#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace astil::net {

using boost::asio::ip::address;

/// An Ethernet address, bytes in the order they have on the wire.
struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};
  bool operator==(const MacAddress&) const = default;
};

/// "02:00:00:00:00:0a".
[[nodiscard]] std::string to_string(const MacAddress& mac);

/// What a VLAN device (IEEE 802.1Q, 802.1ad) adds to its frames, and the link that carries them.
struct Vlan {
  std::uint32_t parent = 0;         ///< ifindex
  std::uint16_t id = 0;             ///< 0 to 4095
  std::uint16_t protocol = 0x8100;  ///< EtherType of its tag: 802.1Q's, or 802.1ad's 0x88a8
  bool operator==(const Vlan&) const = default;
};

/// A network interface.
struct Link {
  std::uint32_t ifindex = 0;
  std::string name;
  std::optional<MacAddress> mac;  ///< none: not Ethernet (tun, ipip, loopback)
  std::uint32_t mtu = 0;          ///< bytes of an IP packet
  bool up = false;                ///< the operator wants it up
  bool carrier = false;           ///< it can carry packets: up, and the cable or the peer is there
  std::optional<Vlan> vlan;       ///< of a VLAN device
  bool operator==(const Link&) const = default;
};

/// Where frames of a link leave the machine: by the link itself, or of a VLAN device by what is under it, with tags.
struct Exit {
  std::uint32_t ifindex = 0;
  std::uint16_t outer_tag = 0;  ///< VLAN id of 802.1ad's tag; 0: none
  std::uint16_t inner_tag = 0;  ///< VLAN id of 802.1Q's, the only one where there is one; 0: none
  bool operator==(const Exit&) const = default;
};

/// What a frame towards an address needs. Present only while all of it is known.
struct NextHop {
  std::uint32_t ifindex = 0;      ///< of the routing table
  MacAddress source_mac;          ///< of that interface
  MacAddress neighbour_mac;       ///< of the gateway, or of the address itself where it is on the link
  address source_address;         ///< what the kernel would send from; unspecified where it has none that gets there
  std::uint32_t mtu = 0;          ///< bytes of an IP packet: the interface's, or less by the route or the path's MTU
  bool neighbour_answers = true;  ///< false: the MAC is the last one known, and the neighbour is silent now
  Exit exit;                      ///< where it leaves
  bool operator==(const NextHop&) const = default;
};

/// A neighbour's name in the kernel's table.
struct NeighbourKey {
  std::uint32_t ifindex = 0;
  address host;
  std::strong_ordering operator<=>(const NeighbourKey&) const = default;
};

/// An address on an interface.
struct InterfaceAddress {
  std::uint32_t ifindex = 0;
  address host;
  std::uint8_t prefix_length = 0;
  std::strong_ordering operator<=>(const InterfaceAddress&) const = default;
};

/// The originator that our addresses and neighbour entries carry in the kernel (IFA_PROTO, NDA_PROTOCOL), so that a
/// daemon that starts again knows what is its own. `ip address show proto 65` lists them. Not in use by anybody in
/// rtnetlink.h's list.
constexpr std::uint8_t kOriginator = 'A';
/// That of addresses that move within a pair, which astil-vrrp puts there: `ip address show proto 86`.
constexpr std::uint8_t kVrrpOriginator = 'V';

}  // namespace astil::net
