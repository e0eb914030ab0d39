#include "control/cli/arguments.hpp"

#include <charconv>
#include <optional>

#include "control/api/routes.hpp"
#include "control/config/kinds.hpp"

namespace astil::cli {
namespace {

using api::ip::address;

Error wrong(std::string_view option, const std::string& text, const std::string& what, std::string remedy) {
  return {std::string(option) + ": '" + text + "' " + what, std::move(remedy)};
}

std::optional<address> parse(const std::string& text) {
  boost::system::error_code failed;
  const address host = api::ip::make_address(text, failed);
  return failed ? std::nullopt : std::optional(host);
}

std::string as_ipv4(const address& mapped) { return make_address_v4(api::ip::v4_mapped, mapped.to_v6()).to_string(); }

/// An IPv6 address in brackets, and what stands behind its last colon as the port: what a text without brackets meant.
std::optional<std::string> with_brackets(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return {};
  const auto host = parse(text.substr(0, colon));
  if (!host || !host->is_v6()) return {};
  return '[' + host->to_string() + "]" + text.substr(colon);
}

constexpr const char* kMapped = "is an IPv4-mapped address, which no packet has";

}  // namespace

Result<address> address_of(std::string_view option, const std::string& text) {
  const auto host = parse(text);
  const bool has_zone = text.find('%') != std::string::npos;
  if (!host || has_zone) return wrong(option, text, "is not an IP address", "write 192.0.2.1 or 2001:db8::1");
  if (host->is_v6() && host->to_v6().is_v4_mapped()) return wrong(option, text, kMapped, "write " + as_ipv4(*host));
  return *host;
}

Result<api::Endpoint> endpoint_of(std::string_view option, const std::string& text) {
  const auto endpoint = api::parse_endpoint(text);
  const bool has_zone = text.find('%') != std::string::npos;
  if (!endpoint || has_zone) {
    const auto guess = has_zone ? std::nullopt : with_brackets(text);
    return wrong(option, text, "is not an address with a port",
                 guess ? "write an IPv6 address in brackets: " + *guess : "write 192.0.2.1:80 or [2001:db8::1]:80");
  }
  const address& host = endpoint->address;
  if (host.is_v6() && host.to_v6().is_v4_mapped()) {
    return wrong(option, text, kMapped, "write " + as_ipv4(host) + ':' + std::to_string(endpoint->port));
  }
  return *endpoint;
}

Result<std::uint64_t> count_of(std::string_view option, const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = failed == std::errc{} && end == text.data() + text.size() && number != 0;
  if (!is_number) return wrong(option, text, "is not a number from 1 on", {});
  return number;
}

Result<std::chrono::seconds> seconds_of(std::string_view option, const std::string& text, std::chrono::seconds most) {
  const config::Duration kind{std::chrono::seconds(1), most};
  const auto time = kind.read({.text = text});
  if (!time) return wrong(option, text, "is not a time", "write 60s or 5m, at most " + kind.show(most));
  return std::chrono::ceil<std::chrono::seconds>(*time);
}

Result<> check_flow_options(const std::map<std::string, std::string, std::less<>>& options) {
  for (const char* name : {"--service", "--backend"}) {
    const auto given = options.find(name);
    if (given != options.end() && given->second.empty()) return Error{name + std::string(" needs a name"), {}};
  }
  if (const auto client = options.find("--client"); client != options.end()) {
    if (const auto host = address_of("--client", client->second); !host) return host.error();
  }
  if (const auto limit = options.find("--limit"); limit != options.end()) {
    if (const auto count = count_of("--limit", limit->second); !count) return count.error();
  }
  return {};
}

}  // namespace astil::cli
