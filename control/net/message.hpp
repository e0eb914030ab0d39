// rtnetlink messages, read: a datagram from the kernel becomes messages, and a message a typed value. Nothing here does
// I/O, and nothing reads past the span it is given; a message that is cut short or makes no sense is no message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/net/types.hpp"

namespace astil::net {

using Bytes = std::span<const std::byte>;

/// One netlink message: its header's fields, and what follows the header.
struct RawMessage {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  Bytes payload;
};

/// The messages of one datagram, in order.
class MessageReader {
 public:
  explicit MessageReader(Bytes datagram) : rest_(datagram) {}
  [[nodiscard]] std::optional<RawMessage> next();

 private:
  Bytes rest_;
};

enum class Change { added, removed };

struct LinkMessage {
  Change change = Change::added;
  Link link;               ///< of a removed one, index and name
  std::uint32_t peer = 0;  ///< of a pair of veth devices the other end, an index of its own namespace; 0: none
};

struct AddressMessage {
  Change change = Change::added;
  InterfaceAddress address;
  std::uint8_t originator = 0;  ///< IFA_PROTO; 0: the kernel is older than 5.18, or nobody said
};

/// A neighbour entry as the kernel has it.
struct Neighbour {
  std::optional<MacAddress> mac;
  std::uint16_t state = 0;  ///< NUD_*
  bool managed = false;     ///< the kernel keeps it fresh (NTF_EXT_MANAGED)
  bool learned = false;     ///< a routing daemon put it there and keeps it (NTF_EXT_LEARNED)
  std::uint8_t originator = 0;

  /// The MAC is good for sending.
  [[nodiscard]] bool valid() const;
  /// Somebody else sees to it: static, learned, managed by another, or on a link without ARP. Asking the kernel to
  /// manage it would take that mark away.
  [[nodiscard]] bool foreign() const;
};

struct NeighbourMessage {
  Change change = Change::added;
  NeighbourKey key;
  Neighbour neighbour;
};

/// A route that changed, or the answer to a lookup.
struct RouteMessage {
  Change change = Change::added;
  std::uint8_t type = 0;  ///< RTN_*
  bool cached = false;    ///< a clone (of path MTU discovery), not a change of the routing table
  address destination;
  std::uint8_t prefix_length = 0;
  std::uint32_t ifindex = 0;
  std::optional<address> gateway;  ///< may be IPv6 for an IPv4 destination (RFC 8950)
  std::optional<address> source;
  std::uint32_t mtu = 0;  ///< 0: the interface's
};

/// The neighbours that a route leads to, which came or went; none: it leads to no gateway, or is a clone of another.
struct GatewaysMessage {
  Change change = Change::added;
  std::vector<NeighbourKey> keys;
};

/// The end of an answer: errno's value (0: done), and the kernel's own words where it gave some.
struct Acknowledgement {
  int error = 0;
  std::string text;
};

/// Each parses a message of its own types and gives nothing for any other.
[[nodiscard]] std::optional<LinkMessage> parse_link(const RawMessage& message);
[[nodiscard]] std::optional<AddressMessage> parse_address(const RawMessage& message);
[[nodiscard]] std::optional<NeighbourMessage> parse_neighbour(const RawMessage& message);
[[nodiscard]] std::optional<RouteMessage> parse_route(const RawMessage& message);
[[nodiscard]] GatewaysMessage parse_gateways(const RawMessage& message);
[[nodiscard]] std::optional<Acknowledgement> parse_acknowledgement(const RawMessage& message);

}  // namespace astil::net
