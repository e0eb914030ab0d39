// The packet path on the host: one packet in a buffer, over any tables. Tests and fuzzers let it write; `astil trace`
// and whoever only asks do not, and learn at each stage what was seen.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "dataplane/core/path.hpp"
#include "dataplane/tables.hpp"

namespace astil::native {

using namespace core;  // NOLINT(google-build-using-namespace): the engine is the core's other half

/// A frame with room in front of it for what the packet path puts there. Room: what XDP drivers leave.
class Frame {
 public:
  static constexpr std::size_t kHeadroom = 256;

  explicit Frame(std::span<const std::byte> bytes) : storage_(kHeadroom + bytes.size()), begin_(kHeadroom) {
    std::copy(bytes.begin(), bytes.end(), storage_.begin() + static_cast<std::ptrdiff_t>(kHeadroom));
  }

  [[nodiscard]] std::span<const std::byte> bytes() const { return std::span(storage_).subspan(begin_); }
  [[nodiscard]] std::byte* begin() { return storage_.data() + begin_; }
  [[nodiscard]] std::byte* end() { return storage_.data() + storage_.size(); }
  /// Moves the begin by so many bytes to the front, or to the back.
  [[nodiscard]] bool grow(std::int32_t bytes) {
    const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(begin_) - bytes;
    if (begin < 0 || begin > static_cast<std::ptrdiff_t>(storage_.size())) return false;
    begin_ = static_cast<std::size_t>(begin);
    return true;
  }
  /// Leaves so many bytes.
  [[nodiscard]] bool trim(std::size_t bytes) {
    if (begin_ + bytes > storage_.size()) return false;
    storage_.resize(begin_ + bytes);
    return true;
  }

 private:
  std::vector<std::byte> storage_;
  std::size_t begin_;
};

/// What the engine can not know by itself.
struct Surroundings {
  std::uint32_t ingress = 0;  ///< ifindex
  std::uint32_t tick = 0;
  std::uint32_t fine_tick = 0;
  std::uint32_t row = 0;  ///< of the per-CPU tables
  std::uint64_t source_clock = 0;
  std::uint64_t now = 0;  ///< of the monotonic clock, nanoseconds
  std::function<NextHop(const Address& to, const Address& from, std::uint32_t length)> route =
      [](const Address&, const Address&, std::uint32_t) { return NextHop{}; };
  std::function<bool(std::span<const std::byte> frame)> hold = [](std::span<const std::byte>) { return true; };
  std::function<void(const DropEvent& event)> tell_drop = [](const DropEvent&) {};
};

enum class Access { read_write, read_only };

/// `Observer` gets the packet path's word on each stage (see core::Silent).
template <Access kAccess = Access::read_write, class Observer = Silent>
class NativeEngine : public Observer {
 public:
  template <class... ObserverArguments>
  NativeEngine(const dataplane::Tables& tables, Frame& frame, const Surroundings& surroundings,
               ObserverArguments&&... observer)
      : Observer(std::forward<ObserverArguments>(observer)...), tables_(tables), frame_(frame), around_(surroundings) {}

  static constexpr bool kTagsInFrame = true;
  static constexpr bool kFinishedChecksums = true;

  u8* begin() { return reinterpret_cast<u8*>(frame_.begin()); }
  u8* end() { return reinterpret_cast<u8*>(frame_.end()); }
  u32 ingress() { return around_.ingress; }
  template <Gap>
  bool open_gap(i32 bytes) {
    return frame_.grow(bytes);
  }
  bool pull(u32 /*bytes*/) { return true; }
  u32 segment_bytes() { return 0; }
  bool push_tags(const detail::Exit& exit, Be16 type) { return detail::push_tag_bytes(*this, exit, type); }
  void correct_transport(ChecksumField* field, ChecksumDifference pseudo_header, ChecksumDifference rest, u8 protocol) {
    correct_in_place(*field, pseudo_header + rest, protocol);
  }
  u32 tick() { return around_.tick; }
  u32 fine_tick() { return around_.fine_tick; }
  NextHop route(const Address& to, const Address& from, u32 length) { return around_.route(to, from, length); }
  Hop* hop(u32 /*place*/) { return nullptr; }

  const Settings* settings() { return &tables_.settings(); }
  const IndexLine* index_line(u32 i) { return at(tables_.service_index(), i); }
  const Service* service(u32 i) { return at(tables_.services(), i); }
  const Backend* backend(u32 i) { return at(tables_.backends(), i); }
  const RingLine* ring_line(u32 i) { return at(tables_.rings(), i); }
  const MemberLine* member_line(u32 i) { return at(tables_.members(), i); }
  FlowLine* flow_line(u32 i) { return at(tables_.flows(), i); }
  ClientLine* client_line(u32 i) { return at(tables_.clients(), i); }
  FragmentLine* fragment_line(u32 i) { return at(tables_.fragments(), i); }
  FlowLine* port_line(u32 i) { return at(tables_.ports(), i); }
  ClientLine* port_client_line(u32 i) { return at(tables_.port_clients(), i); }
  PortIndex find_port(const Connection& connection, u32 source) { return core::find_port(*this, connection, source); }
  PortIndex find_any_port(const Connection& connection) { return core::find_any_port(*this, connection); }
  u32 read_port(PortIndex index, FlowTuple& flow) { return core::read_port(*this, index, flow); }
  PortLease lease_port(const Connection& connection, const Sign& sign, u32 steered) {
    return core::lease_port(*this, connection, sign, steered);
  }
  PortIndex take_port(const Connection& connection, u32 backend) { return core::take_port(*this, connection, backend); }
  bool note_reply(PortIndex index, const Connection& connection, const Sign& sign) {
    return core::note_reply(*this, index, connection, sign);
  }
  /// Who only asks has a row of its own, for what stages leave there for others.
  CpuRow* cpu_row() { return kAccess == Access::read_only ? &own_row_ : at(tables_.cpu_rows(), around_.row); }
  Counter* counter(u32 slot) { return at(tables_.counters(), around_.row * tables_.counter_stride() + slot); }

