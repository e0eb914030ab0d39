// The text of a configuration by lines, and the mistakes found in it.
#include "control/config/source.hpp"

#include <algorithm>
#include <utility>

#include "control/config/utf8.hpp"

namespace astil::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// Counts the characters before places that come in order: on from the last, as a line may be long and full of
/// mistakes.
class Column {
 public:
  std::uint32_t of(Place place, std::string_view line) {
    if (place.line != last_.line) *this = {};
    const std::size_t end = std::min<std::size_t>(place.byte, line.size());
    const std::size_t begin = std::min<std::size_t>(last_.byte, end);
    characters_ += count_characters(line.substr(begin, end - begin));
    last_ = {place.line, static_cast<std::uint32_t>(end)};
    return static_cast<std::uint32_t>(characters_ + 1);
  }

 private:
  Place last_{0, 0};
  std::size_t characters_ = 0;
};

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

/// The line around the place. One that is long (JSON on one line is YAML too) is cut, and where it is, not within a
/// character.
void show_line(const Source& source, Place place, Diagnostic& diagnostic) {
  constexpr std::size_t kBefore = 80;
  constexpr std::size_t kBehind = 80;
  constexpr std::string_view kCut = "...";
  const std::string_view line = source.line(place.line);
  const std::size_t at = std::min<std::size_t>(place.byte, line.size());
  std::size_t first = at > kBefore ? at - kBefore : 0;
  while (first > 0 && first < at && continues_character(line[first])) ++first;
  std::size_t end = std::min(at + kBehind, line.size());
  while (end < line.size() && continues_character(line[end])) ++end;
  const std::string before = std::string(first > 0 ? kCut : "") + made_printable(line.substr(first, at - first));
  if (first > 0) diagnostic.caret = static_cast<std::uint32_t>(count_characters(before) + 1);
  diagnostic.source_line = before + made_printable(line.substr(at, end - at));
  if (end < line.size()) diagnostic.source_line += kCut;
}

}  // namespace

Source::Source(std::string_view text, std::string file_name) : file_name_(std::move(file_name)), text_(text) {
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  for (std::string_view rest = text_; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines_.push_back(line);
  }
}

std::string_view Source::line(std::uint32_t number) const {
  return 1 <= number && number <= lines_.size() ? lines_[number - 1] : std::string_view{};
}

std::string_view Source::from(Place place) const {
  const std::string_view whole = line(place.line);
  if (whole.data() == nullptr) return {};
  const auto begin =
      static_cast<std::size_t>(whole.data() - text_.data()) + std::min<std::size_t>(place.byte, whole.size());
  return text_.substr(begin);
}

void Mistakes::add(Place place, std::string message, std::string hint) {
  found_.emplace(place, Mistake{std::move(message), std::move(hint)});
}

Diagnostics Mistakes::in_order() const {
  Diagnostics out;
  Column column;
  for (const auto& [place, mistake] : found_) {
    const bool is_last = out.size() + 1 == kMostMistakes && found_.size() > kMostMistakes;
    Diagnostic diagnostic;
    diagnostic.file = source_->file_name();
    diagnostic.line = place.line;
    diagnostic.column = column.of(place, source_->line(place.line));
    diagnostic.message = is_last ? std::to_string(found_.size()) + " mistakes are too many to show" : mistake.message;
    diagnostic.hint = is_last ? "" : mistake.hint;
    show_line(*source_, place, diagnostic);
    out.push_back(std::move(diagnostic));
    if (is_last) break;
  }
  return out;
}

}  // namespace astil::config
