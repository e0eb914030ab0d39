// A YAML text as a tree that still knows where everything stands. yaml-cpp's own nodes let duplicate keys, merge keys,
// anchors, tags and a second document pass in silence; here each of them is a mistake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/source.hpp"

namespace astil::config {

struct Entry;

struct Node {
  enum class Kind { nothing, scalar, list, mapping };

  Kind kind = Kind::nothing;
  Place place;                       ///< of the first character; where there is nothing, of the key
  bool quoted = false;               ///< a scalar in quotes or a block scalar: text, whatever it looks like
  std::string text;                  ///< of a scalar
  std::vector<Node> items;           ///< of a list
  std::vector<Entry> entries;        ///< of a mapping, as written, repeated ones too
  std::vector<std::uint32_t> index;  ///< of a mapping: the entries by key, repeated ones in order of writing

  /// The entry of a mapping; where a key is repeated, the first. Null where there is none.
  [[nodiscard]] const Entry* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Place place;  ///< of the key
  Node value;
  bool repeated = false;  ///< the key stood before in the same mapping
};

/// What the node is, in words of a message: `"eth0"`, `80`, `a list`, `nothing`.
[[nodiscard]] std::string in_words(const Node& node);

/// The document of the text, or nothing where it is not YAML. Mistakes of YAML's level are added; a tree may come with
/// some.
[[nodiscard]] std::optional<Node> parse_tree(const Source& source, Mistakes& mistakes);

}  // namespace astil::config
