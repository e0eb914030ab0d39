#include "control/config/comments.hpp"

#include <algorithm>

namespace astil::config {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view without_end(std::string_view text) {
  const auto last = text.find_last_not_of(kBlanks);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// Walks over the text and knows whether it is in quotes.
class Scanner {
 public:
  Scanner(const Source& source, const std::vector<TextLines>& texts) : source_(source), texts_(texts) {}

  std::vector<Comment> run() {
    for (std::uint32_t line = 1; line <= source_.lines().size(); ++line) scan(line);
    return std::move(found_);
  }

 private:
  void scan(std::uint32_t number) {
    const auto holds = [&](const TextLines& text) { return text.first <= number && number <= text.last; };
    if (std::ranges::any_of(texts_, holds)) return;
    const std::string_view line = source_.line(number);
    may_begin_ = true;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (quote_ != '\0') {
        i = skip_quoted(line, i);
        continue;
      }
      const char c = line[i];
      const bool before_blank = i == 0 || kBlanks.find(line[i - 1]) != std::string_view::npos;
      if (c == '#' && before_blank) return add(number, i);
      if ((c == '"' || c == '\'') && may_begin_) {
        quote_ = c;
      } else if (kBlanks.find(c) == std::string_view::npos) {
        may_begin_ = begins_after(line, i);
      }
    }
  }

  /// Whether a quotation may begin behind this character.
  static bool begins_after(std::string_view line, std::size_t at) {
    const char c = line[at];
    if (c == ',' || c == '[' || c == '{') return true;
    const bool then_blank = at + 1 >= line.size() || kBlanks.find(line[at + 1]) != std::string_view::npos;
    return (c == ':' || c == '-') && then_blank;
  }

  /// Gives the place of the last character that belongs to the quotation.
  std::size_t skip_quoted(std::string_view line, std::size_t at) {
    if (line[at] == '\\' && quote_ == '"') return at + 1;
    if (line[at] != quote_) return at;
    const bool doubled = quote_ == '\'' && at + 1 < line.size() && line[at + 1] == '\'';
    if (doubled) return at + 1;
    quote_ = '\0';
    may_begin_ = false;
    return at;
  }

  void add(std::uint32_t number, std::size_t at) {
    const std::string_view line = source_.line(number);
    Comment comment{.place = {number, static_cast<std::uint32_t>(at)},
                    .text = std::string(without_end(line.substr(at))),
                    .alone = line.find_first_not_of(kBlanks) == at};
    comment.after_blank = comment.alone && number > 1 && without_end(source_.line(number - 1)).empty();
    found_.push_back(std::move(comment));
  }

  const Source& source_;
  const std::vector<TextLines>& texts_;
  std::vector<Comment> found_;
  char quote_ = '\0';
  bool may_begin_ = true;
};

}  // namespace

std::vector<Comment> comments_of(const Source& source, const std::vector<TextLines>& texts) {
  return Scanner(source, texts).run();
}

}  // namespace astil::config
