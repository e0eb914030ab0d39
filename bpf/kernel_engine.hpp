// The engine of the XDP hook: the packet between data and data_end, tables in BPF arrays, jiffies for a clock.
#pragma once

#include <linux/if_ether.h>

#include "bpf/tables.hpp"
#include "dataplane/core/path.hpp"

namespace astil::bpf {

using namespace astil::core;

inline constexpr unsigned char kAddressFamilyInet = 2;  // AF_INET, whose header the BPF target can not include

/// Placing a new flow is a function of its own: the path of a known flow has the registers for itself, and the verifier
/// looks at each once.
ASTIL_SUBPROGRAM u32 astil_place_flow(xdp_md* context, const astil::core::Opening* opening);

class KernelEngine : public Silent {
 public:
  ASTIL_INLINE explicit KernelEngine(xdp_md* context) : context_(context), cpu_(current_cpu()) {}

  ASTIL_INLINE u8* begin() { return reinterpret_cast<u8*>(static_cast<u64>(context_->data)); }
  ASTIL_INLINE u8* end() { return reinterpret_cast<u8*>(static_cast<u64>(context_->data_end)); }
  ASTIL_INLINE u32 ingress() { return context_->ingress_ifindex; }
  ASTIL_INLINE bool open_gap(u32 bytes) { return adjust_head(context_, -static_cast<int>(bytes)) == 0; }
  ASTIL_INLINE u32 tick() { return static_cast<u32>((jiffies() * ::settings.tick_multiplier) >> 32U); }

  ASTIL_INLINE const Settings* settings() { return &::settings; }
  ASTIL_INLINE const IndexLine* index_line(u32 i) { return at<const IndexLine>(&::service_index, i); }
  ASTIL_INLINE const Service* service(u32 i) { return at<const Service>(&::services, i); }
  ASTIL_INLINE const Backend* backend(u32 i) { return at<const Backend>(&::backends, i); }
  ASTIL_INLINE const RingLine* ring_line(u32 i) { return at<const RingLine>(&::rings, i); }
  ASTIL_INLINE const MemberLine* member_line(u32 i) { return at<const MemberLine>(&::members, i); }
  ASTIL_INLINE FlowLine* flow_line(u32 i) { return at<FlowLine>(&::flows, i); }
  ASTIL_INLINE CpuRow* cpu_row() { return at<CpuRow>(&::cpu_rows, cpu_); }
  ASTIL_INLINE Counter* counter(u32 slot) {
    return at<Counter>(&::counters,
                       cpu_ * (::settings.header.sizes.backends + ::settings.header.sizes.services) + slot);
  }

  ASTIL_INLINE u64 next_turn(u32 service) {
    auto* cursor = at<Cursor>(&::cursors, service);
    return cursor == nullptr ? 0 : __sync_fetch_and_add(&cursor->turn, 1);
  }
  ASTIL_INLINE Placement place(const Opening& opening) { return astil_place_flow(context_, &opening); }
  ASTIL_INLINE bool swap(u64* place, u64 before, u64 after) {
    return __sync_val_compare_and_swap(place, before, after) == before;
  }
  /// BPF has no prefetch. A load whose value nobody waits for does the same on a processor that works out of order.
  ASTIL_INLINE void prefetch(const auto& record) { (void)shared_load(record); }
  ASTIL_INLINE void store_key(FlowKey& place, const FlowKey& key) { place = key; }
  ASTIL_INLINE void publish(u64* place, u64 value) { shared_store(*place, value); }
  ASTIL_INLINE void add(u64* counter, u64 amount) { *counter += amount; }

  ASTIL_INLINE NextHop route(Be32 to, Be32 from, u32 length) {
    ::bpf_fib_lookup query{};
    query.family = kAddressFamilyInet;
    query.tot_len = static_cast<u16>(length);
    query.ipv4_src = raw(from);
    query.ipv4_dst = raw(to);
    query.ifindex = context_->ingress_ifindex;
    const long answer = fib_lookup(context_, &query, sizeof(query), 0);
    // The kernel has put the gateway and the outgoing interface into the query.
    if (answer == BPF_FIB_LKUP_RET_NO_NEIGH) {
      return {.status = NextHop::Status::no_neighbour, .neighbour = Be32{query.ipv4_dst}, .interface = query.ifindex};
    }
    if (answer != BPF_FIB_LKUP_RET_SUCCESS) return {.status = NextHop::Status::no_route};
    return {.status = NextHop::Status::found,
            .neighbour = Be32{query.ipv4_dst},
            .interface = query.ifindex,
            .destination_mac = mac_of(query.dmac),
            .source_mac = mac_of(query.smac)};
  }

  ASTIL_INLINE void want_neighbour(Be32 address, u32 interface) {
    NeighbourWanted wanted{.address = address, .interface = interface};
    ringbuf_output(&::events, &wanted, sizeof(wanted), 0);
  }

 private:
  template <class Record>
  ASTIL_INLINE static Record* at(void* map, u32 index) {
    return static_cast<Record*>(map_lookup(map, &index));
  }

  ASTIL_INLINE static u64 mac_of(const u8 (&bytes)[ETH_ALEN]) {
    u64 word = 0;
    for (u32 i = 0; i < ETH_ALEN; ++i) word |= u64{bytes[i]} << (8U * i);
    return word;
  }

  xdp_md* context_;
  u32 cpu_;
};

ASTIL_SUBPROGRAM u32 astil_place_flow(xdp_md* context, const Opening* opening) {
  if (opening == nullptr) return refused(Reason::internal);
  KernelEngine engine(context);
  return place_flow(engine, *opening);
}

/// Takes the packet through the path; the verdict in XDP's terms.
ASTIL_INLINE int take(KernelEngine& engine, xdp_md* context) {
  const Verdict verdict = run(engine);
  if (verdict.interface != 0) {
    if (verdict.interface == context->ingress_ifindex) return XDP_TX;
    return static_cast<int>(redirect(verdict.interface, 0));
  }
  return verdict.reason >= kFirstDrop ? XDP_DROP : XDP_PASS;
}

}  // namespace astil::bpf
