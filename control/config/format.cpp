#include "control/config/format.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "control/config/comments.hpp"
#include "control/config/tree.hpp"

namespace astil::config {
namespace {

constexpr std::size_t kWidth = 100;  ///< what stands in one line may not go beyond it
constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
constexpr const char* kBeforeComment = "   ";

/// The last line that something of the node stands in; closing brackets are not looked at.
std::uint32_t last_line(const Node& node) {
  std::uint32_t last = node.place.line;
  for (const Node& item : node.items) last = std::max(last, last_line(item));
  for (const Entry& entry : node.entries) last = std::max({last, entry.place.line, last_line(entry.value)});
  return last;
}

std::string in_double_quotes(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '\t') {
      quoted += "\\t";
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string key_text(const std::string& key) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  const bool plain = !key.empty() && key.front() != '-' && key.find_first_not_of(kPlain) == std::string::npos;
  return plain ? key : in_double_quotes(key);
}

/// Everything that a document says, and nothing of how.
bool says_the_same(const Node& a, const Node& b) {
  const auto same_entry = [](const Entry& x, const Entry& y) {
    return x.key == y.key && says_the_same(x.value, y.value);
  };
  return a.kind == b.kind && a.quoted == b.quoted && a.text == b.text &&
         std::ranges::equal(a.items, b.items, says_the_same) && std::ranges::equal(a.entries, b.entries, same_entry);
}

/// A block scalar: what is behind its key, and the lines of its text.
struct Block {
  std::string header;  ///< "|", ">-", "|2+"
  TextLines lines;
  std::size_t indent = 0;  ///< of the text, in the source
};
using Blocks = std::map<Place, Block>;

std::size_t blanks_before(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }
bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

/// `parent`: the column that the text has to be behind.
Block block_at(const Node& node, const Source& source, std::ptrdiff_t parent) {
  Block block;
  const std::string_view head = source.from(node.place);
  block.header = head.substr(0, head.find_first_of(" \t\r\n"));
  const std::size_t digit = block.header.find_first_of("123456789");
  if (digit != std::string::npos) {
    block.indent = static_cast<std::size_t>(std::max<std::ptrdiff_t>(parent, 0) + block.header[digit] - '0');
    block.header[digit] = '2';  // as far as it is behind its key from now on
  }
  block.lines = {.first = node.place.line + 1, .last = node.place.line};
  const bool keeps_blanks = block.header.find('+') != std::string::npos;
  for (std::uint32_t line = block.lines.first; line <= source.lines().size(); ++line) {
    const std::string_view text = source.line(line);
    if (is_blank(text)) {
      if (keeps_blanks) block.lines.last = line;
      continue;
    }
    const auto indent = static_cast<std::ptrdiff_t>(blanks_before(text));
    if (indent <= parent || indent < static_cast<std::ptrdiff_t>(block.indent)) break;
    if (block.indent == 0) block.indent = static_cast<std::size_t>(indent);
    block.lines.last = line;
  }
  return block;
}

void find_blocks(const Node& node, const Source& source, std::ptrdiff_t parent, Blocks& found) {
  const std::string_view text = source.from(node.place);
  const bool block = node.kind == Node::Kind::scalar && node.quoted && (text.starts_with('|') || text.starts_with('>'));
  if (block) found.emplace(node.place, block_at(node, source, parent));
  for (const Node& item : node.items)
    find_blocks(item, source, static_cast<std::ptrdiff_t>(blanks_before(source.line(item.place.line))), found);
  for (const Entry& entry : node.entries)
    find_blocks(entry.value, source, static_cast<std::ptrdiff_t>(entry.place.byte), found);
}

Blocks blocks_of(const Node& root, const Source& source) {
  Blocks found;
  find_blocks(root, source, -1, found);
  return found;
}

std::vector<TextLines> lines_of(const Blocks& blocks) {
  std::vector<TextLines> lines;
  for (const auto& [place, block] : blocks) lines.push_back(block.lines);
  return lines;
}

class Writer {
 public:
  Writer(const Source& source, const Node& root)
      : source_(source), blocks_(blocks_of(root, source)), comments_(comments_of(source, lines_of(blocks_))) {}

