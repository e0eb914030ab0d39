// UTF-8 (RFC 3629): decoding, counting, display width.
#include "control/config/utf8.hpp"

#include <algorithm>
#include <array>

namespace astil::config {
namespace {

constexpr char32_t kReplacement = 0xfffd;

struct Lead {
  std::size_t length;  ///< of the whole character, 0: not a leading byte
  char32_t bits;       ///< the lead byte's share of the code point
  char32_t least;      ///< smaller code points have a shorter form, which alone is valid
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, byte, 0};
  if ((byte & 0xe0U) == 0xc0) return {2, byte & 0x1fU, 0x80};
  if ((byte & 0xf0U) == 0xe0) return {3, byte & 0x0fU, 0x800};
  if ((byte & 0xf8U) == 0xf0) return {4, byte & 0x07U, 0x10000};
  return {0, 0, 0};
}

struct Range {
  char32_t first, last;
};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](Range r) { return r.first <= code && code <= r.last; });
}

constexpr std::array kCombining{Range{0x300, 0x36f},   Range{0x1ab0, 0x1aff}, Range{0x200b, 0x200f},
                                Range{0x20d0, 0x20ff}, Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}};
constexpr std::array kWide{Range{0x1100, 0x115f}, Range{0x2e80, 0xa4cf},   Range{0xac00, 0xd7a3},
                           Range{0xf900, 0xfaff}, Range{0xfe30, 0xfe6f},   Range{0xff00, 0xff60},
                           Range{0xffe0, 0xffe6}, Range{0x1f300, 0x1faff}, Range{0x20000, 0x3fffd}};

}  // namespace

Character first_character(std::string_view text) {
  const Character invalid{text.substr(0, 1), kReplacement, false};
  const Lead lead = lead_of(static_cast<unsigned char>(text.front()));
  if (lead.length == 0 || lead.length > text.size()) return invalid;
  char32_t code = lead.bits;
  for (std::size_t i = 1; i < lead.length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0U) != 0x80) return invalid;
    code = (code << 6U) | (byte & 0x3fU);
  }
  const bool is_surrogate = 0xd800 <= code && code <= 0xdfff;
  if (code < lead.least || code > 0x10ffff || is_surrogate) return invalid;
  return {text.substr(0, lead.length), code, true};
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(first_character(text).bytes.size());
  return count;
}

bool is_printable(char32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
  return code < 0x7f || code > 0x9f || code == 0x85;
}

std::string made_printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character character = first_character(text);
    const bool is_line_end = character.code == '\n' || character.code == '\r';
    const bool is_shown = character.valid && is_printable(character.code) && !is_line_end;
    out += is_shown ? character.bytes : std::string_view("\xef\xbf\xbd");
    text.remove_prefix(character.bytes.size());
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::size_t end = 0;
  for (std::size_t i = 0; i < kLongest && end < text.size(); ++i) end += first_character(text.substr(end)).bytes.size();
  return '"' + made_printable(text.substr(0, end)) + (end < text.size() ? "...\"" : "\"");
}

std::size_t display_width(char32_t code) {
  if (is_in(kCombining, code)) return 0;
  return is_in(kWide, code) ? 2 : 1;
}

}  // namespace astil::config
