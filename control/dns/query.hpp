// Reading a query: the header, one question, and what EDNS says. Whatever else stands in the message is walked over, so
// that a message that lies about itself is found out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "control/dns/name.hpp"
#include "control/dns/protocol.hpp"

namespace astil::dns {

using Bytes = std::span<const std::byte>;

/// EDNS client subnet, RFC 7871 section 6.
struct ClientSubnet {
  std::uint16_t family = 0;             ///< 1: IPv4, 2: IPv6, 0: none told
  std::uint8_t source = 0;              ///< length of the prefix in bits: of IPv4 0 to 32, of IPv6 0 to 128
  std::array<std::byte, 16> address{};  ///< network byte order; the bits behind the prefix are 0
  [[nodiscard]] std::size_t bytes() const { return (source + 7U) / 8U; }
};

struct Edns {
  std::uint16_t udp_size = kPlainUdpSize;  ///< as told; at least 512, RFC 6891 section 6.2.3
  std::uint8_t version = 0;
  bool dnssec_ok = false;
  bool compact_ok = false;  ///< NXDOMAIN is understood beside a compact denial
  bool nsid = false;
  Bytes cookie;  ///< the option's data, 8 or 16 to 40 bytes; empty: none
  std::optional<ClientSubnet> subnet;
};

/// A query that could be read; views are of the message.
struct Query {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  Bytes question;  ///< name, type and class as they came, to be repeated; empty: there is none
  std::array<char, kLongestName> buffer{};
  std::size_t name_size = 0;
  Type type{};
  std::uint16_t klass = 0;
  std::optional<Edns> edns;

  /// Folded.
  [[nodiscard]] std::string_view name() const { return {buffer.data(), name_size}; }
};

enum class Reading {
  sound,
  too_short,  ///< no header: there is nobody to answer
  response,   ///< QR is set: answering would make two servers talk for ever
  opcode,     ///< not QUERY
  malformed,
  no_question,  ///< QDCOUNT 0, and EDNS is sound: a query for a cookie, RFC 7873 section 5.4
};

/// Fills `query` as far as it could be read: its id and flags always, but with too_short.
[[nodiscard]] Reading read_query(Bytes message, Query& query);

}  // namespace astil::dns
