// A YAML text as a tree with places, from yaml-cpp's events.
#include "control/config/tree.hpp"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <sstream>
#include <utility>

#include "control/config/utf8.hpp"

namespace astil::config {
namespace {

Place place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column)};
}

/// Sorts the index of a finished mapping and reports the keys that are repeated.
void index_entries(Node& mapping, Mistakes& mistakes) {
  std::vector<Entry>& entries = mapping.entries;
  mapping.index.resize(entries.size());
  std::iota(mapping.index.begin(), mapping.index.end(), 0U);
  const auto by_key = [&](std::uint32_t a, std::uint32_t b) { return entries[a].key < entries[b].key; };
  std::stable_sort(mapping.index.begin(), mapping.index.end(), by_key);
  const Entry* first = nullptr;
  for (const std::uint32_t i : mapping.index) {
    Entry& entry = entries[i];
    entry.repeated = first != nullptr && first->key == entry.key;
    if (entry.repeated) {
      mistakes.add(entry.place, "duplicate key " + in_quotes(entry.key),
                   "first given in line " + std::to_string(first->place.line));
    } else {
      first = &entry;
    }
  }
}

/// Whether the scalar that the text begins with ends in the quotes it starts with, if any; yaml-cpp takes the text's
/// end too.
bool is_closed(std::string_view text) {
  const char quote = text.empty() ? '\0' : text.front();
  if (quote != '"' && quote != '\'') return true;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text[i] == quote) {
      const bool is_doubled = quote == '\'' && i + 1 < text.size() && text[i + 1] == quote;
      if (!is_doubled) return true;
      ++i;
    }
  }
  return false;
}

/// What an operator can do about yaml-cpp's terse words.
std::string syntax_hint(const std::string& message, std::string_view line) {
  using namespace YAML::ErrorMsg;
  const std::size_t indentation = std::min(line.find_first_not_of(" \t"), line.size());
  if (line.substr(0, indentation).find('\t') != std::string_view::npos) return "indent with blanks, not with tabs";
  const std::array hints{
      std::pair{MAP_VALUE,
                "check the indentation and that each colon above has a blank behind it; quote text with a colon"},
      std::pair{END_OF_MAP, "check the indentation: it does not match the lines above"},
      std::pair{END_OF_SEQ, "check the indentation: it does not match the lines above"},
      std::pair{END_OF_MAP_FLOW, "a comma or a closing } is missing before this"},
      std::pair{END_OF_SEQ_FLOW, "a comma or a closing ] is missing before this"},
      std::pair{FLOW_END, "this bracket closes none"},
      std::pair{UNKNOWN_TOKEN, "quote text that begins with this character"},
      std::pair{UNKNOWN_ANCHOR, "anchors and aliases are not supported: write the value out"},
  };
  const auto known = std::find_if(hints.begin(), hints.end(), [&](const auto& hint) { return message == hint.first; });
  return known == hints.end() ? "" : known->second;
}

/// Thrown out of the parser where a second document begins: nothing after it is read.
struct SecondDocument {};

