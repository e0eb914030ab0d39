// A capture between astild and astil-dpdk: one file that both have mapped while it runs, /dev/shm/astil/<instance>/
// capture-<n>. astild makes it, writes the filter and takes packets; each worker writes what it captures into a ring of
// its own.
#pragma once

#include <filesystem>

#include "dataplane/base/result.hpp"
#include "dataplane/core/capture.hpp"
#include "dataplane/dpdk/record_ring.hpp"
#include "dataplane/dpdk/share.hpp"

namespace astil::dpdk {

/// Of all rings together, at most.
inline constexpr std::size_t kCaptureBytes = 4U << 20U;

struct CaptureShare {
  core::CaptureFilter filter;  ///< astild's
  core::CaptureCounts counts;  ///< changed by all workers
  std::uint32_t rings;         ///< of the first workers; others have no room for what they capture
  std::uint32_t ring_bytes;
  RingPlaces places[kMostWorkers];
};

/// The same, mapped.
class MappedCapture {
 public:
  static Result<MappedCapture> make(const std::filesystem::path& file, std::uint32_t workers);
  static Result<MappedCapture> open(const std::filesystem::path& file);

  MappedCapture(MappedCapture&& other) noexcept;
  MappedCapture& operator=(MappedCapture&& other) noexcept;
  ~MappedCapture();

  [[nodiscard]] CaptureShare* operator->() const { return share_; }
  [[nodiscard]] CaptureShare& operator*() const { return *share_; }
  /// A worker's; one without room where it has none.
  [[nodiscard]] RecordRing ring(std::uint32_t worker) const;

 private:
  MappedCapture(CaptureShare* share, std::size_t bytes) : share_(share), bytes_(bytes) {}

  CaptureShare* share_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace astil::dpdk
