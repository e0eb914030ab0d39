// The tables as BPF maps. Arrays that the daemon maps into its memory, so that neither side needs a call to read or
// write a record. Sizes are set by the loader (dataplane/xdp); the names are those of the pins.
#pragma once

#include "bpf/helpers.hpp"
#include "dataplane/core/events.hpp"
#include "dataplane/core/hops.hpp"
#include "dataplane/core/layout.hpp"

#define ASTIL_ARRAY(map_name, Record)    \
  struct map_name##_map {                \
    MAP_UINT(type, BPF_MAP_TYPE_ARRAY);  \
    MAP_UINT(map_flags, BPF_F_MMAPABLE); \
    MAP_UINT(max_entries, 1);            \
    MAP_TYPE(key, unsigned);             \
    MAP_TYPE(value, Record);             \
  };                                     \
  SEC(".maps") map_name##_map map_name

// A variable, whose address the program knows: no look-up. libbpf makes a map of one record of the section.
SEC(".data.settings") astil::core::Settings settings;
ASTIL_ARRAY(service_index, astil::core::IndexLine);
ASTIL_ARRAY(services, astil::core::Service);
ASTIL_ARRAY(backends, astil::core::Backend);
ASTIL_ARRAY(rings, astil::core::RingLine);
ASTIL_ARRAY(members, astil::core::MemberLine);
ASTIL_ARRAY(flows, astil::core::FlowLine);
ASTIL_ARRAY(clients, astil::core::ClientLine);
ASTIL_ARRAY(fragments, astil::core::FragmentLine);
ASTIL_ARRAY(counters, astil::core::Counter);
ASTIL_ARRAY(cpu_rows, astil::core::CpuRow);
ASTIL_ARRAY(cursors, astil::core::Cursor);
ASTIL_ARRAY(loads, astil::core::Load);
ASTIL_ARRAY(drops, astil::core::ServiceDrops);
ASTIL_ARRAY(source_rules, astil::core::SourceRules);
ASTIL_ARRAY(source_ranges, astil::core::SourceRange);
ASTIL_ARRAY(source_buckets, astil::core::SourceBucket);
ASTIL_ARRAY(ports, astil::core::FlowLine);
ASTIL_ARRAY(port_clients, astil::core::ClientLine);

// Of the program alone: nobody else reads it. The loader sizes it, and says how many there are for each CPU: kMostHops,
// shifted down by this.
SEC(".rodata.hops") const volatile astil::core::u32 hop_shift = 0;
struct hops_map {
  MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
  MAP_UINT(max_entries, 1);
  MAP_TYPE(key, unsigned);
  MAP_TYPE(value, astil::core::Hop);
};
SEC(".maps") hops_map hops;

struct events_map {
  MAP_UINT(type, BPF_MAP_TYPE_RINGBUF);
  MAP_UINT(max_entries, 65536);
};
SEC(".maps") events_map events;

struct drop_events_map {
  MAP_UINT(type, BPF_MAP_TYPE_RINGBUF);
  MAP_UINT(max_entries, 262144);
};
SEC(".maps") drop_events_map drop_events;

struct held_fragments_map {
  MAP_UINT(type, BPF_MAP_TYPE_RINGBUF);
  MAP_UINT(max_entries, 524288);
};
SEC(".maps") held_fragments_map held_fragments;
