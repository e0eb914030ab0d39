// Contradictions in `ha:`, and between its groups and the services.
#pragma once

#include <vector>

#include "control/config/model.hpp"
#include "control/config/source.hpp"
#include "control/config/tree.hpp"
#include "control/config/views.hpp"

namespace astil::config {

void check_ha(const Model& model, const std::vector<ServiceView>& services, const Node& root, Mistakes& mistakes);

}  // namespace astil::config
