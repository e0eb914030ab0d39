#include "tests/lab/client/arguments.hpp"

namespace astil::lab {

using boost::asio::ip::address;

Result<address> parse_address(std::string_view text) {
  boost::system::error_code bad;
  address parsed = boost::asio::ip::make_address(text, bad);
  if (bad) return Error{"'" + std::string(text) + "' is not an IP address", {}};
  return parsed;
}

Result<boost::asio::ip::tcp::endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return Error{"'" + std::string(text) + "' is not ADDRESS:PORT", {}};
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  if (!address) return address.error();
  if (address->is_v6() != bracketed) return Error{"brackets are for IPv6 addresses, which need them", {}};
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 1, 65535);
  if (!port) return port.error();
  return boost::asio::ip::tcp::endpoint(*address, *port);
}

}  // namespace astil::lab
