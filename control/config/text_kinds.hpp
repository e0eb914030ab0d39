// Kinds of text beyond that of a few characters: names of the DNS, and what probes send and expect.
#pragma once

#include "control/config/kinds.hpp"

namespace astil::config {

/// `www.example.org`, with or without the dot of the root behind it, and the root itself, `.`. Underscores are taken
/// (`_sip._udp.example.org`), letters of other alphabets only as `xn--` has them.
struct DomainName {
  [[nodiscard]] Result<std::string> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const std::string& value) const { return value; }
  [[nodiscard]] Shape shape() const;
};

/// `lb1.example.org:9443`, `[2001:db8::5]:9443`.
struct RemoteServer {
  [[nodiscard]] Result<std::string> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const std::string& value) const { return value; }
  [[nodiscard]] Shape shape() const;
};

/// Any text, none as well.
struct Payload {
  std::size_t longest;  ///< in bytes

  [[nodiscard]] Result<std::string> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const std::string& value) const { return value; }
  [[nodiscard]] Shape shape() const;
};

}  // namespace astil::config
