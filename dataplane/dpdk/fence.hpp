// Where a port takes its frames from an interface of the kernel's, what keeps the kernel's hands off them: its stack
// has the service addresses, and would reset the connections. A filter of the clsact qdisc at ingress drops every frame
// but those that astil-dpdk hands over, which carry a mark. Filters outlive every process; so nothing is reset either
// while astil-dpdk starts anew.
#pragma once

#include <cstdint>

#include "dataplane/base/result.hpp"

namespace astil::dpdk {

/// Puts the fence up; no error where it is.
Result<void> raise_fence(std::uint32_t ifindex);
/// No error where there is none, or no such interface.
Result<void> remove_fence(std::uint32_t ifindex);
[[nodiscard]] bool has_fence(std::uint32_t ifindex);

/// Gives an interface back to the kernel: its fence goes, and what a killed process has left of AF_XDP sockets. What
/// can not be done is done with the interface's end.
void give_back(std::uint32_t ifindex);

/// From now on all that comes in by `tap` comes in by `ifindex`, past the fence.
Result<void> hand_over(std::uint32_t tap, std::uint32_t ifindex);

/// Takes away what a killed process has left of its AF_XDP sockets; no error where there is nothing.
Result<void> remove_socket_program(std::uint32_t ifindex);

}  // namespace astil::dpdk
