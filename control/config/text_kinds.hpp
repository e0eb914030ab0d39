// Kinds of text with an inner order: names of the DNS.
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

}  // namespace astil::config
