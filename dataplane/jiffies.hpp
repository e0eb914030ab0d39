// The kernel's jiffies as a process sees them: the clock of flow ages, which every engine that has one shares, so that
// flows keep their ages when another engine takes them over.
#pragma once

#include <cstdint>

namespace astil::dataplane {

/// Ticks of the kernel's jiffies clock in a second.
[[nodiscard]] std::uint32_t kernel_hz();

/// The kernel's jiffies now, from a coarse clock: no system call.
[[nodiscard]] std::uint64_t jiffies_now();

}  // namespace astil::dataplane