/// Builds the tree of the first document. Containers under construction stand on a stack, the innermost last.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Source& source, Mistakes& mistakes) : source_(&source), mistakes_(&mistakes) {}

  [[nodiscard]] std::optional<Node>& root() { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    const Place place = place_of(mark);
    const bool is_marked = source_->from(place).starts_with("---");
    mistakes_->add(place, is_marked ? "a second document starts here" : "this stands outside of the configuration",
                   "a configuration file holds one document: one mapping of keys");
    throw SecondDocument{};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Node node;
    node.place = place_of(mark);
    // yaml-cpp's mark of an absent value is that of whatever comes next.
    if (!open_.empty()) node.place = open_.back().key ? open_.back().key->place : open_.back().node.place;
    complete(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Node node;
    node.place = place_of(mark);
    mistakes_->add(node.place, "aliases are not supported", "write the value out");
    complete(std::move(node));
  }

  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    mistakes_->add(place_of(mark), "anchors are not supported", "remove " + in_quotes('&' + name));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    Node node = make(Node::Kind::scalar, mark, tag);
    node.quoted = tag != "?";
    node.text = value;
    if (node.quoted && !is_closed(source_->from(node.place))) {
      mistakes_->add(node.place, "the quotation that starts here has no end", "close the quotes");
    }
    complete(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open_.push_back({make(Node::Kind::list, mark, tag), {}});
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open_.push_back({make(Node::Kind::mapping, mark, tag), {}});
  }
  void OnMapEnd() override {
    index_entries(open_.back().node, *mistakes_);
    close();
  }

 private:
  struct Open {
    Node node;
    std::optional<Node> key;  ///< of a mapping, while its value is awaited
  };

  Node make(Node::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    Node node;
    node.kind = kind;
    node.place = place_of(mark);
    // "?": no tag; "!": no tag on a scalar in quotes.
    if (tag != "?" && tag != "!" && !tag.empty()) {
      mistakes_->add(node.place, "tags are not supported", "remove the tag: each key has one type");
    }
    return node;
  }

  void close() {
    Node done = std::move(open_.back().node);
    open_.pop_back();
    complete(std::move(done));
  }

  void complete(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      const Node key = std::move(*parent.key);
      parent.key.reset();
      add_entry(parent.node, key, std::move(node));
    }
  }

  void add_entry(Node& mapping, const Node& key, Node value) {
    if (key.kind == Node::Kind::scalar && key.text == "<<" && !key.quoted) {
      mistakes_->add(key.place, "merge keys are not supported", "write the keys out");
    } else if (key.kind == Node::Kind::scalar) {
      mapping.entries.push_back({key.text, key.place, std::move(value), false});
    } else if (!mistakes_->at(key.place)) {
      mistakes_->add(key.place, "a key must be text, not " + in_words(key));
    }
  }

  const Source* source_;
  Mistakes* mistakes_;
  std::optional<Node> root_;
  std::vector<Open> open_;
  int documents_ = 0;
};

/// Reports the first byte that is not text; yaml-cpp accepts them all.
bool is_text(const Source& source, Mistakes& mistakes) {
  for (std::uint32_t line = 1; line <= source.lines().size(); ++line) {
    const std::string_view whole = source.lines()[line - 1];
    for (std::string_view rest = whole; !rest.empty();) {
      const Character character = first_character(rest);
      const Place place{line, static_cast<std::uint32_t>(whole.size() - rest.size())};
      if (!character.valid) {
        mistakes.add(place, "invalid UTF-8", "save the file as UTF-8");
        return false;
      }
      if (!is_printable(character.code)) {
        mistakes.add(place, "control character in the text", "remove it");
        return false;
      }
      rest.remove_prefix(character.bytes.size());
    }
  }
  return true;
}

}  // namespace

const Entry* Node::find(std::string_view key) const {
  const auto before = [this](std::uint32_t i, std::string_view wanted) { return entries[i].key < wanted; };
  const auto at = std::lower_bound(index.begin(), index.end(), key, before);
  return at != index.end() && entries[*at].key == key ? &entries[*at] : nullptr;
}

std::string in_words(const Node& node) {
  const bool is_number =
      !node.quoted && !node.text.empty() && node.text.find_first_not_of("0123456789") == std::string::npos;
  if (is_number && node.text.size() < 30) return node.text;
  switch (node.kind) {
    case Node::Kind::scalar:
      return in_quotes(node.text);
    case Node::Kind::list:
      return "a list";
    case Node::Kind::mapping:
      return "a mapping";
    case Node::Kind::nothing:
      break;
  }
  return "nothing";
}

std::optional<Node> parse_tree(const Source& source, Mistakes& mistakes) {
  if (!is_text(source, mistakes)) return std::nullopt;
  std::istringstream stream{std::string(source.text())};
  Builder builder(source, mistakes);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const SecondDocument&) {
    return std::move(builder.root());
  } catch (const YAML::DeepRecursion& error) {
    mistakes.add(place_of(error.mark), "lists and mappings are nested too deeply");
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    const Place place = place_of(error.mark);
    mistakes.add(place, "not valid YAML: " + error.msg, syntax_hint(error.msg, source.line(place.line)));
    return std::nullopt;
  }
  if (builder.root()) return std::move(builder.root());
  return Node{};
}

}  // namespace astil::config
