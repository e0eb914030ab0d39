// The engine over DPDK's packet buffers: a frame in one segment, tables as plain memory, the clocks as they were when
// its burst began. Checksums are finished in software, by difference, as in XDP; so a frame comes out the same.
#pragma once

#include <rte_mbuf.h>

#include "dataplane/core/path.hpp"
#include "dataplane/dpdk/worker.hpp"

namespace astil::dpdk {

using namespace core;  // NOLINT(google-build-using-namespace): the engine is the core's other half

/// `Watcher` hears of what the path sees of the packet.
template <class Watcher>
class WatchedEngine : public Watcher {
 public:
  WatchedEngine(WorkerState& worker, rte_mbuf* frame, std::uint32_t ingress)
      : worker_(worker), frame_(frame), ingress_(ingress) {}

  static constexpr bool kTagsInFrame = true;
  static constexpr bool kFinishedChecksums = true;

  ASTIL_INLINE u8* begin() { return rte_pktmbuf_mtod(frame_, u8*); }
  ASTIL_INLINE u8* end() { return begin() + frame_->data_len; }
  ASTIL_INLINE u32 ingress() { return ingress_; }
  template <Gap>
  ASTIL_INLINE bool open_gap(i32 bytes) {
    if (bytes >= 0) return rte_pktmbuf_prepend(frame_, static_cast<u16>(bytes)) != nullptr;
    return rte_pktmbuf_adj(frame_, static_cast<u16>(-bytes)) != nullptr;
  }
  bool trim(u32 bytes) {
    return bytes <= frame_->data_len && rte_pktmbuf_trim(frame_, static_cast<u16>(frame_->data_len - bytes)) == 0;
  }
  bool pull(u32 /*bytes*/) { return true; }
  u32 segment_bytes() { return 0; }
  bool push_tags(const detail::Exit& exit, Be16 type) { return detail::push_tag_bytes(*this, exit, type); }
  ASTIL_INLINE void correct_transport(ChecksumField* field, ChecksumDifference pseudo_header, ChecksumDifference rest,
                                      u8 protocol) {
    correct_in_place(*field, pseudo_header + rest, protocol);
  }

  ASTIL_INLINE u32 tick() { return worker_.tick; }
  u32 fine_tick() { return worker_.fine_tick; }
  u64 source_clock() { return worker_.source_clock; }
  u64 now() { return worker_.outside->now(); }
  NextHop route(const Address& to, const Address& from, u32 length) { return worker_.outside->route(to, from, length); }
  Hop* hop(u32 place) { return at(worker_.hops, static_cast<u32>(u64{place} * worker_.hops.size() / kMostHops)); }

  ASTIL_INLINE const Settings* settings() { return worker_.settings; }
  const IndexLine* index_line(u32 i) { return at(worker_.service_index, i); }
  const Service* service(u32 i) { return at(worker_.services, i); }
  ASTIL_INLINE const Backend* backend(u32 i) { return at(worker_.backends, i); }
  const RingLine* ring_line(u32 i) { return at(worker_.rings, i); }
  const MemberLine* member_line(u32 i) { return at(worker_.members, i); }
  ASTIL_INLINE FlowLine* flow_line(u32 i) { return at(worker_.flows, i); }
  ClientLine* client_line(u32 i) { return at(worker_.clients, i); }
  FragmentLine* fragment_line(u32 i) { return at(worker_.fragments, i); }
  FlowLine* port_line(u32 i) { return at(worker_.ports, i); }
  ClientLine* port_client_line(u32 i) { return at(worker_.port_clients, i); }
  ASTIL_INLINE CpuRow* cpu_row() { return worker_.cpu_row; }
  ASTIL_INLINE Counter* counter(u32 slot) { return at(worker_.counters, slot); }
  ServiceDrops* drops(u32 service) { return at(worker_.drops, service); }
  const SourceRules* source_rules(u32 i) { return at(worker_.source_rules, i); }
  const SourceRange* source_range(u32 i) { return at(worker_.source_ranges, i); }
  SourceBucket* source_bucket(u32 i) { return at(worker_.source_buckets, i); }
  const Load* load(u32 i) { return at(worker_.loads, i); }

  [[gnu::noinline]] void note_drop(Reason reason, u32 service) { core::note_drop(*this, reason, service); }
  void tell_drop(const DropEvent& event) { worker_.outside->tell_drop(event); }
  bool hold(u32 /*length*/) {
    return worker_.outside->hold(ingress_, {reinterpret_cast<const std::byte*>(begin()), frame_->data_len});
  }

