#include "control/health/http_answer.hpp"

#include <algorithm>

namespace astil::health {
namespace {

using Kind = Outcome::Kind;

std::string range_of(const config::HttpCheck& check) {
  return std::to_string(check.status_low) + "-" + std::to_string(check.status_high);
}

}  // namespace

std::optional<Outcome> HttpAnswer::feed(std::span<const std::byte> bytes) {
  if (!has_status_) {
    const std::size_t before = status_.taken();
    switch (status_.feed(bytes)) {
      case HttpStatus::Progress::incomplete:
        return std::nullopt;
      case HttpStatus::Progress::not_http:
        return Outcome{Kind::failed, "not HTTP"};
      case HttpStatus::Progress::complete:
        break;
    }
    const unsigned status = status_.status();
    if (status < check_.status_low || status > check_.status_high)
      return Outcome{Kind::failed, "status " + std::to_string(status) + ", expected " + range_of(check_)};
    if (check_.body.empty()) return Outcome{};
    has_status_ = true;
    taken_ = status_.taken();
    const std::size_t used = taken_ - before;
    line_has_text_ = bytes[used - 1] != std::byte{'\n'};
    bytes = bytes.subspan(used);
  }
  bytes = bytes.first(std::min(bytes.size(), kLimit - std::min(kLimit, taken_)));
  taken_ += bytes.size();
  tail_ += skip_fields({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (tail_.find(check_.body) != std::string::npos) return Outcome{};
  if (tail_.size() >= check_.body.size()) tail_.erase(0, tail_.size() - (check_.body.size() - 1));
  if (taken_ >= kLimit) return missing_text();
  return std::nullopt;
}

Outcome HttpAnswer::end() const {
  return has_status_ ? missing_text() : Outcome{Kind::failed, "closed before a status was sent"};
}

std::string HttpAnswer::remark() const { return has_status_ ? missing_text().error : std::string{}; }

Outcome HttpAnswer::missing_text() const {
  return {Kind::failed, "status " + std::to_string(status_.status()) +
                            ", but the wanted text is not in the body; read " + std::to_string(taken_) + " bytes"};
}

/// What of the text is the body's.
std::string_view HttpAnswer::skip_fields(std::string_view text) {
  if (!in_fields_) return text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && !line_has_text_) {
      in_fields_ = false;
      return text.substr(i + 1);
    }
    if (text[i] != '\r') line_has_text_ = text[i] != '\n';
  }
  return {};
}

}  // namespace astil::health