  std::string run(const Node& root) {
    if (root.kind == Node::Kind::mapping) {
      write_mapping(root, "", kEnd, OnLine::no);
    } else if (root.kind != Node::Kind::nothing) {
      out_ += one_line(root);
      end_line(last_line(root));
    }
    write_comments_before(kEnd, "", 0);
    return std::move(out_);
  }

 private:
  enum class OnLine { no, yes };

  [[nodiscard]] bool is_flow(const Node& node) const {
    const std::string_view text = source_.from(node.place);
    return text.starts_with('{') || text.starts_with('[');
  }

  /// On one line, as it would stand behind its key.
  static std::string one_line(const Node& node) {
    std::string text;
    std::string between;
    switch (node.kind) {
      case Node::Kind::nothing:
        return {};
      case Node::Kind::scalar:
        return node.quoted ? in_double_quotes(node.text) : node.text;
      case Node::Kind::list:
        for (const Node& item : node.items) text += std::exchange(between, ", ") + one_line(item);
        return "[" + text + "]";
      case Node::Kind::mapping:
        break;
    }
    for (const Entry& entry : node.entries) {
      text += std::exchange(between, ", ") + key_text(entry.key) + ":";
      if (const std::string value = one_line(entry.value); !value.empty()) text += " " + value;
    }
    return "{" + text + "}";
  }

  /// Is it written on the line of its key, which has so many bytes already?
  [[nodiscard]] bool fits(const Node& node, std::size_t used) const {
    if (node.kind == Node::Kind::nothing || node.kind == Node::Kind::scalar) return true;
    if (node.items.empty() && node.entries.empty()) return true;
    if (!is_flow(node) || used + one_line(node).size() > kWidth) return false;
    const std::uint32_t first = node.place.line;
    const std::uint32_t last = last_line(node);
    return std::ranges::none_of(
        comments_, [&](const Comment& comment) { return comment.place.line >= first && comment.place.line < last; });
  }

  /// `next` is the line of what comes after the mapping. The first key may stand on a line that is begun already.
  void write_mapping(const Node& mapping, const std::string& indent, std::uint32_t next, OnLine begun) {
    const std::uint32_t column = mapping.entries.empty() ? 0 : mapping.entries.front().place.byte;
    for (std::size_t i = 0; i < mapping.entries.size(); ++i) {
      const Entry& entry = mapping.entries[i];
      const std::uint32_t then = i + 1 < mapping.entries.size() ? mapping.entries[i + 1].place.line : next;
      if (begun == OnLine::no || i != 0) {
        begin(entry.place.line, indent);
        out_ += indent;
      }
      out_ += key_text(entry.key) + ":";
      write_value(entry.value, indent, then);
    }
    if (!is_flow(mapping)) write_comments_before(next, indent, column);
  }

  void write_list(const Node& list, const std::string& indent, std::uint32_t next) {
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      const Node& item = list.items[i];
      const std::uint32_t then = i + 1 < list.items.size() ? list.items[i + 1].place.line : next;
      begin(item.place.line, indent);
      out_ += indent + "-";
      if (item.kind == Node::Kind::mapping && !fits(item, indent.size() + 2)) {
        out_ += " ";
        write_mapping(item, indent + "  ", then, OnLine::yes);
      } else {
        write_value(item, indent, then);
      }
    }
  }

  /// As it is, but for the indent.
  void write_block(const Node& node, const Block& block, const std::string& indent) {
    out_ += " " + block.header;
    end_line(node.place.line);
    for (std::uint32_t line = block.lines.first; line <= block.lines.last; ++line) {
      std::string_view text = source_.line(line);
      if (text.ends_with('\r')) text.remove_suffix(1);
      const bool beyond = text.size() > block.indent;
      out_ += beyond ? indent + "  " + std::string(text.substr(block.indent)) + "\n" : "\n";
    }
  }

