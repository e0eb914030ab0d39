#include "control/app/fragment_holder.hpp"

#include <algorithm>

namespace astil::app {

void FragmentHolder::hold(std::uint32_t ifindex, Frame frame, Clock::time_point now) {
  if (held_.size() == kMost) {
    path_.lose(ifindex, frame);
    return;
  }
  held_.push_back({.ifindex = ifindex, .frame = {frame.begin(), frame.end()}, .since = now});
}

void FragmentHolder::retry(Clock::time_point now) {
  std::erase_if(held_, [&](const Held& held) {
    if (path_.knows_where(held.ifindex, held.frame)) {
      path_.send(held.ifindex, held.frame);
      return true;
    }
    if (now - held.since < kLongest) return false;
    path_.lose(held.ifindex, held.frame);
    return true;
  });
}

}  // namespace astil::app
