// `astil why` and `astil events`: what has changed, when and why.
#pragma once

#include <string>

#include "control/cli/command.hpp"

namespace astil::cli {

int why(const Command& command);
int events(const Command& command);

/// For each use of the backend a line that says how it is and why, and below it what led there.
[[nodiscard]] std::string why_text(const api::WhyView& view, Colour colour);
/// One line.
[[nodiscard]] std::string event_line(const api::EventView& event, Colour colour);

}  // namespace astil::cli
