#include "control/base/server_name.hpp"

#include <charconv>

namespace astil {
namespace {

bool is_port(const std::string& text) {
  unsigned port = 0;
  const char* end = text.data() + text.size();
  const auto [read, failed] = std::from_chars(text.data(), end, port);
  constexpr unsigned kLastPort = 65535;
  return failed == std::errc{} && read == end && port >= 1 && port <= kLastPort;
}

}  // namespace

Result<ServerName> parse_server(const std::string& text) {
  const auto colon = text.rfind(':');
  std::string host = text.substr(0, colon == std::string::npos ? 0 : colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (host.empty() || !is_port(port) || (!bracketed && host.find(':') != std::string::npos))
    return Error{"'" + text + "' is not a host with a port", "write lb1.example.com:9443 or [2001:db8::5]:9443"};
  return ServerName{.host = std::move(host), .port = std::move(port)};
}

}  // namespace astil
