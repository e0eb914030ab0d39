// Names of the DNS in the form of the wire, without compression: each label behind its length, the root's length 0 last
// (RFC 1035 section 3.1), 1 to 255 bytes, kept in strings. A *folded* name has its letters in lower case, so that equal
// names are equal bytes (RFC 4343).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "control/base/result.hpp"

namespace astil::dns {

inline constexpr std::size_t kLongestName = 255;
inline constexpr std::size_t kLongestLabel = 63;

[[nodiscard]] constexpr char folded(char c) { return 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// `www.example.org`, with or without the dot of the root, folded. Letters are taken as they are: no escapes. Error: a
/// label or the name is empty or too long.
[[nodiscard]] Result<std::string> name_from_text(std::string_view text);

/// `text` below `origin`, a folded name; `@` is the origin itself.
[[nodiscard]] Result<std::string> name_below(std::string_view text, std::string_view origin);

/// `www.example.org`; the root is `.`. Bytes that are not letters, digits, `-`, `_`, `*` come as `\DDD` (RFC 4343
/// section 2.1).
[[nodiscard]] std::string name_to_text(std::string_view name);

/// The name without its first label. The name is not the root.
[[nodiscard]] inline std::string_view parent_of(std::string_view name) {
  return name.substr(1 + static_cast<unsigned char>(name.front()));
}

[[nodiscard]] inline bool is_root(std::string_view name) { return name.size() == 1; }

/// Whether the name is the other one or below it; both folded.
[[nodiscard]] bool is_within(std::string_view name, std::string_view other);

}  // namespace astil::dns
