// The kinds of values with an address in them: a host's, a prefix, an endpoint to listen on. And an address with its
// port as text, for all that tells of a configuration.
#pragma once

#include <string>
#include <string_view>

#include "control/config/kinds.hpp"

namespace astil::config {

/// An address that one host has and others reach, IPv4 or IPv6: no zone, not unspecified, loopback, link-local,
/// multicast, reserved or IPv4-mapped.
struct HostAddress {
  [[nodiscard]] Result<address> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const address& value) const { return value.to_string(); }
  [[nodiscard]] Shape shape() const;
};

/// `fe80::1`, without a zone.
struct LinkLocalAddress {
  [[nodiscard]] Result<address> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const address& value) const { return value.to_string(); }
  [[nodiscard]] Shape shape() const;
};

/// As HostAddress, or a link-local one of IPv6, without a zone: a router's, as hosts learn it.
struct GatewayAddress {
  [[nodiscard]] Result<address> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const address& value) const { return value.to_string(); }
  [[nodiscard]] Shape shape() const;
};

/// `10.200.0.0/16` or `2001:db8:1::/96`: a network of addresses that hosts can have, as Tunnel::source takes it.
struct SourcePrefix {
  [[nodiscard]] Result<Prefix> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const Prefix& value) const;
  [[nodiscard]] Shape shape() const;
};

/// `203.0.113.0/24` or `2001:db8::/32`, of any length: clients, as Sources has them.
struct ClientNetwork {
  [[nodiscard]] Result<Prefix> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const Prefix& value) const;
  [[nodiscard]] Shape shape() const;
};

/// Whether the address is within the prefix; one of the other IP version is not.
[[nodiscard]] bool holds(const Prefix& prefix, const address& host);

/// "IPv4" or "IPv6".
[[nodiscard]] std::string_view version_of(const address& host);

/// `192.0.2.10:80`, `[2001:db8::1]:80`; with Port{0} `192.0.2.10:any`.
[[nodiscard]] std::string show_endpoint(const address& host, Port port);

/// `127.0.0.1:9105` or `[2001:db8::1]:9105`: an address of this host, or the unspecified one, to listen on.
struct ListenEndpoint {
  [[nodiscard]] Result<Endpoint> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const Endpoint& value) const { return show_endpoint(value.host, value.port); }
  [[nodiscard]] Shape shape() const;
};

}  // namespace astil::config
