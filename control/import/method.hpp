// How packets reach a backend, as LVS has it.
#pragma once

#include "control/config/model.hpp"

namespace astil::import {

struct Method {
  config::Forwarding forwarding = config::Forwarding::nat;
  config::Tunnel tunnel;
  bool operator==(const Method&) const = default;
};

}  // namespace astil::import
