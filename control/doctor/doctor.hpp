// Whether a host can be a balancer with a configuration, or a backend of one: each thing that matters with what was
// found, and what to do about it where it is wrong.
#pragma once

#include <string>
#include <vector>

#include "control/config/model.hpp"
#include "control/doctor/facts.hpp"

namespace astil::doctor {

struct Finding {
  std::string about;  ///< "kernel", "interface eth0: MTU"
  bool right = false;
  std::string found;
  std::string next;  ///< what to do; empty where it is right
  bool operator==(const Finding&) const = default;
};

/// What a balancer with this model has to have looked at.
[[nodiscard]] Facts gather_for(const config::Model& model);

/// Of a balancer. The facts are those of `gather_for` it.
[[nodiscard]] std::vector<Finding> examine_balancer(const Facts& facts, const config::Model& model);

/// Of a host that has a service address on its loopback, as tunnel and direct want it.
[[nodiscard]] std::vector<Finding> examine_backend(const Facts& facts, const config::address& service);

}  // namespace astil::doctor
