// The command line of lab_flood, read strictly.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "control/base/result.hpp"

namespace astil::lab {

/// What each flow of the flood is made of.
enum class FloodKind {
  syns,   ///< a SYN
  pairs,  ///< a SYN, and an ACK a batch later
  acks,   ///< an ACK of no connection
};

struct FloodOptions {
  FloodKind kind = FloodKind::syns;
  std::string interface;
  std::uint64_t next_hop = 0;  ///< the MAC address that frames go to; the first byte on the wire is the lowest
  boost::asio::ip::tcp::endpoint to;
  std::uint64_t first = 0;             ///< number of the first flow: floods of other numbers have other sources
  std::uint64_t flows = 0;             ///< at least 1, at most 2^32
  std::optional<unsigned> per_second;  ///< flows, at most; none: as fast as frames leave
};

[[nodiscard]] Result<FloodOptions> parse_flood_options(std::span<const char* const> arguments);

extern const char* const kFloodUsage;

}  // namespace astil::lab
