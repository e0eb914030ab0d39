#include "control/import/statements.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace astil::import {
namespace {

constexpr unsigned kMostIncludes = 16;  // one within the other
constexpr std::size_t kMostFiles = 1000;
constexpr std::size_t kMostBlocks = 32;  // one within the other
constexpr std::size_t kLongestLine = 64U << 10U;
constexpr std::string_view kBlanks = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

std::size_t length_of_name(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_name) - text.begin());
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

struct Token {
  enum class Kind { word, open, close } kind = Kind::word;
  std::string text;
};

/// Takes one line apart: up to its comment, quotes away.
class Tokens {
 public:
  explicit Tokens(std::string_view line) : rest_(line) {}

  std::vector<Token> take_all() {
    while (!rest_.empty()) step();
    end_word();
    return std::move(tokens_);
  }
  /// A quote is open at the line's end.
  [[nodiscard]] bool open_quote() const { return quote_ != 0; }

 private:
  char next() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  void step() {
    const char c = next();
    if (quote_ != 0) return step_in_quote(c);
    if (c == '#' || c == '!') {
      rest_ = {};
    } else if (kBlanks.find(c) != std::string_view::npos) {
      end_word();
    } else if (c == '"' || c == '\'') {
      quote_ = c;
      in_word_ = true;
    } else if ((c == '{' && !word_.ends_with('$')) || (c == '}' && !in_parameter_)) {
      end_word();
      tokens_.push_back({c == '{' ? Token::Kind::open : Token::Kind::close, {}});
    } else {
      in_parameter_ = c == '{' || (in_parameter_ && c != '}');
      in_word_ = true;
      word_ += c;
    }
  }

  void step_in_quote(char c) {
    if (c == quote_) {
      quote_ = 0;
    } else if (c == '\\' && !rest_.empty()) {
      word_ += escaped(next());
    } else {
      word_ += c;
    }
  }

  static char escaped(char c) {
    constexpr std::array<std::pair<char, char>, 4> kEscapes{{{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'f', '\f'}}};
    const auto found = std::ranges::find(kEscapes, c, &std::pair<char, char>::first);
    return found == kEscapes.end() ? c : found->second;
  }

  void end_word() {
    if (in_word_) tokens_.push_back({Token::Kind::word, std::exchange(word_, {})});
    in_word_ = false;
    in_parameter_ = false;
  }

  std::string_view rest_;
  std::vector<Token> tokens_;
  std::string word_;
  bool in_word_ = false;  ///< that may be empty yet, behind a quote
  char quote_ = 0;
  bool in_parameter_ = false;  ///< within ${...}, that stands for nothing
};

}  // namespace

const std::string& Statement::word(std::size_t number) const {
  static const std::string kNone;
  return number < words.size() ? words[number] : kNone;
}

std::string Statement::text() const {
  std::string text;
  for (const auto& each : words) text += (text.empty() ? "" : " ") + each;
  return has_block ? text + " {}" : text;
}

std::vector<Statement> StatementReader::read(std::string_view text, const std::string& file) {
  open_.assign(1, Statement{{file, 1}, {}, true, {}});
  read_file(text, file, 0);
  end_statement();
  while (open_.size() > 1) {
    draft_.add_finding(open_.back().origin, open_.back().text(), "the block is not closed; it ends with the file");
    close_block(open_.back().origin);
  }
  return std::move(open_.front().block);
}

