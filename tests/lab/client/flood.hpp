// A flood: segments to a service from sources that nobody has, every flow from another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "control/base/result.hpp"
#include "tests/lab/client/flood_options.hpp"
#include "tests/packets/wire.hpp"

namespace astil::lab {

enum class Segment { syn, ack };

/// Makes the flood's frames. Sources are in 198.18.0.0/15 (RFC 2544) or 2001:db8:bad::/64, ports from 32768 on. Flows
/// whose numbers differ by less than 2^32 have different sources.
class FloodFrames {
 public:
  /// Of options only the target and the next hop matter. `own` is the MAC address that frames come from.
  FloodFrames(const FloodOptions& options, std::uint64_t own);

  /// Bytes of every frame.
  [[nodiscard]] std::size_t size() const { return syn_.size(); }

  /// `frame` has room for size() bytes.
  void write(std::span<std::byte> frame, std::uint64_t flow, Segment segment) const;

 private:
  bool is_ipv6_;
  test::Bytes syn_;  // flow 0's; the others differ in source and checksums
  test::Bytes ack_;
};

struct FloodReport {
  std::uint64_t frames = 0;  ///< that left
  std::uint64_t pauses = 0;  ///< since the interface took no more
  double seconds = 0;
};

/// Sends all of it. Needs the right to open packet sockets.
[[nodiscard]] Result<FloodReport> flood(const FloodOptions& options);

}  // namespace astil::lab
