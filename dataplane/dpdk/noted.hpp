// What an instance has of the kernel's interfaces: fences, and taps that were made for ports. It stands in the share,
// so that whoever gives up the instance finds it.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/share.hpp"

namespace astil::dpdk {

/// Empty: there is no such interface.
[[nodiscard]] std::string name_of(std::uint32_t ifindex);
/// What an interface is called by now, which may have been renamed, or made anew.
[[nodiscard]] std::string name_now(const Noted& noted);

/// Notes an interface in a list of the share. `ifindex`: 0 before it is made; `what`: what the list is of.
Result<void> note(Noted (&list)[kMostPorts], const std::string& name, std::uint32_t ifindex, const std::string& what);

/// Keeps the kernel off the frames that a device takes, if it takes some, and notes that. Error: another instance than
/// this one has them.
Result<void> fence(Share& share, const std::string& device, const std::string& instance);
void take_fence_away(Noted& place);
/// The one that keeps the kernel off the frames that a port takes.
void take_fence_away(Share& share, const PortPlan& port);

}  // namespace astil::dpdk
