// What the section dns says of places that can not be: maps that nobody has, sites that no name leads to, and such of
// which nothing is known that a policy goes by.
#pragma once

#include "control/config/model.hpp"
#include "control/config/source.hpp"
#include "control/config/tree.hpp"

namespace astil::config {

/// The files of the maps are not read here: whoever applies the configuration does.
void check_places(const Model& model, const Node& section, Mistakes& mistakes);

}  // namespace astil::config
