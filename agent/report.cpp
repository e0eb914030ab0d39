#include "agent/report.hpp"

#include <chrono>

#include "control/base/log.hpp"
#include "control/base/notify.hpp"

namespace astil::agent {
namespace {

constexpr std::chrono::seconds kInterval{10};

struct Words {
  const char* name;
  const char* meaning;
};
constexpr std::array<Words, kOutcomes> kWords{{
#define ASTIL_WORDS(name, meaning) {#name, meaning},
    ASTIL_AGENT_OUTCOMES(ASTIL_WORDS)
#undef ASTIL_WORDS
}};

}  // namespace

std::string text_of(const Counts& counts) {
  std::string text;
  for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
    text += (outcome == 0 ? "" : " ") + std::string(kWords[outcome].name) + "=" + std::to_string(counts[outcome]);
  }
  return text;
}

void Report::start() {
  tell();
  timer_.expires_after(kInterval);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) start();
  });
}

void Report::tell() {
  const auto counts = decapsulator_.counts();
  if (counts.has_error()) {
    log::warning("packets not counted", {{"error", counts.error().text()}});
    return;
  }
  for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
    const bool first = told_[outcome] == 0 && (*counts)[outcome] != 0;
    if (!first || outcome == static_cast<std::size_t>(Outcome::unwrapped)) continue;
    log::warning("tunnelled packets not handed on",
                 {{"reason", kWords[outcome].name}, {"meaning", kWords[outcome].meaning}});
  }
  told_ = *counts;
  base::notify("STATUS=Packets: " + text_of(told_));
}

}  // namespace astil::agent
