// Values of options as they are meant: addresses, their ports, numbers. An error names the option, what stands there,
// and what was expected.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "control/api/view.hpp"
#include "control/base/result.hpp"

namespace astil::cli {

/// An address that packets have: without a zone, and no IPv4 one in the form of IPv6.
[[nodiscard]] Result<api::ip::address> address_of(std::string_view option, const std::string& text);

/// Such an address and a port, `192.0.2.1:80` or `[2001:db8::1]:80`.
[[nodiscard]] Result<api::Endpoint> endpoint_of(std::string_view option, const std::string& text);

/// As the configuration has them, "60s" or "5m", whole seconds, 1 to `most`.
[[nodiscard]] Result<std::chrono::seconds> seconds_of(std::string_view option, const std::string& text,
                                                      std::chrono::seconds most);

/// Decimal digits that make a number from 1 on.
[[nodiscard]] Result<std::uint64_t> count_of(std::string_view option, const std::string& text);

/// What is wrong with the values of the options of `flows`, if anything.
[[nodiscard]] Result<> check_flow_options(const std::map<std::string, std::string, std::less<>>& options);

}  // namespace astil::cli
