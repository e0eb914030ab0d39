// keepalived's configuration as statements: words, and a block of more statements where there is one. Comments, quotes,
// includes and simple parameters are dealt with; what the language has beyond that are findings.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/import/draft.hpp"

namespace astil::import {

struct Statement {
  Origin origin;
  std::vector<std::string> words;  ///< at least one, but for a block without a name
  bool has_block = false;
  std::vector<Statement> block;

  [[nodiscard]] const std::string& name() const { return word(0); }
  /// Empty where there are not as many.
  [[nodiscard]] const std::string& word(std::size_t number) const;
  /// All words, as they are shown in a finding.
  [[nodiscard]] std::string text() const;
};

/// Reads a file and what it includes.
class StatementReader {
 public:
  StatementReader(const Files& files, Draft& draft) : files_(files), draft_(draft) {}

  std::vector<Statement> read(std::string_view text, const std::string& file);

 private:
  using Block = std::vector<Statement>;

  void read_file(std::string_view text, const std::string& file, unsigned depth);
  void read_line(std::string line, const Origin& origin, unsigned depth);
  void take_tokens(const std::string& line, const Origin& origin);
  void open_block(const Origin& origin);
  void close_block(const Origin& origin);
  void end_statement();
  bool define(std::string_view line, const Origin& origin);
  bool include(std::string_view line, const Origin& origin, unsigned depth);
  [[nodiscard]] std::string substituted(std::string line) const;

  const Files& files_;
  Draft& draft_;
  std::map<std::string, std::string, std::less<>> parameters_;
  std::vector<Statement> open_;  ///< the blocks that are not closed yet, the outermost first; the first is the file
  Statement statement_;          ///< that is being read
  std::size_t text_read_ = 0;
  std::size_t files_read_ = 0;
  bool in_definition_ = false;  ///< of several lines
};

}  // namespace astil::import
