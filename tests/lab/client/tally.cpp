// Counting and reporting for lab_client.
#include "tests/lab/client/tally.hpp"

#include <algorithm>
#include <numeric>

namespace astil::lab {
namespace {

/// Linux sends a SYN again after this time (RFC 6298, section 2.1): an answer that took longer means that one was lost.
constexpr std::chrono::milliseconds kSynRetransmission{1000};

double seconds(Clock::time_point time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

}  // namespace

std::string_view name_of(Failure failure) {
  constexpr std::array<std::string_view, kFailures> kNames = {
      "refused",   "unreachable", "connect_timeout", "reset",   "answer_timeout",
      "cut_short", "malformed",   "bad_status",      "changed", "local"};
  return kNames[static_cast<std::size_t>(failure)];
}

void Tally::connection(const std::string& backend, Clock::time_point started, Clock::time_point now) {
  ++connections_;
  if (now - started >= kSynRetransmission) {
    ++delayed_;
    last_delayed_started_ = std::max(last_delayed_started_, started);
  }
  auto& counts = backends_[backend];
  ++counts.connections;
  counts.last_started = std::max(counts.last_started, started);
}

void Tally::answer(Clock::duration took) {
  ++answers_;
  longest_ = std::max(longest_, took);
}

void Tally::failure(Failure kind, const std::string& backend, Clock::time_point started, Clock::time_point now) {
  if (span_.first == Clock::time_point{}) span_.first = now;
  span_.last = now;
  span_.last_started = std::max(span_.last_started, started);
  ++failures_[static_cast<std::size_t>(kind)];
  if (!backend.empty()) ++backends_[backend].broken;
}

void Tally::flow(std::string from, std::string backend) { flows_.emplace_back(std::move(from), std::move(backend)); }

boost::json::object Tally::report(std::string_view event) const {
  boost::json::object out{{"event", event},
                          {"connections", connections_},
                          {"answers", answers_},
                          {"delayed", delayed_},
                          {"last_delayed_started", seconds(last_delayed_started_)},
                          {"longest_ms", std::chrono::duration<double, std::milli>(longest_).count()}};
  const auto failed = std::accumulate(failures_.begin(), failures_.end(), std::uint64_t{0});
  out["failed"] = failed;
  boost::json::object kinds;
  for (std::size_t i = 0; i < kFailures; ++i) {
    if (failures_[i] != 0) kinds[name_of(static_cast<Failure>(i))] = failures_[i];
  }
  out["failures"] = std::move(kinds);
  if (failed != 0) {
    out["first_failure"] = seconds(span_.first);
    out["last_failure"] = seconds(span_.last);
    out["last_failed_started"] = seconds(span_.last_started);
  }
  boost::json::object backends;
  for (const auto& [name, counts] : backends_) {
    backends[name] = {
        {"connections", counts.connections}, {"broken", counts.broken}, {"last_started", seconds(counts.last_started)}};
  }
  out["backends"] = std::move(backends);
  if (!flows_.empty()) {
    boost::json::object flows;
    for (const auto& [from, backend] : flows_) flows[from] = backend;
    out["flows"] = std::move(flows);
  }
  return out;
}

}  // namespace astil::lab
