// What is shown of a pair, and what an operator should look at.
#pragma once

#include <vector>

#include "control/api/view.hpp"
#include "control/app/flow_sync.hpp"
#include "control/app/pair.hpp"

namespace astil::app {

/// Of GroupReport::peer_state: a GroupState, "none", or nothing where it is not known.
[[nodiscard]] std::string name_of_peer_state(std::uint8_t state);
[[nodiscard]] api::PairView pair_view(const Pair& pair, const config::Ha& ha, const FlowSync& sync);

/// Of `pair_view`; the gravest first.
[[nodiscard]] std::vector<api::ProblemView> pair_problems(const api::PairView& view);

}  // namespace astil::app
