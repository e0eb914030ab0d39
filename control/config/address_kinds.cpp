// The kinds of values with an address in them: reading, showing, and what each accepts.
#include "control/config/address_kinds.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <optional>

namespace astil::config {
namespace {

using boost::asio::ip::address_v4;
using boost::asio::ip::address_v6;

const char* const kWriteUnicast = "write a unicast address";
const char* const kWriteReachable = "write an address that other hosts can reach";

/// Why an address is no host's, and what to write instead.
using Refusal = std::optional<Error>;

Refusal refuse(const address_v4& host) {
  const std::uint32_t bits = host.to_uint();
  if (bits >> 24U == 0) return Error{"is not an address of a host (0.0.0.0/8)", kWriteReachable};
  if (host.is_loopback()) return Error{"is a loopback address, which does not leave this host", kWriteReachable};
  if (bits >> 16U == 0xa9fe) return Error{"is a link-local address (169.254.0.0/16)", kWriteReachable};
  if (host.is_multicast()) return Error{"is a multicast address", kWriteUnicast};
  if (bits >> 28U == 15) return Error{"is a reserved address (240.0.0.0/4)", kWriteUnicast};
  return {};
}

Refusal refuse(const address_v6& host) {
  if (host.is_unspecified()) return Error{"is the unspecified address", kWriteReachable};
  if (host.is_loopback()) return Error{"is a loopback address, which does not leave this host", kWriteReachable};
  if (host.is_multicast()) return Error{"is a multicast address", kWriteUnicast};
  if (host.is_link_local()) {
    return Error{"is a link-local address (fe80::/10)", "write a global or a unique local address"};
  }
  if (host.is_v4_mapped()) {
    return Error{"is an IPv4-mapped address, which no packet has",
                 "write " + make_address_v4(boost::asio::ip::v4_mapped, host).to_string()};
  }
  return {};
}

Refusal refuse(const address& host) { return host.is_v4() ? refuse(host.to_v4()) : refuse(host.to_v6()); }

/// None where the text is no address. One with a zone is none here, which would be looked up on this host; nor is one
/// with a NUL behind it, which would end there.
std::optional<address> parse(std::string_view text) {
  if (text.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return {};
  boost::system::error_code error;
  const address host = boost::asio::ip::make_address(std::string(text), error);
  return error ? std::nullopt : std::optional(host);
}

/// The address without its zone, where it has one.
std::optional<address> parse_with_zone(std::string_view text) {
  const std::size_t percent = text.find('%');
  return percent == std::string_view::npos ? std::nullopt : parse(text.substr(0, percent));
}

Error refuse_zone(std::string_view text) {
  return {std::string(text) + " has a zone",
          "write an address that is known beyond one link, without " + std::string(text.substr(text.find('%')))};
}

/// What was probably meant by a text that is no address.
std::string guess(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return "write the address without a prefix length";
  if (text.starts_with('[')) return "write the address without brackets";
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return text.find_first_not_of("0123456789.") == std::string_view::npos
               ? ""
               : "names are not resolved: write the address";
  }
  if (parse(text.substr(0, colon))) return "write the port with the key port";
  return "";
}

unsigned width_of(const address& host) { return host.is_v4() ? 32 : 128; }

address first_of(const address& host, unsigned length) {
  if (host.is_v4()) return make_network_v4(host.to_v4(), static_cast<std::uint16_t>(length)).network();
  return make_network_v6(host.to_v6(), static_cast<std::uint16_t>(length)).network();
}

struct Lengths {
  unsigned least, most;
};

/// The packet path varies the last 32 bits of a source at most, and one bit at least.
Lengths lengths_of(const address& network) { return network.is_v4() ? Lengths{8, 31} : Lengths{64, 127}; }

/// Whether the prefix holds IPv4's link-local addresses; whatever else is no host's has no shorter a prefix.
Refusal refuse(const Prefix& prefix) {
  const address link_local = address_v4(0xa9fe0000);
  return holds(prefix, link_local) ? refuse(link_local) : refuse(prefix.network);
}

}  // namespace

Result<address> HostAddress::read(const Scalar& scalar) const {
  const auto host = parse(scalar.text);
  if (!host) {
    if (parse_with_zone(scalar.text)) return refuse_zone(scalar.text);
    return Error{{}, guess(scalar.text)};
  }
  if (const auto refusal = refuse(*host)) return Error{host->to_string() + ' ' + refusal->what, refusal->remedy};
  return *host;
}

Shape HostAddress::shape() const {
  Shape shape;
  shape.words = "an IPv4 or IPv6 address";
  shape.pattern = R"(^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$)";
  return shape;
}

Result<address> LinkLocalAddress::read(const Scalar& scalar) const {
  const auto host = parse(scalar.text);
  if (!host && parse_with_zone(scalar.text)) {
    return Error{std::string(scalar.text) + " has a zone", "write it without: it is on the group's interface"};
  }
  if (!host) return Error{{}, guess(scalar.text)};
  if (!host->is_v6() || !host->to_v6().is_link_local())
    return Error{host->to_string() + " is not a link-local address", "write one of fe80::/10"};
  return *host;
}

Shape LinkLocalAddress::shape() const {
  Shape shape;
  shape.words = "a link-local IPv6 address";
  shape.pattern = R"(^[Ff][Ee][89AaBb][0-9A-Fa-f]:[0-9A-Fa-f:]*$)";
  return shape;
}

Result<address> GatewayAddress::read(const Scalar& scalar) const {
  auto link_local = LinkLocalAddress{}.read(scalar);
  const bool has_zone = scalar.text.find('%') != std::string_view::npos;
  if (link_local.has_value() || has_zone) return link_local;
  return HostAddress{}.read(scalar);
}

Shape GatewayAddress::shape() const { return HostAddress{}.shape(); }

Result<Prefix> SourcePrefix::read(const Scalar& scalar) const {
  const std::string text(scalar.text);
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto network = parse(std::string_view(text).substr(0, slash));
  if (!network) return Error{};
  if (slash == text.size())
    return Error{{}, "write its length too, such as " + text + (network->is_v4() ? "/16" : "/96")};
  const auto length = read_integer({std::string_view(text).substr(slash + 1), false});
  const auto [least, most] = lengths_of(*network);
  if (!length || *length < least || *length > most) return Error{};
  const Prefix prefix{first_of(*network, static_cast<unsigned>(*length)), static_cast<unsigned>(*length)};
  if (const auto refusal = refuse(prefix)) {
    return Error{text + " holds what " + refusal->what, "write a network of unicast addresses that are yours"};
  }
  if (prefix.network != *network) return Error{text + " has bits behind its length", "write " + show(prefix)};
  return prefix;
}

std::string SourcePrefix::show(const Prefix& value) const {
  return value.network.to_string() + '/' + std::to_string(value.length);
}

Shape SourcePrefix::shape() const {
  Shape shape;
  shape.words = "a prefix such as 10.200.0.0/16 or 2001:db8:1::/96, of IPv4 from /8 to /31, of IPv6 from /64 to /127";
  shape.pattern = R"(^([0-9]{1,3}(\.[0-9]{1,3}){3}/([89]|[12][0-9]|3[01]))"
                  R"(|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))$)";
  return shape;
}

Result<Prefix> ClientNetwork::read(const Scalar& scalar) const {
  const std::string text(scalar.text);
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto network = parse(std::string_view(text).substr(0, slash));
  if (!network) return Error{};
  const unsigned width = width_of(*network);
  if (slash == text.size()) return Error{{}, "write its length too: " + text + '/' + std::to_string(width)};
  const auto length = read_integer({std::string_view(text).substr(slash + 1), false});
  if (!length || *length > width) return Error{};
  const Prefix prefix{first_of(*network, static_cast<unsigned>(*length)), static_cast<unsigned>(*length)};
  if (prefix.network != *network) return Error{text + " has bits behind its length", "write " + show(prefix)};
  if (network->is_v6() && network->to_v6().is_v4_mapped())
    return Error{text + " is of IPv4-mapped addresses, which no packet has", "write an IPv4 prefix"};
  return prefix;
}

std::string ClientNetwork::show(const Prefix& value) const { return SourcePrefix{}.show(value); }

Shape ClientNetwork::shape() const {
  Shape shape;
  shape.words = "a prefix such as 203.0.113.0/24 or 2001:db8::/32";
  shape.pattern = R"(^([0-9]{1,3}(\.[0-9]{1,3}){3}/([0-9]|[12][0-9]|3[0-2]))"
                  R"(|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$)";
  return shape;
}

bool holds(const Prefix& prefix, const address& host) {
  if (prefix.network.is_v4() != host.is_v4() || prefix.length > width_of(host)) return false;
  return first_of(host, prefix.length) == prefix.network;
}

std::string_view version_of(const address& host) { return host.is_v4() ? "IPv4" : "IPv6"; }

std::string show_endpoint(const address& host, Port port) {
  const std::string text = host.is_v6() ? '[' + host.to_string() + ']' : host.to_string();
  return text + ':' + ServicePort{}.show(port);
}

Result<Endpoint> ListenEndpoint::read(const Scalar& scalar) const {
  const std::size_t colon = scalar.text.rfind(':');
  if (colon == std::string_view::npos) {
    const bool is_port = kPort.read({scalar.text, false}).has_value();
    return Error{{}, is_port ? "write the address too: \"127.0.0.1:" + std::string(scalar.text) + '"' : ""};
  }
  std::string_view host = scalar.text.substr(0, colon);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  const auto parsed = parse(host);
  const auto port = kPort.read({scalar.text.substr(colon + 1), false});
  if (!parsed && parse_with_zone(host)) return refuse_zone(host);
  if (!parsed || !port) return Error{};
  if (parsed->is_v6() != is_bracketed) return Error{{}, is_bracketed ? "" : "write an IPv6 address in brackets"};
  const bool is_own = parsed->is_unspecified() || parsed->is_loopback() || (parsed->is_v4() && !parsed->is_multicast());
  if (is_own) return Endpoint{*parsed, *port};
  if (const auto refusal = refuse(*parsed)) return Error{parsed->to_string() + ' ' + refusal->what, refusal->remedy};
  return Endpoint{*parsed, *port};
}

Shape ListenEndpoint::shape() const {
  Shape shape;
  shape.words = R"(an address and a port such as "127.0.0.1:9105" or "[2001:db8::1]:9105")";
  shape.pattern = R"(^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]+$)";
  return shape;
}

}  // namespace astil::config
