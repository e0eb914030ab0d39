#include "dataplane/dpdk/capture.hpp"

#include <cstring>
#include <utility>
#include <vector>

namespace astil::dpdk {

Result<Capture> Capture::make(std::filesystem::path file, std::uint32_t workers, const core::CaptureFilter& filter,
                              dataplane::CaptureTaker take) {
  auto share = MappedCapture::make(file, workers);
  if (share.has_error()) return share.error();
  Capture capture(std::move(file), std::move(*share), std::move(take));
  capture.want(filter);
  return capture;
}

/// Workers that still have it mapped go on to write into a file that nobody sees.
Capture::~Capture() {
  std::error_code ignored;
  if (!file_.empty()) std::filesystem::remove(file_, ignored);
}

void Capture::want(const core::CaptureFilter& filter) { share_->filter = filter; }

bool Capture::empty() const {
  for (std::uint32_t i = 0; i < share_->rings; ++i) {
    if (!share_.ring(i).empty()) return false;
  }
  return true;
}

void Capture::give(std::span<const std::byte> record) const {
  if (record.size() < core::kCapturedHeader) return;
  // What a frame is read from stands behind the header, and is not read through the packet.
  const auto& packet = *reinterpret_cast<const core::CapturedPacket*>(record.data());
  const std::span frames = record.subspan(core::kCapturedHeader);
  if (packet.bytes > frames.size() || packet.left_bytes > frames.size() - packet.bytes) return;
  take_({.packet = packet,
         .arrived = frames.first(packet.bytes),
         .left = frames.subspan(packet.bytes, packet.left_bytes)});
}

void Capture::take(std::size_t most) {
  std::vector<RecordRing> rings;
  for (std::uint32_t i = 0; i < share_->rings; ++i) rings.push_back(share_.ring(i));
  for (std::size_t taken = 0; taken < most; ++taken) {
    RecordRing* oldest = nullptr;
    std::uint64_t first = ~std::uint64_t{0};
    for (RecordRing& ring : rings) {
      std::uint64_t time = 0;
      const auto record = ring.front();
      if (record.size() < sizeof(time)) continue;
      std::memcpy(&time, record.data() + offsetof(core::CapturedPacket, time), sizeof(time));
      if (time > first) continue;
      oldest = &ring;
      first = time;
    }
    if (oldest == nullptr) return;
    give(oldest->front());
    oldest->drop();
  }
}

core::CaptureCounts Capture::counts() const {
  const auto load = [](const std::uint64_t& count) { return __atomic_load_n(&count, __ATOMIC_RELAXED); };
  const core::CaptureCounts& counts = share_->counts;
  return {.captured = load(counts.captured),
          .over_rate = load(counts.over_rate),
          .no_room = load(counts.no_room),
          .window = load(counts.window)};
}

}  // namespace astil::dpdk
