// The bench behind a choice (docs/decisions/0017): what a NIC's checksum offload would cost the packet path, beside the
// checksums by difference that it has. An offload wants the sum of the pseudo header in TCP's field, a 0 in IPv4's, and
// lengths and flags in the packet buffer; the difference wants a few additions. Over 32 frames in the caches, as behind
// the look ahead of a burst; least of many rounds.
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>

#include "dataplane/core/headers.hpp"
#include "dataplane/core/rewrite.hpp"

namespace {

using namespace astil;

constexpr std::size_t kFrames = 32;
constexpr int kTurns = 2000;
constexpr int kRounds = 300;

struct Frame {
  rte_mbuf* buffer;
  alignas(64) std::array<std::byte, 64> bytes;
};
std::array<Frame, kFrames> frames;
rte_mbuf buffers[kFrames];

core::Ipv4Header& ip_of(Frame& frame) { return *reinterpret_cast<core::Ipv4Header*>(frame.bytes.data() + 14); }
core::u16& tcp_checksum(Frame& frame) { return *reinterpret_cast<core::u16*>(frame.bytes.data() + 14 + 20 + 16); }

void by_difference(Frame& frame, core::Be32 to) {
  core::Ipv4Header& ip = ip_of(frame);
  const core::ChecksumDifference difference = core::replaced(ip.destination, to);
  ip.destination = to;
  auto& checksum = *reinterpret_cast<core::u16*>(frame.bytes.data() + 14 + 10);
  checksum = core::corrected(checksum, difference);
  tcp_checksum(frame) = core::corrected(tcp_checksum(frame), difference);
}

void by_offload(Frame& frame, core::Be32 to) {
  ip_of(frame).destination = to;
  auto* header = reinterpret_cast<rte_ipv4_hdr*>(frame.bytes.data() + 14);
  frame.buffer->l2_len = 14;
  frame.buffer->l3_len = 20;
  frame.buffer->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM;
  header->hdr_checksum = 0;
  tcp_checksum(frame) = rte_ipv4_phdr_cksum(header, frame.buffer->ol_flags);
}

double nanoseconds(const std::function<void(core::Be32)>& over_all) {
  double least = std::numeric_limits<double>::max();
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int turn = 0; turn < kTurns; ++turn) over_all(core::be32(0x0a000000U + static_cast<core::u32>(turn)));
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
    least = std::min(least, time.count() / (kTurns * static_cast<double>(kFrames)));
  }
  return least;
}

}  // namespace

int main() {
  for (std::size_t i = 0; i < kFrames; ++i) {
    frames[i].buffer = &buffers[i];
    frames[i].bytes[14] = std::byte{0x45};
  }
  const auto keep = [] { asm volatile("" : : : "memory"); };
  const double difference = nanoseconds([&](core::Be32 to) {
    for (Frame& frame : frames) by_difference(frame, to);
    keep();
  });
  const double offload = nanoseconds([&](core::Be32 to) {
    for (Frame& frame : frames) by_offload(frame, to);
    keep();
  });
  std::printf("nanoseconds a frame: by difference %.1f, prepared for an offload %.1f (%.2f times)\n", difference,
              offload, offload / difference);
}
