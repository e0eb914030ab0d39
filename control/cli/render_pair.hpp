// A pair as an operator reads it.
#pragma once

#include <string>

#include "control/api/view.hpp"
#include "control/cli/table.hpp"

namespace astil::cli {

/// The two nodes, each group with its state, the paths between the nodes, and what was dropped.
[[nodiscard]] std::string pair_text(const api::PairView& pair, api::TimePoint now, Colour colour);

}  // namespace astil::cli