  ServiceDrops* drops(u32 service) { return at(tables_.drops(), around_.row * tables_.drop_stride() + service); }
  void note_drop(Reason reason, u32 service) {
    if constexpr (kAccess == Access::read_write) core::note_drop(*this, reason, service);
  }
  u64 now() { return around_.now; }
  void tell_drop(const DropEvent& event) { around_.tell_drop(event); }

  const SourceRules* source_rules(u32 i) { return at(tables_.source_rules(), i); }
  const SourceRange* source_range(u32 i) { return at(tables_.source_ranges(), i); }
  SourceBucket* source_bucket(u32 i) { return at(tables_.source_buckets(), i); }
  u64 source_clock() { return around_.source_clock; }
  Reason check_source(const Opening& opening, u32 place, u32 opens) {
    return core::check_source(*this, opening, place, opens);
  }

  const Load* load(u32 i) { return at(tables_.loads(), i); }
  void count_opened(u32 backend) { count(&Load::opened, backend); }
  void count_closed(u32 backend) { count(&Load::closed, backend); }
  void note_limited(u32 mark) {
    if constexpr (kAccess == Access::read_write) shared_store(tables_.settings().shared.limited, mark);
  }
  void touch(u64* entry, u64 value, const Sign& sign) { core::touch(*this, entry, value, sign); }
  bool change(u64* entry, u64 before, u64 after) { return change_entry(*this, entry, before, after); }
  u32 least_loaded(const Service& service, u32 seed) { return core::least_loaded(*this, service, seed); }
  u32 place_by_affinity(const Opening& opening, u32 service) {
    return core::place_by_affinity(*this, opening, service);
  }
  void note_flow(const Opening& opening, Placement placement) { core::note_flow(*this, opening, placement); }
  u64 next_turn(u32 service) {
    Cursor* cursor = at(tables_.cursors(), service);
    if (cursor == nullptr) return 0;
    if constexpr (kAccess == Access::read_only) return shared_load(cursor->turn);
    return __atomic_fetch_add(&cursor->turn, 1, __ATOMIC_RELAXED);
  }
  bool swap(u64* place, u64 before, u64 after) {
    if constexpr (kAccess == Access::read_only) return true;
    return __atomic_compare_exchange_n(place, &before, after, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  }
  Placement place(const Opening& opening) { return place_flow(*this, opening); }
  Extensions skip_extensions(u32 offset, u8 protocol) { return walk_extensions(*this, offset, protocol); }
  u64 sum_of_frame(u32 offset, u32 bytes) { return core::sum_of_frame(*this, offset, bytes); }
  template <Part kPart, class Ip>
  Verdict part() {
    return run_part<kPart, Ip>(*this);
  }
  template <class Ip>
  void note_fragment(u32 backend) {
    note_first_fragment<Ip>(*this, backend);
  }
  bool hold(u32 /*length*/) { return kAccess == Access::read_only || around_.hold(frame_.bytes()); }
  bool trim(u32 bytes) { return frame_.trim(bytes); }
  void prefetch(const auto& record) { __builtin_prefetch(&record); }
  void store_key(FlowKey& place, const FlowKey& key) {
    if constexpr (kAccess == Access::read_write) place = key;
  }
  void store_client(Address& place, const Address& client) {
    if constexpr (kAccess == Access::read_write) place = client;
  }
  void publish(u64* place, u64 value) {
    if constexpr (kAccess == Access::read_write) shared_store(*place, value);
  }
  void add(u64* counter, u64 amount) {
    if constexpr (kAccess == Access::read_write) *counter += amount;
  }

 private:
  void count(u32 Load::*member, u32 backend) {
    if constexpr (kAccess == Access::read_only) return;
    if (Load* load = at(tables_.loads(), backend)) __atomic_fetch_add(&(load->*member), 1, __ATOMIC_RELAXED);
  }

  template <class Record>
  static Record* at(std::span<Record> records, std::size_t index) {
    return index < records.size() ? &records[index] : nullptr;
  }

  CpuRow own_row_{};
  dataplane::Tables tables_;
  Frame& frame_;
  const Surroundings& around_;
};

static_assert(Engine<NativeEngine<>>);

}  // namespace astil::native
