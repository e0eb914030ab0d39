// What becomes of new flows while too few backends of a service are in rotation.
#pragma once

#include "control/balance/planner.hpp"

namespace astil::balance {

/// Changes the rotation of backends, which is each one's own so far, to what the service does. Are there too few?
bool provide_for_too_few(const ServiceInput& service, std::vector<dataplane::BackendUse>& backends);

}  // namespace astil::balance
