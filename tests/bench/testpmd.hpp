// testpmd's macswap, DPDK's own, as the baseline of a run: a process beside the bench, over net_null too.
#pragma once

#include <cstddef>
#include <optional>

namespace astil::bench {

/// Nanoseconds a packet with bursts of that size, by testpmd's own count of cycles; none: it can not be run here.
std::optional<double> testpmd_macswap(std::size_t burst);

}  // namespace astil::bench
