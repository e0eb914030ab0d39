#include "control/health/suspicions.hpp"

namespace astil::health {
namespace {

/// Counters begin anew with tables that are made anew, and what waits may have become less.
std::uint64_t growth(std::uint64_t before, std::uint64_t now) { return now > before ? now - before : 0; }

std::string connections(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " connection" : " connections");
}

/// Empty: there is no sign.
std::string sign_of(const Signs& before, const Signs& now) {
  const std::uint64_t refused = growth(before.refused, now.refused);
  if (now.limits.refused != 0 && refused >= now.limits.refused) return "it refused " + connections(refused);
  const std::uint64_t unanswered = growth(before.unanswered, now.unanswered);
  const std::uint64_t opened = growth(before.connections, now.connections);
  // Of a backend that is well some wait as well: those of the last round trip.
  if (now.limits.unanswered != 0 && unanswered >= now.limits.unanswered && 2 * unanswered >= opened)
    return "it left " + connections(unanswered) + " without an answer";
  return {};
}

}  // namespace

std::vector<Suspicions::Change> Suspicions::see(const std::vector<Signs>& all, Clock::time_point now) {
  std::vector<Change> changes;
  ++round_;
  for (const Signs& signs : all) {
    const auto [found, is_new] = records_.try_emplace(signs.key, Record{.last = signs, .why = {}, .last_sign = {}});
    Record& record = found->second;
    record.round = round_;
    const std::string sign = is_new ? std::string() : sign_of(record.last, signs);
    record.last = signs;
    if (!sign.empty()) {
      record.last_sign = now;
      if (record.why.empty()) changes.push_back({signs.key, sign});
      record.why = sign;
    } else if (!record.why.empty() && now - record.last_sign >= kMemory) {
      record.why.clear();
      changes.push_back({signs.key, {}});
    }
  }
  std::erase_if(records_, [&](const auto& each) {
    if (each.second.round == round_) return false;
    if (!each.second.why.empty()) changes.push_back({each.first, {}});
    return true;
  });
  return changes;
}

const std::string& Suspicions::why(const TargetKey& key) const {
  static const std::string kNone;
  const auto found = records_.find(key);
  return found == records_.end() ? kNone : found->second.why;
}

}  // namespace astil::health
