// An instance of this engine as a whole, with or without a daemon.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/drive.hpp"
#include "dataplane/tables.hpp"

namespace astil::dpdk {

/// Has an instance ports, of this engine?
bool is_running(const std::string& instance);

/// The sizes of the tables that stand there; none: there are none that this build can read.
std::optional<core::Sizes> sizes_of(const std::string& instance);

/// The addresses of the services that an instance's tables hold.
std::vector<core::Address> shared_services(const std::string& instance);

/// Removes everything that an instance has of this engine, with or without a daemon. Returns the number of ports.
Result<std::size_t> remove_instance(const std::string& instance);

/// Makes the taps that stand for devices where they are missing. `remove_instance` removes those, and no other.
Result<void> make_taps(const std::string& instance, const Drive& drive);

}  // namespace astil::dpdk
