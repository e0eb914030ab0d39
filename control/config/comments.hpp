// Where the comments of a YAML text stand, and what they say.
#pragma once

#include <string>
#include <vector>

#include "control/config/source.hpp"

namespace astil::config {

struct Comment {
  Place place;               ///< of the #
  std::string text;          ///< from the # on, without blanks at its end
  bool alone = false;        ///< nothing else stands in its line
  bool after_blank = false;  ///< `alone`, and the line before it is empty
};

/// Lines of text in which nothing is a comment: those of a block scalar.
struct TextLines {
  std::uint32_t first = 0;
  std::uint32_t last = 0;  ///< less than `first`: there are none
};

/// In order.
[[nodiscard]] std::vector<Comment> comments_of(const Source& source, const std::vector<TextLines>& texts = {});

}  // namespace astil::config
