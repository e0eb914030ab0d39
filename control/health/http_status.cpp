#include "control/health/http_status.hpp"

#include <string_view>

namespace astil::health {
namespace {

constexpr std::string_view kShape = "HTTP/1.# ###";  // # is a digit

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

HttpStatus::Progress HttpStatus::feed(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    if (++total_ > kLimit) return Progress::not_http;
    const Progress progress = take(static_cast<char>(byte));
    if (progress != Progress::incomplete) return progress;
  }
  return Progress::incomplete;
}

HttpStatus::Progress HttpStatus::take(char c) {
  if (!informational_) return take_status_line(c);
  if (c == '\n' && !line_has_text_) {
    informational_ = false;
    position_ = 0;
    status_ = 0;
  } else if (c == '\n') {
    line_has_text_ = false;
  } else if (c != '\r') {
    line_has_text_ = true;
  }
  return Progress::incomplete;
}

HttpStatus::Progress HttpStatus::take_status_line(char c) {
  static_assert(kShape.size() == kStatusEnd);
  if (position_ < kStatusEnd) {
    const bool fits = kShape[position_] == '#' ? is_digit(c) : c == kShape[position_];
    if (!fits) return Progress::not_http;
    if (position_ >= kStatusEnd - 3) status_ = status_ * 10 + static_cast<unsigned>(c - '0');
    ++position_;
    return Progress::incomplete;
  }
  // A fourth digit is no status. A reason may follow or not, and some servers leave out its blank.
  if ((c != ' ' && c != '\r' && c != '\n') || status_ < 100) return Progress::not_http;
  if (status_ >= 200) return Progress::complete;
  informational_ = true;
  line_has_text_ = c != '\n';
  return Progress::incomplete;
}

}  // namespace astil::health
