// What differs in `ha:` between two configurations, in words: part of what `astil plan` and `astil apply` answer.
#pragma once

#include <string>
#include <vector>

#include "control/config/model.hpp"

namespace astil::app {

[[nodiscard]] std::vector<std::string> compare_pairs(const config::Model& from, const config::Model& to);

}  // namespace astil::app
