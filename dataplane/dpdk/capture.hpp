// A capture as the control plane has it: the file that workers write to, and what is taken from it.
#pragma once

#include <filesystem>

#include "dataplane/dataplane.hpp"
#include "dataplane/dpdk/capture_share.hpp"

namespace astil::dpdk {

class Capture {
 public:
  /// Makes the file, with room for so many workers.
  static Result<Capture> make(std::filesystem::path file, std::uint32_t workers, const core::CaptureFilter& filter,
                              dataplane::CaptureTaker take);
  Capture(Capture&&) noexcept = default;
  Capture& operator=(Capture&&) noexcept = default;
  ~Capture();

  /// Also while packets are captured: one or another may meet a filter that is written in part.
  void want(const core::CaptureFilter& filter);
  [[nodiscard]] bool empty() const;
  /// Gives so many packets at most to the taker, the oldest first.
  void take(std::size_t most);
  [[nodiscard]] core::CaptureCounts counts() const;

 private:
  Capture(std::filesystem::path file, MappedCapture share, dataplane::CaptureTaker take)
      : file_(std::move(file)), share_(std::move(share)), take_(std::move(take)) {}
  void give(std::span<const std::byte> record) const;

  std::filesystem::path file_;
  MappedCapture share_;
  dataplane::CaptureTaker take_;
};

}  // namespace astil::dpdk
