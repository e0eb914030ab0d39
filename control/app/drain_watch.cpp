#include "control/app/drain_watch.hpp"

#include <cmath>

namespace astil::app {

void DrainWatch::see(const std::map<Key, std::uint64_t>& flows, TimePoint now) {
  std::erase_if(courses_, [&](const auto& course) { return !flows.contains(course.first); });
  for (const auto& [key, count] : flows) {
    Course& course = courses_[key];
    course.last = {.time = now, .flows = count};
    if (course.samples.empty() || now - course.samples.back().time >= kBetweenSamples)
      course.samples.push_back(course.last);
    while (course.samples.size() > 1 && now - course.samples.front().time > kLookedBack) course.samples.pop_front();
  }
}

/// Of n flows, n * exp(-rate * t) are left after t; the last one has ended, as likely as not, when half a flow is.
std::optional<std::chrono::duration<double>> DrainWatch::empty_in(const Key& key) const {
  const auto found = courses_.find(key);
  if (found == courses_.end()) return std::nullopt;
  const Sample& now = found->second.last;
  if (now.flows == 0) return std::chrono::duration<double>(0);
  const Sample& before = found->second.samples.front();
  const std::chrono::duration<double> passed = now.time - before.time;
  if (now.flows >= before.flows || passed.count() <= 0) return std::nullopt;
  const auto left = static_cast<double>(now.flows);
  return passed * (std::log(2 * left) / std::log(static_cast<double>(before.flows) / left));
}

}  // namespace astil::app
