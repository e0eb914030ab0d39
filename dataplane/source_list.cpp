#include "dataplane/source_list.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "dataplane/core/hash.hpp"
#include "dataplane/core/sources.hpp"

namespace astil::dataplane {
namespace {

/// An address in the order of the tables: its high half first.
using Place = std::array<std::uint64_t, 2>;

struct Span {
  Place first;
  Place last;
  std::uint32_t rule;
};

Place place_of(const core::Address& address) {
  const auto place = core::detail::place_of(address);
  return {place.high, place.low};
}

Span span_of(const SourcePrefix& prefix) {
  Span span{.first = place_of(core::first_bits(prefix.network, prefix.length)),
            .last = {},
            .rule = (prefix.length + 1U) | (prefix.verdict == SourceVerdict::deny ? core::kDenied : 0U)};
  const auto behind = [](unsigned bits) { return bits >= 64 ? 0 : ~std::uint64_t{0} >> bits; };
  span.last = {span.first[0] | behind(prefix.length),
               span.first[1] | behind(prefix.length > 64 ? prefix.length - 64U : 0U)};
  return span;
}

/// The next address; none: it was the last.
std::optional<Place> after(const Place& place) {
  const std::uint64_t low = place[1] + 1;
  if (low != 0) return Place{place[0], low};
  if (place[0] + 1 == 0) return std::nullopt;
  return Place{place[0] + 1, 0};
}

class Ranges {
 public:
  /// From a place on, until the next one, a rule holds.
  void begin(const Place& first, std::uint32_t rule) {
    if (!list_.empty() && Place{list_.back().first[0], list_.back().first[1]} == first) list_.pop_back();
    if (!list_.empty() && list_.back().rule == rule) return;
    list_.push_back({.first = {first[0], first[1]}, .rule = rule, .reserved = 0});
  }
  [[nodiscard]] std::vector<core::SourceRange> take() { return std::move(list_); }

 private:
  std::vector<core::SourceRange> list_;
};

}  // namespace

std::vector<core::SourceRange> ranges_of(std::vector<SourcePrefix> prefixes) {
  if (prefixes.empty()) return {};
  std::vector<Span> spans;
  spans.reserve(prefixes.size());
  std::transform(prefixes.begin(), prefixes.end(), std::back_inserter(spans), span_of);
  // What holds others stands before them: prefixes do not overlap otherwise.
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return a.first != b.first ? a.first < b.first : b.last < a.last; });
  const bool allows = std::any_of(prefixes.begin(), prefixes.end(),
                                  [](const SourcePrefix& prefix) { return prefix.verdict == SourceVerdict::allow; });
  const std::uint32_t rest = allows ? core::kDenied : 0;
  Ranges ranges;
  ranges.begin({0, 0}, rest);
  std::vector<Span> open;  // each within the one before it
  const auto close = [&] {
    const auto behind = after(open.back().last);
    open.pop_back();
    if (behind) ranges.begin(*behind, open.empty() ? rest : open.back().rule);
  };
  for (const Span& span : spans) {
    while (!open.empty() && open.back().last < span.first) close();
    ranges.begin(span.first, span.rule);
    open.push_back(span);
  }
  while (!open.empty()) close();
  return ranges.take();
}

bool operator==(const SourceControl& a, const SourceControl& b) {
  const auto same = [](const core::SourceRange& x, const core::SourceRange& y) {
    return x.first[0] == y.first[0] && x.first[1] == y.first[1] && x.rule == y.rule;
  };
  return a.new_flows_per_second == b.new_flows_per_second && a.burst == b.burst && a.bits == b.bits &&
         std::equal(a.ranges.begin(), a.ranges.end(), b.ranges.begin(), b.ranges.end(), same);
}

core::SourceRules rules_of(const SourceControl& control, std::uint32_t first_range) {
  core::SourceRules rules{};
  rules.first_range = first_range;
  rules.ranges = static_cast<std::uint32_t>(control.ranges.size());
  if (control.new_flows_per_second != 0) {
    const std::uint32_t burst = std::max(control.burst, 1U);
    rules.interval = core::kSourceUnitsPerSecond / std::min(control.new_flows_per_second, core::kSourceUnitsPerSecond);
    rules.tolerance = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(std::uint64_t{burst - 1} * rules.interval,
                                std::uint64_t{core::kLongestBurstSeconds} * core::kSourceUnitsPerSecond));
    rules.per_second = control.new_flows_per_second;
    rules.burst = burst;
  }
  rules.bits = control.bits;
  return rules;
}

}  // namespace astil::dataplane
