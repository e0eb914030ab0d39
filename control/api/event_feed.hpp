// Events as server-sent events (HTML, section 9.2): each with its number as `id`, its kind as `event`, and the
// EventView as `data`, on one line. Two more tell a client that it has not got all: `gap`, at first, and `behind`, at
// last.
#pragma once

#include <memory>

#include "control/api/routes.hpp"

namespace astil::api {

/// Ends when its client falls behind: when what it has not taken is not held any more, or when it takes longer than
/// kEventPatience over a piece.
[[nodiscard]] std::shared_ptr<Feed> make_event_feed(std::unique_ptr<EventFollower> follower);

inline constexpr std::chrono::seconds kEventPatience{30};
inline constexpr std::chrono::seconds kEventHeartbeat{15};

}  // namespace astil::api
