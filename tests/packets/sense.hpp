// What must hold of every frame that the native engine has had, whatever it was: it is counted once, it went where its
// reason says, what passes is as it came, and what came right leaves right. And of two engines that had the same
// frames: their tables are the same.
#pragma once

#include <sched.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>

#include "tests/packets/complaint.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {

inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(core::Reason::count);

/// By memcmp: of a million frames, byte by byte takes its time.
[[nodiscard]] inline bool are_same(const Bytes& a, const Bytes& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

class Sense {
 public:
  /// `tables`: of a native engine, which counts everything in the first row. To be made anew when something else than
  /// `check`'s frame may have changed the counters.
  explicit Sense(const dataplane::Tables& tables) : tables_(&tables), counts_(counts()) {}

  /// After each frame. Empty: all is well.
  [[nodiscard]] std::string check(const Bytes& in, const Bytes& out, Exit exit) {
    if (!count()) return "not counted once";
    const core::Action action = core::action_of(reason_);
    const bool stays = action == core::Action::drop || action == core::Action::hold;
    if ((exit == Exit::pass) != (action == core::Action::pass) || (exit == Exit::drop) != stays)
      return std::string("went elsewhere than its reason says: ") + core::kReasons[index_of(reason_)].name;
    if (exit == Exit::pass && !are_same(out, in)) return "passed, but not as it came";
    if (action != core::Action::transmit && action != core::Action::refuse) return "";
    if (is_answer() && !goes_back(in, out)) return "an answer that does not go back to where the question came from";
    if (!complaint_of_frame(in).empty()) return "";
    const std::string_view complaint = complaint_of_frame(out);
    return complaint.empty() ? "" : "came right and left with a fault: " + std::string(complaint);
  }

  /// Of the last frame; kSent where it was sent to a backend or a client.
  [[nodiscard]] core::Reason reason() const { return reason_; }

 private:
  struct Counts {
    std::array<std::uint64_t, kReasonCount> reasons{};
    std::uint64_t packets = 0;  ///< of all backends
  };

  static std::size_t index_of(core::Reason reason) { return static_cast<std::size_t>(reason); }

  [[nodiscard]] Counts counts() const {
    Counts counts;
    std::copy_n(std::begin(tables_->cpu_rows()[0].reasons), kReasonCount, counts.reasons.begin());
    const core::Counter* const slots = tables_->counters().data();
    for (std::size_t slot = tables_->counter_stride(); slot > 0; --slot) counts.packets += slots[slot - 1].packets;
    return counts;
  }

  /// One reason, or else one packet of a backend's; what is relayed is both.
  bool count() {
    const Counts before = std::exchange(counts_, counts());
    const std::uint64_t packets = counts_.packets - before.packets;
    std::uint64_t reasons = 0;
    reason_ = kSent;
    for (std::size_t i = 0; i < kReasonCount; ++i) {
      if (counts_.reasons[i] == before.reasons[i]) continue;
      reasons += counts_.reasons[i] - before.reasons[i];
      reason_ = static_cast<core::Reason>(i);
    }
    if (reasons == 0) return packets == 1;
    return reasons == 1 && packets == (reason_ == core::Reason::relayed ? 1 : 0);
  }

  [[nodiscard]] bool is_answer() const {
    return reason_ == core::Reason::echo_answered || reason_ == core::Reason::told_too_big ||
           core::action_of(reason_) == core::Action::refuse;
  }
  static bool goes_back(const Bytes& in, const Bytes& out) {
    return std::equal(in.begin(), in.begin() + 6, out.begin() + 6, out.begin() + 12) &&
           std::equal(in.begin() + 6, in.begin() + 12, out.begin(), out.begin() + 6);
  }

  const dataplane::Tables* tables_;
  Counts counts_;
  core::Reason reason_ = core::Reason::count;
};

/// What differs in the tables of two engines that have had the same frames: names of tables and counters. Empty:
/// nothing. `only_a`: frames without an Ethernet header, which the first engine alone has had.
[[nodiscard]] inline std::string difference(const dataplane::Tables& a, const dataplane::Tables& b,
                                            std::uint64_t only_a = 0) {
  using core::Reason;
  using dataplane::TableId;
  std::string names;
  for (const TableId id :
       {TableId::service_index, TableId::services, TableId::backends, TableId::rings, TableId::members, TableId::flows,
        TableId::clients, TableId::fragments, TableId::cursors, TableId::source_rules, TableId::source_ranges,
        TableId::source_buckets, TableId::ports, TableId::port_clients}) {
    const auto index = static_cast<std::size_t>(id);
    const dataplane::TableSpec& spec = dataplane::kTableSpecs[index];
    if (std::memcmp(a.memory[index], b.memory[index], spec.record_bytes * spec.records(a.sizes)) != 0)
      names.append(spec.name).append(" ");
  }
  for (std::size_t slot = 0; slot < a.counter_stride(); ++slot) {
    const core::Counter of_a = a.sum_counter(slot);
    const core::Counter of_b = b.sum_counter(slot);
    if (std::tie(of_a.packets, of_a.bytes, of_a.connections) != std::tie(of_b.packets, of_b.bytes, of_b.connections))
      names.append("counter ").append(std::to_string(slot)).append(" ");
  }
  for (std::size_t place = 0; place < a.drop_stride(); ++place) {
    if (std::memcmp(a.sum_drops(place).counts, b.sum_drops(place).counts, sizeof(core::ServiceDrops)) != 0)
      names.append("drops of ").append(std::to_string(place)).append(" ");
  }
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    // Nobody takes what is held here, and the kernel has room for so many.
    if (reason == Reason::fragment_held || reason == Reason::fragment_refused) continue;
    const std::uint64_t more = reason == Reason::not_ip ? only_a : 0;
    if (a.sum_reason(reason) != b.sum_reason(reason) + more) names.append(core::kReasons[i].name).append(" ");
  }
  const auto early = [](const dataplane::Tables& tables) {
    return tables.sum_reason(Reason::fragment_held) + tables.sum_reason(Reason::fragment_refused);
  };
  if (early(a) != early(b)) names.append("fragment_held ");
  for (std::size_t i = 0; i < static_cast<std::size_t>(core::FlowEvent::count); ++i) {
    const auto event = static_cast<core::FlowEvent>(i);
    if (a.sum_event(event) != b.sum_event(event)) names.append(core::kFlowEvents[i].name).append(" ");
  }
  return names;
}

/// Each CPU has limits of its own (dataplane/core/limit.hpp): for an engine that is to have the same as another, the
/// calling thread stays where it is.
inline void stay_on_this_cpu() {
  ::cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(::sched_getcpu(), &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

/// What limits count is over.
inline void forget_limits(const dataplane::Tables& tables) {
  std::fill(tables.source_buckets().begin(), tables.source_buckets().end(), core::SourceBucket{});
  for (core::CpuRow& row : tables.cpu_rows()) std::fill(std::begin(row.limits), std::end(row.limits), core::Limit{});
}

}  // namespace astil::test
