// What the parts of the model have in common: addresses, ports, durations.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>

namespace astil::config {

using boost::asio::ip::address;
using Milliseconds = std::chrono::milliseconds;

/// A transport port, 1 to 65535, host byte order. 0 stands for any port where a member says so.
enum class Port : std::uint16_t {};

/// A backend's weight, 0 to 1000. 0: no new flows.
enum class Weight : std::uint16_t {};

/// Where something of this host's can be reached.
struct Endpoint {
  address host;
  Port port{};
  bool operator==(const Endpoint&) const = default;
};

}  // namespace astil::config
