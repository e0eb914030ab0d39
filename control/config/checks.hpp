// The mistakes that no key shows alone: values that contradict each other, and services that could not work side by
// side.
#pragma once

#include "control/config/model.hpp"
#include "control/config/source.hpp"
#include "control/config/tree.hpp"

namespace astil::config {

/// `model` was read from `root` and has its defaults. Values whose places have mistakes already are left out.
void check_model(const Model& model, const Node& root, Mistakes& mistakes);

}  // namespace astil::config
