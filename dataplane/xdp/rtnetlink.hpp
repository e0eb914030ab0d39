// What the kernel has to be asked by rtnetlink for an attachment to the tc hook.
#pragma once

#include <cstdint>

#include "dataplane/base/result.hpp"

namespace astil::xdp {

/// Does the interface stand for a device of a bus (PCI, virtio, USB ...), and not for something inside the kernel?
Result<bool> has_device(std::uint32_t ifindex);

/// Has the interface's clsact qdisc a filter, at ingress or at egress?
Result<bool> has_tc_filters(std::uint32_t ifindex);

}  // namespace astil::xdp
