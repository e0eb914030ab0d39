// `astil fmt`: a configuration file in its canonical form.
#pragma once

#include "control/cli/command.hpp"

namespace astil::cli {

int fmt(const Command& command);

}  // namespace astil::cli
