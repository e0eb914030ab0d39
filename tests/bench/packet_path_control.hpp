// What the bench tells its kernel programs: which packet, which flows.
#pragma once

#include "dataplane/core/headers.hpp"

namespace astil::bench {

/// A kind of frame: where it differs from flow to flow, by the last word of the client's address and by its port.
/// Offsets from the Ethernet header on, bytes; its length is a multiple of 8.
struct FromClient4 {
  static constexpr unsigned kBytes = 64;
  static constexpr unsigned kAddress = 26;
  static constexpr bool kIsWide = false;
  static constexpr unsigned kPort = 34;
};
struct FromBackend4 {
  static constexpr unsigned kBytes = 64;
  static constexpr unsigned kAddress = 30;
  static constexpr bool kIsWide = false;
  static constexpr unsigned kPort = 36;
};
struct FromClient6 {
  static constexpr unsigned kBytes = 80;
  static constexpr unsigned kAddress = 34;
  static constexpr bool kIsWide = true;
  static constexpr unsigned kPort = 54;
};

inline constexpr unsigned kMostBytes = 80;

/// Who a flow's client is, in network byte order.
struct Client {
  core::u32 address;  ///< the last word
  core::u16 port;
  core::u16 reserved;
};

struct Control {
  core::u64 frame[kMostBytes / 8];  ///< as it comes, but for what differs
  core::u32 cursor;
  core::u32 first_flow;
  core::u32 flow_mask;  ///< number of flows - 1; a power of two
  core::u32 interface;  ///< ifindex that bench_send sends out of
  core::u64 received;   ///< frames, by bench_receive
  Client next;          ///< of the next frame
};

constexpr Client client_of(core::u32 flow) {
  return {.address = raw(core::be32(0x0a000000U + (flow >> 4U))),
          .port = raw(core::be16(static_cast<core::u16>(1024U + (flow & 15U)))),
          .reserved = 0};
}

}  // namespace astil::bench
