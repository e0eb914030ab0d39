#include "control/health/state.hpp"

#include <limits>

namespace astil::health {

const char* to_string(Health health) {
  switch (health) {
    case Health::unknown:
      return "unknown";
    case Health::up:
      return "up";
    case Health::down:
      return "down";
  }
  return "unknown";
}

RiseFall::Effect RiseFall::add(Finding finding) {
  if (finding != last_) consecutive_ = 0;
  last_ = finding;
  if (consecutive_ < std::numeric_limits<unsigned>::max()) ++consecutive_;

  const bool passed = finding == Finding::passed;
  const Health aim = passed ? Health::up : Health::down;
  if (health_ == aim) return Effect::none;
  if (health_ != Health::unknown && consecutive_ < (passed ? rise_ : fall_)) return Effect::none;
  health_ = aim;
  return Effect::changed;
}

}  // namespace astil::health
