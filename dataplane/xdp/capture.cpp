#include "dataplane/xdp/capture.hpp"

#include <bpf/bpf.h>

#include <cerrno>

namespace astil::xdp {
namespace {

// The programs' variables: maps of one record, by the names of their sections.
constexpr const char* kFilter = ".data.filter";
constexpr const char* kCounts = ".data.counts";
constexpr std::uint32_t kOnly = 0;

}  // namespace

Capture::Capture(const Program& program, KernelObject object, dataplane::CaptureTaker take)
    : program_(program), object_(std::move(object)), take_(std::move(take)) {}

Result<std::unique_ptr<Capture>> Capture::load(const Program& program, const KernelObject& plain,
                                               dataplane::CaptureTaker take) {
  auto object = KernelObject::beside(program.capture_object, plain);
  if (object.has_error()) return object.error();
  std::unique_ptr<Capture> capture(new Capture(program, std::move(*object), std::move(take)));
  const int captured = capture->object_.map_descriptor("captured");
  capture->ring_.reset(ring_buffer__new(captured, on_record, capture.get(), nullptr));
  if (!capture->ring_) return system_error("listen to the capture", errno);
  return capture;
}

Result<void> Capture::want(const core::CaptureFilter& filter) const {
  if (::bpf_map_update_elem(object_.map_descriptor(kFilter), &kOnly, &filter, BPF_ANY) != 0)
    return system_error("set the capture's filter", errno);
  return {};
}

Programs Capture::programs() {
  return {.xdp = object_.program("astil_xdp"), .tc = [this] { return tc_program(); }};
}

/// Over the same maps, those of the capture included.
Result<int> Capture::tc_program() {
  if (!tc_object_) {
    auto loaded = KernelObject::beside(program_.tc_capture_object, object_);
    if (loaded.has_error()) return loaded.error();
    tc_object_.emplace(std::move(*loaded));
  }
  return tc_object_->program("astil_tc");
}

int Capture::on_record(void* self, void* record, std::size_t size) {
  constexpr int kEnoughForNow = -1;
  auto& capture = *static_cast<Capture*>(self);
  const auto& packet = *static_cast<const core::CapturedPacket*>(record);
  const std::span bytes(static_cast<const std::byte*>(record), size);
  const bool whole = size >= core::kCapturedHeader && packet.bytes <= core::kMaxSnap &&
                     packet.left_bytes <= core::kMaxSnap &&
                     size >= core::kCapturedHeader + packet.bytes + packet.left_bytes;
  if (whole) {
    capture.take_({.packet = packet,
                   .arrived = bytes.subspan(core::kCapturedHeader, packet.bytes),
                   .left = bytes.subspan(core::kCapturedHeader + packet.bytes, packet.left_bytes)});
  }
  return capture.left_ != 0 && --capture.left_ == 0 ? kEnoughForNow : 0;
}

void Capture::take(std::size_t most) {
  left_ = most;
  ring_buffer__consume(ring_.get());
}

Result<core::CaptureCounts> Capture::counts() const {
  core::CaptureCounts counts{};
  if (::bpf_map_lookup_elem(object_.map_descriptor(kCounts), &kOnly, &counts) != 0)
    return system_error("read the capture's counts", errno);
  return counts;
}

}  // namespace astil::xdp
