// What differs between two configurations, in words: the answer of `astil apply`, and a line each in the log.
#pragma once

#include <string>
#include <vector>

#include "control/config/model.hpp"

namespace astil::app {

[[nodiscard]] std::vector<std::string> describe_changes(const config::Model& from, const config::Model& to);

}  // namespace astil::app
