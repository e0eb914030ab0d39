// "Did you mean": edit distance with swaps of neighbours (optimal string alignment).
#include "control/config/suggest.hpp"

#include <algorithm>
#include <vector>

namespace astil::config {
namespace {

/// Words are a few letters long; what is longer is no misspelt key and not worth the time.
constexpr std::size_t kLongestWord = 64;

/// One mistake in a short word, one in three letters of a longer one.
std::size_t tolerance(std::string_view word) { return std::max<std::size_t>(1, word.size() / 3); }

bool is_abbreviation(std::string_view word, std::string_view known) {
  return word.size() >= 3 && (known.starts_with(word) || word.starts_with(known));
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kLongestWord) return {};
  std::string_view best;
  std::size_t best_distance = tolerance(word) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = is_abbreviation(word, candidate) ? 1 : edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view best = nearest_word(word, known);
  return best.empty() ? std::string{} : "did you mean \"" + std::string(best) + "\"?";
}

}  // namespace astil::config
