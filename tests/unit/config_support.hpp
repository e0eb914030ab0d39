// What the configuration's tests share: a sound configuration to break, and mistakes as lines of text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/config/load.hpp"

namespace astil::config::test {

/// The smallest configuration that is accepted. Its services stand last.
inline const std::string kSmallest = R"(interfaces: [eth0]
services:
  web:
    address: 192.0.2.10
    port: 80
    backends:
      a: {address: 198.51.100.1}
)";

/// The text with the one part replaced by the other.
inline std::string replaced(std::string text, std::string_view old_part, std::string_view new_part) {
  const std::size_t at = text.find(old_part);
  return at == std::string::npos ? "(nothing to replace)" : text.replace(at, old_part.size(), new_part);
}

/// `line:column: message`, and ` [hint]` if there is one; nothing for a sound text.
inline std::vector<std::string> mistakes_in(std::string_view text) {
  const LoadResult result = load(text, "astil.yaml");
  std::vector<std::string> out;
  if (result.has_value()) return out;
  for (const Diagnostic& d : result.error()) {
    const std::string hint = d.hint.empty() ? "" : " [" + d.hint + ']';
    out.push_back(std::to_string(d.line) + ':' + std::to_string(d.column) + ": " + d.message + hint);
  }
  return out;
}

}  // namespace astil::config::test
