// What the bench tells its kernel programs: which packet, which flows.
#pragma once

#include "dataplane/core/headers.hpp"

namespace astil::bench {

inline constexpr unsigned kFrameBytes = 64;

struct Control {
  core::u64 header[3];  ///< the first 24 bytes of the frame: what the path overwrites in front of the addresses
  core::u32 cursor;
  core::u32 first_flow;
  core::u32 flow_mask;  ///< number of flows - 1; a power of two
  core::u32 tcp_flags;
  core::Be32 destination;
  core::u16 ip_checksum;
  core::u16 reserved;
};

}  // namespace astil::bench
