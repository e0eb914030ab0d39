// The defaults that follow from other values, filled in once the file is read.
#pragma once

#include "control/config/model.hpp"

namespace astil::config {

void fill_in_defaults(Model& model);

}  // namespace astil::config
