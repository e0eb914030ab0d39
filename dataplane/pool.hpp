// Room in a pool of lines (rings, lists of members). Nothing is kept between publications: what the active generation
// uses is taken first, and what is left is free, since no packet can look at it any more.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace astil::dataplane {

/// Lines that hold so many entries.
constexpr std::uint64_t lines_for(std::uint64_t entries, std::uint32_t per_line) {
  return (entries + per_line - 1) / per_line;
}

class LinePool {
 public:
  explicit LinePool(std::uint32_t lines) : used_(lines, false) {}

  void take(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t line = first; line < first + count && line < used_.size(); ++line) used_[line] = true;
  }

  /// `count` lines in a row, next fit; none: there is no such room. No lines are always to be had, at 0.
  std::optional<std::uint32_t> allocate(std::uint64_t count) {
    if (count == 0) return 0;
    for (const std::uint32_t start : {cursor_, 0U}) {
      std::uint32_t run = 0;
      for (std::uint32_t line = start; line < used_.size(); ++line) {
        run = used_[line] ? 0 : run + 1;
        if (run == count) {
          const std::uint32_t first = line + 1 - run;
          take(first, count);
          cursor_ = line + 1;
          return first;
        }
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] std::uint32_t lines() const { return static_cast<std::uint32_t>(used_.size()); }

 private:
  std::vector<bool> used_;
  std::uint32_t cursor_ = 0;
};

}  // namespace astil::dataplane
