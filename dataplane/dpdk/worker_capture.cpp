// A worker while a capture runs: apart from what it does else, which knows nothing of captures.
#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>

#include "dataplane/core/capture_match.hpp"
#include "dataplane/core/capture_notes.hpp"
#include "dataplane/dpdk/capture_sink.hpp"
#include "dataplane/dpdk/mbuf_engine.hpp"

namespace astil::dpdk {
namespace {

struct Notes : core::CaptureNotes<Notes> {
  core::CapturedPacket* noted() { return packet; }
  core::CapturedPacket* packet = nullptr;
};

std::span<const std::byte> bytes_of(const rte_mbuf* frame) {
  return {rte_pktmbuf_mtod(frame, const std::byte*), frame->data_len};
}

/// Copies what is kept of a frame. Gives how many bytes.
std::uint32_t keep(std::span<const std::byte> frame, std::uint32_t snap, core::u8* to) {
  const std::size_t bytes = std::min<std::size_t>({frame.size(), snap, core::kMaxSnap});
  std::memcpy(to, frame.data(), bytes);
  return static_cast<std::uint32_t>(bytes);
}

}  // namespace

void CaptureSink::arrive(std::span<const std::byte> frame, std::uint32_t ingress, std::uint64_t now) {
  core::begin_notes(*packet_, now, ingress);
  packet_->length = static_cast<std::uint32_t>(frame.size());
  packet_->bytes = keep(frame, filter_->snap, packet_->frames);
}

/// What passes and is no service's is none of ours: whoever wants to see it has the kernel's own means.
bool CaptureSink::is_wanted() const {
  const auto reason = static_cast<core::Reason>(packet_->reason);
  if (core::action_of(reason) == core::Action::pass && packet_->service == core::kNoService) return false;
  if (filter_->service != core::kNoService && filter_->service != packet_->service) return false;
  if (filter_->by_backend != 0 && !core::capture::is_of_backend(*filter_, packet_->backend)) return false;
  return core::capture::concerns_client(*filter_, *packet_);
}

void CaptureSink::leave(std::span<const std::byte> frame, const core::Verdict& verdict) {
  packet_->reason = static_cast<core::u8>(verdict.reason);
  if (!is_wanted()) return;
  if (!core::capture::is_within_rate(*filter_, *counts_, packet_->time)) {
    __atomic_fetch_add(&counts_->over_rate, 1, __ATOMIC_RELAXED);
    return;
  }
  if (verdict.interface != 0) {
    packet_->egress = verdict.interface & ~kSentByKernel;
    packet_->left_length = static_cast<std::uint32_t>(frame.size());
    packet_->left_bytes = keep(frame, filter_->snap, packet_->frames + packet_->bytes);
  }
  const std::size_t bytes = core::kCapturedHeader + packet_->bytes + packet_->left_bytes;
  const bool has_room = ring_.write({reinterpret_cast<const std::byte*>(packet_.get()), bytes});
  __atomic_fetch_add(has_room ? &counts_->captured : &counts_->no_room, 1, __ATOMIC_RELAXED);
}

void Worker::run_captured(std::span<rte_mbuf* const> burst, std::uint32_t ingress, std::span<core::Verdict> verdicts,
                          CaptureSink& sink) {
  for (std::size_t i = 0; i < burst.size(); ++i) {
    sink.arrive(bytes_of(burst[i]), ingress, state_.outside->now());
    WatchedEngine<Notes> engine(state_, burst[i], ingress);
    engine.packet = sink.packet();
    verdicts[i] = core::run(engine);
    sink.leave(bytes_of(burst[i]), verdicts[i]);
  }
}

}  // namespace astil::dpdk
