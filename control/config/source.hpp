// The text of a configuration by lines, and the mistakes found in it, gathered by every stage and given out in order of
// position.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/diagnostic.hpp"

namespace astil::config {

/// Where something stands in the text.
struct Place {
  std::uint32_t line = 1;  ///< counted from 1
  std::uint32_t byte = 0;  ///< in its line, counted from 0
  auto operator<=>(const Place&) const = default;
};

/// The text must outlive it. A byte order mark at the start is not part of the lines.
class Source {
 public:
  Source(std::string_view text, std::string file_name);

  [[nodiscard]] const std::string& file_name() const { return file_name_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] const std::vector<std::string_view>& lines() const { return lines_; }

  /// The text from the place on; empty beyond the text.
  [[nodiscard]] std::string_view from(Place place) const;

  /// Empty beyond the text.
  [[nodiscard]] std::string_view line(std::uint32_t number) const;

 private:
  std::string file_name_;
  std::string_view text_;
  std::vector<std::string_view> lines_;  ///< without their line ends
};

/// More are no help, and a hostile text has millions.
inline constexpr std::size_t kMostMistakes = 1000;

class Mistakes {
 public:
  explicit Mistakes(const Source& source) : source_(&source) {}

  void add(Place place, std::string message, std::string hint = {});

  [[nodiscard]] bool none() const { return found_.empty(); }

  /// Whether something wrong was found at just this place: what stands there has no value to reason about.
  [[nodiscard]] bool at(Place place) const { return found_.contains(place); }

  /// At most kMostMistakes, the last of which then says how many there are.
  [[nodiscard]] Diagnostics in_order() const;

 private:
  struct Mistake {
    std::string message, hint;
  };
  const Source* source_;
  std::multimap<Place, Mistake> found_;
};

}  // namespace astil::config
