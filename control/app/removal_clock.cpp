#include "control/app/removal_clock.hpp"

namespace astil::app {

std::vector<std::uint32_t> RemovalClock::due(const std::vector<Removed>& removed, TimePoint now) {
  std::map<Key, TimePoint> since;
  std::vector<std::uint32_t> numbers;
  for (const Removed& use : removed) {
    const auto known = since_.find(use.key);
    const TimePoint begun = known == since_.end() ? now : known->second;
    since.emplace(use.key, begun);
    if (use.limit && now - begun >= *use.limit) numbers.push_back(use.number);
  }
  since_ = std::move(since);
  return numbers;
}

}  // namespace astil::app
