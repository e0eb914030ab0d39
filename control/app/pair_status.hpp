// What is shown of a pair, and what an operator should look at.
#pragma once

#include <vector>

#include "control/api/view.hpp"
#include "control/app/pair.hpp"

namespace astil::app {

[[nodiscard]] api::PairView pair_view(const Pair& pair, const config::Ha& ha);

/// Of `pair_view`; the gravest first.
[[nodiscard]] std::vector<api::ProblemView> pair_problems(const api::PairView& view);

}  // namespace astil::app
