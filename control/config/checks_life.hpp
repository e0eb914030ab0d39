// Contradictions in what a service does when its backends are down.
#pragma once

#include "control/config/views.hpp"

namespace astil::config {

void check_when_down(const Model& model, const ServiceView& service, Mistakes& mistakes);

}  // namespace astil::config
