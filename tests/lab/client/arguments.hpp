// Values on the command lines of the lab's programs, read strictly: what is not understood as a whole is an error.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <charconv>
#include <string>
#include <string_view>

#include "control/base/result.hpp"

namespace astil::lab {

/// From `low` to `high`, both included.
template <class Number>
Result<Number> parse_number(std::string_view text, Number low, Number high) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
    return Error{
        "'" + std::string(text) + "' is not a number from " + std::to_string(low) + " to " + std::to_string(high), {}};
  }
  return value;
}

[[nodiscard]] Result<boost::asio::ip::address> parse_address(std::string_view text);

/// "192.0.2.10:80" or "[2001:db8::10]:80".
[[nodiscard]] Result<boost::asio::ip::tcp::endpoint> parse_endpoint(std::string_view text);

}  // namespace astil::lab
