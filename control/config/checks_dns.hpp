// What the section dns says that can not be: records that are none, zones that are not whole, addresses that others
// have.
#pragma once

#include <vector>

#include "control/config/views.hpp"

namespace astil::config {

/// Zone files are not read here: whoever applies the configuration does.
void check_dns(const Model& model, const std::vector<ServiceView>& services, const Node& root, Mistakes& mistakes);

}  // namespace astil::config
