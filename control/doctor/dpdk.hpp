// Whether a host can run the DPDK engine as a configuration wants it.
#pragma once

#include "control/doctor/doctor.hpp"

namespace astil::doctor {

[[nodiscard]] dpdk::Wanted wanted_of(const config::Model& model);

/// Does the daemon make this interface, a tap?
[[nodiscard]] bool is_made(const config::Model& model, const std::string& interface);

void examine_dpdk(const Facts& facts, const config::Model& model, std::vector<Finding>& findings);

}  // namespace astil::doctor
