// Contradictions in a service's lists and limits of sources.
#pragma once

#include "control/config/source.hpp"
#include "control/config/views.hpp"

namespace astil::config {

void check_client_sources(const ServiceView& service, Mistakes& mistakes);

}  // namespace astil::config
