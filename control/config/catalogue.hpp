// The declarations of keys.hpp as plain data: what the JSON Schema, the reference page and hints are made from.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/kinds.hpp"

namespace astil::config {

struct CatalogueKey {
  enum class Form { value, list, section, mapping };

  /// The key makes sense only where its neighbour `key` has one of these values.
  struct Condition {
    std::string key;
    std::vector<std::string> words;
    auto operator<=>(const Condition&) const = default;
  };

  Form form = Form::value;
  std::string name;
  std::string doc;
  Shape shape;  ///< of the value, of each item of a list, of the names of a mapping
  bool is_required = false;
  std::size_t most = 0;            ///< items of a list
  bool may_repeat = false;         ///< likewise: some may be the same
  bool needs_entries = false;      ///< of a mapping: an empty one is refused
  std::string shown_default;       ///< as one would write it, or in words; empty where there is none
  bool is_default_value = false;   ///< shown_default is a value, not words about it
  Condition only_with;             ///< without a key where there is no condition
  std::vector<CatalogueKey> keys;  ///< of a section, or of each entry of a mapping
};

/// All keys in the order in which an operator would write them.
[[nodiscard]] const std::vector<CatalogueKey>& catalogue();

/// `it belongs in dataplane.tables`, for a key that is declared anywhere; else empty.
[[nodiscard]] std::string place_of_key(std::string_view name);

}  // namespace astil::config
