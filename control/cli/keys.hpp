// `astil dns keys`: makes key files of zones, and shows what their parents need.
#pragma once

#include "control/cli/command.hpp"

namespace astil::cli {

int dns_keys(const Command& command);

}  // namespace astil::cli