  /// Behind a key or a dash.
  void write_value(const Node& node, const std::string& indent, std::uint32_t next) {
    if (const auto block = blocks_.find(node.place); block != blocks_.end() && node.kind == Node::Kind::scalar)
      return write_block(node, block->second, indent);
    const std::size_t line_begin = out_.rfind('\n') == std::string::npos ? 0 : out_.rfind('\n') + 1;
    if (fits(node, out_.size() - line_begin + 1)) {
      if (const std::string text = one_line(node); !text.empty()) out_ += " " + text;
      return end_line(last_line(node));
    }
    // A comment in the line of an opening bracket is of what stands there with it.
    const Place first = node.items.empty() ? node.entries.front().place : node.items.front().place;
    end_line(first.line == node.place.line && is_flow(node) ? 0 : key_line_);
    if (node.kind == Node::Kind::mapping) return write_mapping(node, indent + "  ", next, OnLine::no);
    write_list(node, indent + "  ", next);
  }

  /// Of what stands in this line of the source: the comments before it, and the blank line that it had.
  void begin(std::uint32_t line, const std::string& indent) {
    write_comments_before(line, indent, 0);
    const bool blank = line > 1 && source_.line(line - 1).find_first_not_of(" \t\r") == std::string_view::npos;
    if (blank && !out_.empty() && line != key_line_) blank_line();
    key_line_ = line;
  }

  /// With the comments that stand behind it in the source, up to this line.
  void end_line(std::uint32_t line) {
    while (next_ < comments_.size() && comments_[next_].place.line <= line && !comments_[next_].alone)
      out_ += kBeforeComment + comments_[next_++].text;
    out_ += "\n";
  }

  /// Those that stand before this line in lines of their own, at this column or behind it.
  void write_comments_before(std::uint32_t line, const std::string& indent, std::uint32_t column) {
    while (next_ < comments_.size() && comments_[next_].place.line < line) {
      const Comment& comment = comments_[next_];
      if (comment.alone && comment.place.byte < column) return;
      if (comment.after_blank && !out_.empty()) blank_line();
      out_ += indent + comment.text + "\n";
      ++next_;
    }
  }

  void blank_line() {
    if (!out_.ends_with("\n\n")) out_ += "\n";
  }

  const Source& source_;
  Blocks blocks_;
  std::vector<Comment> comments_;
  std::size_t next_ = 0;  ///< of the comments, the first that is not written yet
  std::uint32_t key_line_ = 0;
  std::string out_;
};

std::vector<std::string> texts_of(const std::vector<Comment>& comments) {
  std::vector<std::string> texts;
  for (const Comment& comment : comments) texts.push_back(comment.text);
  return texts;
}

/// Whether nothing is lost, and nothing would change a second time.
bool is_canonical_form_of(const std::string& made, const Node& root, const Source& source) {
  const Source after(made, source.file_name());
  Mistakes mistakes(after);
  const auto again = parse_tree(after, mistakes);
  const auto comments = [](const Source& of, const Node& tree) {
    return texts_of(comments_of(of, lines_of(blocks_of(tree, of))));
  };
  return again && mistakes.none() && says_the_same(*again, root) && comments(after, *again) == comments(source, root) &&
         Writer(after, *again).run(*again) == made;
}

}  // namespace

boost::system::result<std::string, Diagnostics> format(std::string_view text, const std::string& file_name) {
  const Source source(text, file_name);
  Mistakes mistakes(source);
  const auto root = parse_tree(source, mistakes);
  if (!root || !mistakes.none()) return mistakes.in_order();
  std::string made = Writer(source, *root).run(*root);
  if (!is_canonical_form_of(made, *root, source)) {
    mistakes.add(root->place, "this text can not be formatted without a loss", "format it by hand, and report it");
    return mistakes.in_order();
  }
  return made;
}

}  // namespace astil::config
