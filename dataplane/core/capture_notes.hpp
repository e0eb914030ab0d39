// What a capturing engine notes of a packet on its way: the packet path's words on each stage (core::Silent), of which
// the last one of a kind counts.
#pragma once

#include "dataplane/core/capture.hpp"
#include "dataplane/core/engine.hpp"
#include "dataplane/core/flow_entry.hpp"

namespace astil::core {

/// Nothing is known yet of a packet that comes in; `time`: nanoseconds of the monotonic clock.
ASTIL_INLINE void begin_notes(CapturedPacket& packet, u64 time, u32 ingress) {
  packet.time = time;
  packet.ingress = ingress;
  packet.egress = 0;
  packet.left_length = 0;
  packet.left_bytes = 0;
  packet.service = kNoService;
  packet.backend = kNobody;
  packet.slot = 0;
  packet.flow = CapturedFlow::none;
  packet.by = CapturedBy::none;
}

/// To derive an engine's watcher from: `Notes::noted()` gives the packet that it works on, or nullptr.
template <class Notes>
struct CaptureNotes : Silent {
  ASTIL_INLINE void saw_service(const Service& service) {
    if (auto* packet = noted()) packet->service = service.id;
  }
  ASTIL_INLINE void saw_known_flow(const FlowPlace& place, const Backend& backend) {
    auto* packet = noted();
    if (packet == nullptr) return;
    packet->flow = CapturedFlow::known;
    packet->service = backend.service;
    packet->backend = backend_of(place.value);
  }
  ASTIL_INLINE void saw_unknown_flow(const FlowHash& /*hash*/) {
    if (auto* packet = noted()) packet->flow = CapturedFlow::fresh;
  }
  ASTIL_INLINE void saw_slot(const Service& /*service*/, Scheduler by, u32 slot, u32 backend) {
    auto* packet = noted();
    if (packet == nullptr) return;
    packet->by = by == Scheduler::round_robin   ? CapturedBy::round_robin
                 : by == Scheduler::source_hash ? CapturedBy::source_hash
                                                : CapturedBy::ring;
    packet->slot = slot;
    packet->backend = backend;
  }
  ASTIL_INLINE void saw_least_loaded(const Service& /*service*/, u32 backend) {
    auto* packet = noted();
    if (packet == nullptr) return;
    packet->by = CapturedBy::load;
    packet->backend = backend;
  }
  ASTIL_INLINE void saw_affinity(const Service& /*service*/, const FlowPlace& place) {
    auto* packet = noted();
    if (packet == nullptr) return;
    packet->by = CapturedBy::affinity;
    packet->backend = backend_of(place.value);
  }
  ASTIL_INLINE void saw_backend(const Backend& backend, u32 number) {
    auto* packet = noted();
    if (packet == nullptr) return;
    packet->service = backend.service;
    packet->backend = number;
  }
  ASTIL_INLINE void saw_drop(u32 service) {
    auto* packet = noted();
    if (packet != nullptr && service != kNoService) packet->service = service;
  }

 private:
  ASTIL_INLINE CapturedPacket* noted() { return static_cast<Notes*>(this)->noted(); }
};

}  // namespace astil::core
