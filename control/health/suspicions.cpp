#include "control/health/suspicions.hpp"

namespace astil::health {
namespace {

/// Counters begin anew with tables that are made anew, and what waits may have become less.
std::uint64_t growth(std::uint64_t before, std::uint64_t now) { return now > before ? now - before : 0; }

std::string connections(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " connection" : " connections");
}

std::string refused_text(std::uint64_t count) { return "it refused " + connections(count); }
std::string unanswered_text(std::uint64_t count) { return "it left " + connections(count) + " without an answer"; }

}  // namespace

/// Empty: there is no sign. One round can show one, or several together what none of them does.
std::string Suspicions::sign_of(const Record& record, const Signs& now) {
  const Sample& before = record.before.back();
  const Sample& oldest = record.before.front();
  const std::uint64_t refused = growth(before.refused, now.refused);
  if (now.limits.refused != 0 && !now.has_any_port && refused >= now.limits.refused) return refused_text(refused);
  const std::uint64_t opened_lately = growth(oldest.connections, now.connections);
  const std::uint64_t refused_lately = growth(oldest.refused, now.refused);
  if (now.limits.refused != 0 && refused > 0 && refused_lately >= now.limits.refused &&
      2 * refused_lately >= opened_lately)
    return refused_text(refused_lately);
  if (now.limits.unanswered == 0 || now.unanswered < now.limits.unanswered) return {};
  const std::uint64_t unanswered = growth(before.unanswered, now.unanswered);
  const std::uint64_t opened = growth(before.connections, now.connections);
  // Of a backend that is well some wait as well: those of the last round trip.
  if (unanswered >= now.limits.unanswered && 2 * unanswered >= opened) return unanswered_text(unanswered);
  // As many may give up as come. Once they are answered, those that wait become fewer.
  const bool still_come = record.before.full() && growth(record.before[kRounds / 2].connections, now.connections) > 0;
  if (still_come && now.unanswered >= before.unanswered && 2 * now.unanswered >= opened_lately)
    return unanswered_text(now.unanswered);
  return {};
}

std::vector<Suspicions::Change> Suspicions::see(const std::vector<Signs>& all, Clock::time_point now) {
  std::vector<Change> changes;
  ++round_;
  for (const Signs& signs : all) {
    Record& record = records_[signs.key];
    record.round = round_;
    const std::string sign = record.before.empty() ? std::string() : sign_of(record, signs);
    record.before.push_back(
        {.connections = signs.connections, .refused = signs.refused, .unanswered = signs.unanswered});
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
