// Contradictions between services, with the API's endpoint, and with the sizes of the tables.
#pragma once

#include <vector>

#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "control/config/source.hpp"
#include "control/config/tree.hpp"
#include "control/config/views.hpp"

namespace astil::config {

/// `services` are the views of the model, `root` the tree it was read from.
void check_across(const Model& model, const std::vector<ServiceView>& services, const Node& root, Mistakes& mistakes);

/// Whether services, backends and rings fit in the tables, of a model that may have backends that are found.
[[nodiscard]] Result<> check_room(const Model& model);

}  // namespace astil::config
