// What the bench tells its kernel programs: which packet, which flows.
#pragma once

#include "dataplane/core/headers.hpp"

namespace astil::bench {

/// A kind of frame: where it differs from flow to flow. Offsets from the Ethernet header on, bytes; its length is a
/// multiple of 8, `kSource` where IP's source begins, and `kAddress` the last word of an address.
struct FromClient4 {
  static constexpr unsigned kBytes = 64;
  static constexpr unsigned kAddress = 26;
  static constexpr unsigned kSource = 26;
  static constexpr unsigned kPorts = 34;
  static constexpr unsigned kPort = 34;
};
struct FromBackend4 {
  static constexpr unsigned kBytes = 64;
  static constexpr unsigned kAddress = 30;
  static constexpr unsigned kSource = 26;
  static constexpr unsigned kPorts = 34;
  static constexpr unsigned kPort = 36;
};
struct FromClient6 {
  static constexpr unsigned kBytes = 80;
  static constexpr unsigned kAddress = 34;
  static constexpr unsigned kSource = 22;
  static constexpr unsigned kPorts = 54;
  static constexpr unsigned kPort = 54;
};

inline constexpr unsigned kMostBytes = 80;

struct Control {
  core::u64 frame[kMostBytes / 8];  ///< as it comes, but for what differs
  core::u32 cursor;
  core::u32 first_flow;
  core::u32 flow_mask;  ///< number of flows - 1; a power of two
  core::u32 interface;  ///< ifindex that bench_send sends out of
  core::u64 received;   ///< frames, by bench_receive
};

/// Who a flow's client is: the last word of its address, and its port.
constexpr core::Be32 client_of(core::u32 flow) { return core::be32(0x0a000000U + (flow >> 4U)); }
constexpr core::Be16 client_port_of(core::u32 flow) { return core::be16(static_cast<core::u16>(1024U + (flow & 15U))); }

}  // namespace astil::bench
