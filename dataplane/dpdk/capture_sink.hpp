// What a worker captures while a capture runs: each packet as it came in and as it leaves, with what the packet path
// noted in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/core/capture.hpp"
#include "dataplane/core/engine.hpp"
#include "dataplane/dpdk/record_ring.hpp"

namespace astil::dpdk {

class CaptureSink {
 public:
  /// The filter and the counts outlive this; the ring's writer is this alone.
  CaptureSink(const core::CaptureFilter& filter, core::CaptureCounts& counts, RecordRing ring)
      : filter_(&filter), counts_(&counts), ring_(ring), packet_(std::make_unique<core::CapturedPacket>()) {}

  /// Keeps the frame as it comes in, and forgets the packet before it. `now`: nanoseconds of the monotonic clock.
  void arrive(std::span<const std::byte> frame, std::uint32_t ingress, std::uint64_t now);
  /// Writes the packet down, with the frame as it leaves, where it is wanted.
  void leave(std::span<const std::byte> frame, const core::Verdict& verdict);

  [[nodiscard]] core::CapturedPacket* packet() { return packet_.get(); }
  [[nodiscard]] bool empty() const { return ring_.empty(); }

 private:
  [[nodiscard]] bool is_wanted() const;

  const core::CaptureFilter* filter_;
  core::CaptureCounts* counts_;
  RecordRing ring_;
  std::unique_ptr<core::CapturedPacket> packet_;
};

}  // namespace astil::dpdk