  void count_opened(u32 backend) {
    if (Load* load = at(worker_.loads, backend)) __atomic_fetch_add(&load->opened, 1, __ATOMIC_RELAXED);
  }
  void count_closed(u32 backend) {
    if (Load* load = at(worker_.loads, backend)) __atomic_fetch_add(&load->closed, 1, __ATOMIC_RELAXED);
  }
  void note_limited(u32 mark) {
    u32& limited = worker_.settings->shared.limited;
    if (shared_load(limited) != mark) shared_store(limited, mark);
  }
  u64 next_turn(u32 service) {
    Cursor* cursor = at(worker_.cursors, service);
    return cursor == nullptr ? 0 : __atomic_fetch_add(&cursor->turn, 1, __ATOMIC_RELAXED);
  }
  bool swap(u64* place, u64 before, u64 after) {
    return __atomic_compare_exchange_n(place, &before, after, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  }

  PortIndex find_port(const Connection& connection, u32 source) { return core::find_port(*this, connection, source); }
  u32 read_port(PortIndex index, FlowTuple& flow) { return core::read_port(*this, index, flow); }

  // What few packets need is kept out of the way of the others.
  [[gnu::noinline]] Reason check_source(const Opening& opening, u32 place, u32 opens) {
    return core::check_source(*this, opening, place, opens);
  }
  [[gnu::noinline]] PortIndex find_any_port(const Connection& connection) {
    return core::find_any_port(*this, connection);
  }
  [[gnu::noinline]] PortLease lease_port(const Connection& connection, const Sign& sign, u32 steered) {
    return core::lease_port(*this, connection, sign, steered);
  }
  [[gnu::noinline]] PortIndex take_port(const Connection& connection, u32 backend) {
    return core::take_port(*this, connection, backend);
  }
  [[gnu::noinline]] bool note_reply(PortIndex index, const Connection& connection, const Sign& sign) {
    return core::note_reply(*this, index, connection, sign);
  }
  [[gnu::noinline]] void touch(u64* entry, u64 value, const Sign& sign) { core::touch(*this, entry, value, sign); }
  [[gnu::noinline]] bool change(u64* entry, u64 before, u64 after) { return change_entry(*this, entry, before, after); }
  [[gnu::noinline]] u32 least_loaded(const Service& service, u32 seed) {
    return core::least_loaded(*this, service, seed);
  }
  [[gnu::noinline]] u32 place_by_affinity(const Opening& opening, u32 service) {
    return core::place_by_affinity(*this, opening, service);
  }
  [[gnu::noinline]] void note_flow(const Opening& opening, Placement placement) {
    core::note_flow(*this, opening, placement);
  }
  [[gnu::noinline]] Placement place(const Opening& opening) { return place_flow(*this, opening); }
  [[gnu::noinline]] Extensions skip_extensions(u32 offset, u8 protocol) {
    return walk_extensions(*this, offset, protocol);
  }
  [[gnu::noinline]] u64 sum_of_frame(u32 offset, u32 bytes) { return core::sum_of_frame(*this, offset, bytes); }
  template <Part kPart, class Ip>
  [[gnu::noinline]] Verdict part() {
    return run_part<kPart, Ip>(*this);
  }
  template <class Ip>
  [[gnu::noinline]] void note_fragment(u32 backend) {
    note_first_fragment<Ip>(*this, backend);
  }

  ASTIL_INLINE void prefetch(const auto& record) { __builtin_prefetch(&record); }
  void store_key(FlowKey& place, const FlowKey& key) { place = key; }
  void store_client(Address& place, const Address& client) { place = client; }
  void publish(u64* place, u64 value) { shared_store(*place, value); }
  // The control plane reads it at any time.
  ASTIL_INLINE void add(u64* counter, u64 amount) {
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
  }

 private:
  template <class Record>
  ASTIL_INLINE static Record* at(std::span<Record> records, std::size_t index) {
    return index < records.size() ? &records[index] : nullptr;
  }

  WorkerState& worker_;
  rte_mbuf* frame_;
  u32 ingress_;
};

using MbufEngine = WatchedEngine<Silent>;
static_assert(Engine<MbufEngine>);

}  // namespace astil::dpdk
