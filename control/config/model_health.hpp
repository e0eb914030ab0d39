// The part of the model that says how a server is probed.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/config/model_terms.hpp"

namespace astil::config {

/// A TCP connection that opens is a success.
struct TcpCheck {
  auto operator<=>(const TcpCheck&) const = default;
};

/// GET `path`; a status within [status_low, status_high] is a success.
struct HttpCheck {
  std::string path = "/";
  std::string host;  ///< the Host field; empty: the backend's address and port
  std::uint16_t status_low = 200;
  std::uint16_t status_high = 399;
  std::string body;  ///< what the body must have within the answer's first 64 KiB, at most 512 bytes; empty: anything
  auto operator<=>(const HttpCheck&) const = default;
};

/// Whose certificates a server's may be signed by.
struct TlsTrust {
  bool verify = true;  ///< false: it may be any
  std::string ca;      ///< a file of certificates, PEM; empty: the system's
  auto operator<=>(const TlsTrust&) const = default;
};

/// The same by TLS.
struct HttpsCheck {
  HttpCheck http;  ///< its host, if empty, is server_name if there is one
  /// Told to the server (SNI), and what its certificate must be for. Empty: nothing is told, and the certificate must
  /// be for the backend's address.
  std::string server_name;
  TlsTrust trust;
  auto operator<=>(const HttpsCheck&) const = default;
};

/// The values are the wire's, RFC 1035 section 3.2.2 and RFC 3596 section 2.1.
enum class DnsRecord : std::uint16_t { a = 1, aaaa = 28 };

/// The values are the wire's, RFC 1035 section 4.1.1.
enum class DnsResponseCode : std::uint8_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  name_error = 3,
  not_implemented = 4,
  refused = 5,
};

/// A query by UDP; an answer with that response code is a success, whatever records it has.
struct DnsCheck {
  std::string name;  ///< labels of 1 to 63 characters, 253 in all, and maybe a dot behind; or the root, "."
  DnsRecord record = DnsRecord::a;
  DnsResponseCode code = DnsResponseCode::no_error;
  auto operator<=>(const DnsCheck&) const = default;
};

/// A datagram by UDP.
struct UdpCheck {
  std::string send;  ///< what it holds, at most 512 bytes; an empty one is sent as well
  /// What an answer must begin with, at most 512 bytes. None: a success is any answer, and also none within the
  /// timeout, but not an ICMP message that the port is unreachable.
  std::optional<std::string> expect;
  auto operator<=>(const UdpCheck&) const = default;
};

/// An echo request, whose reply is a success. It has no port.
struct IcmpCheck {
  auto operator<=>(const IcmpCheck&) const = default;
};

/// The standard health service of gRPC, without TLS; SERVING is a success.
struct GrpcCheck {
  std::string service;  ///< what is asked about, at most 127 characters; empty: the server as a whole
  auto operator<=>(const GrpcCheck&) const = default;
};

/// A command that is run, without a shell; exit status 0 is a success.
struct ExecCheck {
  std::vector<std::string> command;  ///< an absolute path, and its arguments
  auto operator<=>(const ExecCheck&) const = default;
};

using Probe = std::variant<TcpCheck, HttpCheck, DnsCheck, UdpCheck, HttpsCheck, IcmpCheck, GrpcCheck, ExecCheck>;

/// Of what goes to no port by itself.
[[nodiscard]] inline bool needs_port(const Probe& probe) {
  return !std::holds_alternative<IcmpCheck>(probe) && !std::holds_alternative<ExecCheck>(probe);
}

/// Where probes of a backend go.
enum class ProbeVia {
  address,  ///< to the backend's own address, as the balancer's own connections do
  path,     ///< to the service's address, as forwarding tunnel and direct carry clients' packets to that backend
};

struct HealthCheck {
  Probe probe;
  /// Always given of services; by default according to the forwarding, and `address` with IcmpCheck. None of sites.
  std::optional<ProbeVia> via;
  std::optional<Port> port;  ///< none: the backend's; always given where that is any, but with IcmpCheck
  Milliseconds interval{1000};
  std::optional<Milliseconds> down_interval;  ///< while a backend is down and its probes fail; none: `interval`
  Milliseconds timeout{500};                  ///< of one probe, from connect to answer; at most `interval`
  unsigned rise = 2;                          ///< successes in a row that bring a backend up
  unsigned fall = 3;                          ///< failures in a row that take it down
  auto operator<=>(const HealthCheck&) const = default;
};

/// A check beside the first one.
struct FurtherCheck {
  std::string name;  ///< unique within the service
  HealthCheck check;
  auto operator<=>(const FurtherCheck&) const = default;
};

/// Which of several checks must succeed.
enum class HealthRule { all, any };

/// A backend that went down so often within that time stays down until it has been well for so long.
struct Flapping {
  unsigned downs = 3;
  Milliseconds within{300'000};
  Milliseconds hold{60'000};
  auto operator<=>(const Flapping&) const = default;
};

/// What of clients' connections makes a backend suspect, in a round of the census, a second as a rule; 0: not looked
/// at.
struct Passive {
  unsigned refused = 5;      ///< connections that it reset in answer to the SYN
  unsigned unanswered = 20;  ///< connections without an answer, more than the round before; and half of the new ones
  auto operator<=>(const Passive&) const = default;
};

}  // namespace astil::config
