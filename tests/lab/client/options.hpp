// The command line of lab_client, read strictly: what it does not know is an error.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/base/result.hpp"

namespace astil::lab {

enum class Mode {
  short_lived,  ///< each connection carries one request, `Connection: close`, and another one follows it
  long_lived,   ///< a fixed set of keep-alive connections, each with a request every `interval`
};

/// Whether the report names every single flow and its backend.
enum class FlowList { no, yes };

struct Options {
  Mode mode = Mode::short_lived;
  boost::asio::ip::tcp::endpoint to;
  std::string path = "/";
  /// Connections take these addresses in turn, all of `to`'s version of IP; empty: the kernel chooses, ports too.
  std::vector<boost::asio::ip::address> sources;
  std::uint16_t first_port = 1024;
  std::uint16_t last_port = 65535;
  std::uint64_t connections = 0;             ///< short_lived: 0 is "until stopped"; long_lived: at least 1
  std::optional<unsigned> per_second;        ///< connections opened, at most; none: as fast as answers come
  unsigned parallel = 64;                    ///< connections open (short_lived) or being opened (long_lived) at once
  std::chrono::milliseconds interval{1000};  ///< long_lived: between two requests of one connection
  std::chrono::milliseconds timeout{5000};   ///< for a connection to open and for each answer
  std::optional<std::chrono::milliseconds> duration;  ///< none: until SIGTERM, or until `connections` are done
  FlowList flows = FlowList::no;
};

[[nodiscard]] Result<Options> parse_options(std::span<const char* const> arguments);

extern const char* const kUsage;

}  // namespace astil::lab
