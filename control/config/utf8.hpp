// UTF-8 read character by character, whatever the bytes are: enough to refuse what is not UTF-8, to count characters,
// and to place a caret under a character of a terminal line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace astil::config {

struct Character {
  std::string_view bytes;  ///< one byte where it is not valid UTF-8
  char32_t code = 0;       ///< U+FFFD where it is not valid
  bool valid = true;
};

/// The first character of a text that is not empty.
[[nodiscard]] Character first_character(std::string_view text);

[[nodiscard]] std::size_t count_characters(std::string_view text);

/// Characters that a configuration may hold: no control characters but tab, line feed and carriage return
/// (YAML 1.2, 5.1).
[[nodiscard]] bool is_printable(char32_t code);

/// The text with U+FFFD, one for one, for each character that would harm a terminal or a JSON text; tabs stay.
[[nodiscard]] std::string made_printable(std::string_view text);

/// The text as a message quotes it: in quotes, printable, cut when it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// Columns of a terminal that the character takes: 0 combining, 2 East Asian and pictographs, else 1.
[[nodiscard]] std::size_t display_width(char32_t code);

}  // namespace astil::config
