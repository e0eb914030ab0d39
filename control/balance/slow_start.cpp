#include "control/balance/slow_start.hpp"

#include <algorithm>

namespace astil::balance {

using dataplane::BackendUse;
using dataplane::Rotation;

SlowStart start_slowly(std::chrono::milliseconds duration, const std::vector<BackendUse>& before, const Starts& starts,
                       const std::vector<BackendUse>& now_in, Clock::time_point now) {
  SlowStart slow{.tenths = std::vector<std::uint32_t>(now_in.size(), kTenths), .starts = {}, .next_step = {}};
  if (duration.count() == 0) return slow;
  std::unordered_map<std::uint64_t, bool> were_in;
  bool any_was_in = false;
  for (const BackendUse& use : before) {
    const bool in = use.rotation == Rotation::in;
    were_in[identity_of(use.address, use.port)] |= in;
    any_was_in |= in;
  }
  for (std::size_t i = 0; i < now_in.size() && any_was_in; ++i) {
    if (now_in[i].rotation != Rotation::in) continue;
    const std::uint64_t identity = identity_of(now_in[i].address, now_in[i].port);
    const auto begun = starts.find(identity);
    const auto was_in = were_in.find(identity);
    const bool comes = was_in == were_in.end() || !was_in->second;
    if (!comes && begun == starts.end()) continue;
    const Clock::time_point start = comes ? now : begun->second;
    const auto steps = (now - start) * (kTenths - 1) / duration;
    if (steps >= kTenths - 1) continue;
    slow.tenths[i] = static_cast<std::uint32_t>(steps) + 1;
    slow.starts[identity] = start;
    // A moment later than the step, which is rounded down.
    const auto next = start + (steps + 1) * Clock::duration(duration) / (kTenths - 1) + std::chrono::milliseconds(1);
    slow.next_step = std::min(slow.next_step.value_or(next), next);
  }
  return slow;
}

void weigh(const SlowStart& slow_start, std::vector<BackendUse>& backends) {
  if (slow_start.starts.empty()) return;
  std::uint32_t greatest = 1;
  for (const BackendUse& use : backends) greatest = std::max(greatest, use.weight);
  const std::uint32_t factor = std::clamp(core::kMaxWeight / greatest, 1U, kTenths);
  for (std::size_t i = 0; i < backends.size(); ++i) {
    if (backends[i].weight == 0) continue;
    backends[i].weight = std::max(1U, backends[i].weight * factor * slow_start.tenths[i] / kTenths);
  }
}

}  // namespace astil::balance
