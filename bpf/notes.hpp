// Where the capturing build's engine notes what it sees of a packet on its way (dataplane/core/capture_notes.hpp). To
// be included before bpf/kernel_engine.hpp, which then derives from Notes.
#pragma once

#include "bpf/helpers.hpp"
#include "dataplane/core/capture_notes.hpp"

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

struct Notes : CaptureNotes<Notes> {
  ASTIL_INLINE CapturedPacket* noted() { return captured_packet(); }
};

}  // namespace astil::bpf

#define ASTIL_WATCHER ::astil::bpf::Notes
