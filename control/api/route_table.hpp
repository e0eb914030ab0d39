// The table of routes: what may be asked, by whom, and what answers it.
#pragma once

#include "control/api/handlers.hpp"
#include "control/api/routes.hpp"

namespace astil::api {

struct Route : RouteDescription {
  Answer (*handle)(Daemon&, const Query&, const Request&);
};

[[nodiscard]] const std::vector<Route>& all_routes();

}  // namespace astil::api
