// What the capturing build's engine notes of a packet on its way: the packet path's words on each stage (core::Silent),
// of which the last one of a kind counts. To be included before bpf/kernel_engine.hpp, which then derives from Notes.
#pragma once

#include "bpf/helpers.hpp"
#include "dataplane/core/capture.hpp"
#include "dataplane/core/engine.hpp"
#include "dataplane/core/flow_entry.hpp"

// The packet that a CPU works on. XDP and tc work on none while they work on another.
struct capture_rows_map {
  MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  MAP_UINT(max_entries, 1);
  MAP_TYPE(key, unsigned);
  MAP_TYPE(value, astil::core::CapturedPacket);
};
SEC(".maps") capture_rows_map capture_rows;

namespace astil::bpf {

using namespace astil::core;

ASTIL_INLINE CapturedPacket* captured_packet() {
  const u32 first = 0;
  return static_cast<CapturedPacket*>(map_lookup(&::capture_rows, &first));
}

struct Notes : Silent {
  ASTIL_INLINE void saw_service(const Service& service) {
    if (auto* packet = captured_packet()) packet->service = service.id;
  }
  ASTIL_INLINE void saw_known_flow(const FlowPlace& place, const Backend& backend) {
    auto* packet = captured_packet();
    if (packet == nullptr) return;
    packet->flow = CapturedFlow::known;
    packet->service = backend.service;
    packet->backend = backend_of(place.value);
  }
  ASTIL_INLINE void saw_unknown_flow(const FlowHash& /*hash*/) {
    if (auto* packet = captured_packet()) packet->flow = CapturedFlow::fresh;
  }
  ASTIL_INLINE void saw_slot(const Service& /*service*/, Scheduler by, u32 slot, u32 backend) {
    auto* packet = captured_packet();
    if (packet == nullptr) return;
    packet->by = by == Scheduler::round_robin   ? CapturedBy::round_robin
                 : by == Scheduler::source_hash ? CapturedBy::source_hash
                                                : CapturedBy::ring;
    packet->slot = slot;
    packet->backend = backend;
  }
  ASTIL_INLINE void saw_least_loaded(const Service& /*service*/, u32 backend) {
    auto* packet = captured_packet();
    if (packet == nullptr) return;
    packet->by = CapturedBy::load;
    packet->backend = backend;
  }
  ASTIL_INLINE void saw_affinity(const Service& /*service*/, const FlowPlace& place) {
    auto* packet = captured_packet();
    if (packet == nullptr) return;
    packet->by = CapturedBy::affinity;
    packet->backend = backend_of(place.value);
  }
  ASTIL_INLINE void saw_backend(const Backend& backend, u32 number) {
    auto* packet = captured_packet();
    if (packet == nullptr) return;
    packet->service = backend.service;
    packet->backend = number;
  }
  ASTIL_INLINE void saw_drop(u32 service) {
    auto* packet = captured_packet();
    if (packet != nullptr && service != kNoService) packet->service = service;
  }
};

}  // namespace astil::bpf

#define ASTIL_WATCHER ::astil::bpf::Notes
