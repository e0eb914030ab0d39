// Incremental reading of one HTTP/1.1 response with a Content-Length; chunked bodies are not what the lab's servers
// send.
#include "tests/lab/client/response.hpp"

#include <strings.h>

#include <charconv>

namespace astil::lab {
namespace {

constexpr std::size_t kLongestHead = 16384;

template <class Number>
bool read_number(std::string_view text, Number& into) {
  return std::from_chars(text.data(), text.data() + text.size(), into).ec == std::errc{};
}

/// The value of a header line when its name is `name`.
std::optional<std::string_view> header_value(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':') return std::nullopt;
  if (strncasecmp(line.data(), name.data(), name.size()) != 0) return std::nullopt;
  line.remove_prefix(name.size() + 1);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line;
}

}  // namespace

bool Response::read_head(std::string_view head) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (!head.starts_with(kVersion) || !read_number(head.substr(kVersion.size()), status_)) return false;
  std::uint64_t length = 0;
  bool length_seen = false;
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    const auto line = head.substr(0, end);
    head.remove_prefix(std::min(end == std::string_view::npos ? end : end + 2, head.size()));
    if (const auto value = header_value(line, "Content-Length")) length_seen = read_number(*value, length);
    if (const auto value = header_value(line, "X-Backend")) backend_ = *value;
  }
  body_left_ = length;
  return length_seen;
}

Response::Progress Response::count_body(std::uint64_t bytes) {
  if (bytes > *body_left_) return progress_ = Progress::malformed;
  *body_left_ -= bytes;
  return progress_ = *body_left_ == 0 ? Progress::complete : Progress::incomplete;
}

Response::Progress Response::take(std::string_view bytes) {
  if (progress_ != Progress::incomplete) return progress_ = Progress::malformed;
  if (body_left_) return count_body(bytes.size());
  head_ += bytes;
  const auto end = head_.find("\r\n\r\n");
  if (end == std::string::npos) {
    return progress_ = head_.size() > kLongestHead ? Progress::malformed : Progress::incomplete;
  }
  const auto body = head_.size() - (end + 4);
  if (!read_head(std::string_view(head_).substr(0, end))) return progress_ = Progress::malformed;
  head_.clear();
  return count_body(body);
}

}  // namespace astil::lab
