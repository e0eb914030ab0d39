// The kernel's side of a port: a tap device.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"

namespace astil::dpdk {

/// Does it stay when its maker is gone, with its addresses and routes?
enum class Stays : bool { no, yes };

/// Makes the device where it is missing, and brings it up. The descriptor, which never waits, has its frames; one
/// process at a time can have it.
Result<base::Descriptor> open_tap(const std::string& name, Stays stays);
/// No error where there is none; what is not a tap is left alone.
Result<void> remove_tap(const std::string& name);
Result<void> set_mac(const std::string& name, const std::uint8_t (&mac)[6]);

}  // namespace astil::dpdk
