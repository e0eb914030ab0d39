// Contradictions within dataplane.dpdk, and between it and the interfaces.
#pragma once

#include "control/config/model.hpp"
#include "control/config/source.hpp"
#include "control/config/tree.hpp"

namespace astil::config {

void check_dpdk(const Model& model, const Node& root, Mistakes& mistakes);

}  // namespace astil::config