void StatementReader::read_file(std::string_view text, const std::string& file, unsigned depth) {
  const bool cut = text.size() > kMostText - text_read_;
  if (cut) text = text.substr(0, kMostText - text_read_);
  text_read_ += text.size();
  Origin origin{file, 0};
  while (!text.empty()) {
    const auto end = text.find('\n');
    ++origin.line;
    read_line(std::string(text.substr(0, end)), origin, depth);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (cut) draft_.add_finding(origin, file, "there is more text than is read; what follows is left out");
}

void StatementReader::read_line(std::string line, const Origin& origin, unsigned depth) {
  if (line.size() > kLongestLine) return draft_.add_finding(origin, line, "the line is too long and is left out");
  const auto whole = trimmed(line);
  if (std::exchange(in_definition_, in_definition_ && whole.ends_with('\\'))) return;
  if (whole.starts_with('@'))
    return draft_.add_finding(origin, whole, "conditions are not understood; write out what is meant");
  if (whole.starts_with("~SEQ") || whole.starts_with("~LST"))
    return draft_.add_finding(origin, whole, "sequences and lists are not understood; write out what is meant");
  if (define(whole, origin)) return;
  line = substituted(line);
  if (include(trimmed(line), origin, depth)) return;
  take_tokens(line, origin);
}

void StatementReader::take_tokens(const std::string& line, const Origin& origin) {
  Tokens tokens(line);
  for (auto& [kind, text] : tokens.take_all()) {
    if (kind == Token::Kind::open) {
      open_block(origin);
    } else if (kind == Token::Kind::close) {
      close_block(origin);
    } else {
      if (statement_.words.empty()) statement_.origin = origin;
      statement_.words.push_back(std::move(text));
    }
  }
  end_statement();
  if (tokens.open_quote()) draft_.add_finding(origin, line, "the quote is not closed; it ends with the line");
}

bool StatementReader::define(std::string_view line, const Origin& origin) {
  if (!line.starts_with('$')) return false;
  const auto length = length_of_name(line.substr(1));
  const auto after = line.substr(1 + length);
  if (length == 0 || !after.starts_with('=')) return false;
  in_definition_ = line.ends_with('\\');
  if (in_definition_) {
    draft_.add_finding(origin, line, "definitions of several lines are not understood; write out what is meant");
  } else {
    parameters_[std::string(line.substr(1, length))] = trimmed(after.substr(1));
  }
  return true;
}

std::string StatementReader::substituted(std::string line) const {
  constexpr unsigned kMostRounds = 16;  // a value may have parameters in it
  for (unsigned round = 0; round < kMostRounds && !parameters_.empty(); ++round) {
    std::string out;
    bool changed = false;
    for (std::size_t at = 0; at < line.size() && out.size() <= kLongestLine;) {
      const bool braces = line.compare(at, 2, "${") == 0;
      const std::size_t begin = at + (braces ? 2 : 1);
      const std::string_view rest = begin <= line.size() ? std::string_view(line).substr(begin) : std::string_view();
      const auto length = line[at] == '$' ? length_of_name(rest) : 0;
      const auto after = rest.substr(length, 1);
      const bool whole = braces ? after == "}" : after.empty() || kBlanks.find(after.front()) != std::string_view::npos;
      const auto value = length > 0 && whole ? parameters_.find(rest.substr(0, length)) : parameters_.end();
      if (value == parameters_.end()) {
        out += line[at++];
        continue;
      }
      out += value->second;
      at = begin + length + (braces ? 1 : 0);
      changed = true;
    }
    if (!changed || out.size() > kLongestLine) break;
    line = std::move(out);
  }
  return line;
}

bool StatementReader::include(std::string_view line, const Origin& origin, unsigned depth) {
  constexpr std::array<std::string_view, 6> kWords{"include",  "includer", "includem",
                                                   "includew", "includeb", "includea"};
  const auto words = Tokens(line).take_all();
  if (words.empty() || std::ranges::find(kWords, words.front().text) == kWords.end()) return false;
  auto pattern = std::string(trimmed(line.substr(words.front().text.size())));
  std::erase_if(pattern, [](char c) { return c == '"' || c == '\''; });
  const std::string what = "include " + pattern;
  if (!pattern.starts_with('/')) pattern = folder_of(origin.file) + pattern;
  const auto paths = files_.match ? files_.match(pattern) : std::vector<std::string>{};
  if (paths.empty()) draft_.add_finding(origin, what, "there is no such file");
  for (const auto& path : paths) {
    if (depth == kMostIncludes || files_read_ == kMostFiles) {
      draft_.add_finding(origin, what, "there are too many includes; " + path + " is left out");
      break;
    }
    ++files_read_;
    const auto text = files_.read(path);
    if (text) {
      read_file(*text, path, depth + 1);
    } else {
      draft_.add_finding(origin, what, text.error().what);
    }
  }
  return true;
}

void StatementReader::open_block(const Origin& origin) {
  if (open_.size() == kMostBlocks) return draft_.add_finding(origin, "{", "blocks are too deep within each other");
  auto& around = open_.back().block;
  if (statement_.words.empty() && !around.empty() && !around.back().has_block) {
    // The brace stands on a line of its own.
    statement_ = std::move(around.back());
    around.pop_back();
  }
  if (statement_.words.empty()) statement_.origin = origin;
  statement_.has_block = true;
  open_.push_back(std::exchange(statement_, {}));
}

void StatementReader::close_block(const Origin& origin) {
  end_statement();
  if (open_.size() == 1) return draft_.add_finding(origin, "}", "closes no block");
  Statement closed = std::move(open_.back());
  open_.pop_back();
  open_.back().block.push_back(std::move(closed));
}

void StatementReader::end_statement() {
  if (!statement_.words.empty()) open_.back().block.push_back(std::exchange(statement_, {}));
}

}  // namespace astil::import
