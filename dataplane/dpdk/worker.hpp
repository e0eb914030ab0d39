// A worker: takes bursts of frames through the packet path. It knows no port; who calls it brings frames, and does what
// the verdicts say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/core/engine.hpp"
#include "dataplane/core/events.hpp"
#include "dataplane/core/hops.hpp"
#include "dataplane/tables.hpp"

struct rte_mbuf;

namespace astil::dpdk {

class CaptureSink;  // capture_sink.hpp

/// In the interface of a verdict: the datagram leaves by it, and the kernel is to send it, since the next hop's MAC
/// address is not known yet. The frame's own addresses are 0 then, and it has no tags.
inline constexpr std::uint32_t kSentByKernel = 1U << 31U;

/// What the packet path asks of the world around the worker. Called for few packets, but for `route`: for each reply
/// under nat.
class Outside {
 public:
  Outside() = default;
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;
  virtual ~Outside() = default;

  /// For a datagram of `length` bytes. May name an interface with kSentByKernel, and no MTU, so that it is asked for
  /// the next one again.
  virtual core::NextHop route(const core::Address& to, const core::Address& from, std::uint32_t length) = 0;
  /// A fragment that came before the first one of its datagram. False: there is no room for it.
  virtual bool hold(std::uint32_t ifindex, std::span<const std::byte> frame) = 0;
  virtual void tell_drop(const core::DropEvent& event) = 0;
  /// Of the monotonic clock, nanoseconds.
  [[nodiscard]] virtual std::uint64_t now() = 0;
};

/// The tables as a worker sees them, the per-CPU ones its own row; and the clocks of the burst that it works on.
struct WorkerState {
  WorkerState(const dataplane::Tables& tables, std::uint32_t row, Outside& around, std::span<core::Hop> hops);

  Outside* outside;
  core::Settings* settings;
  std::span<core::IndexLine> service_index;
  std::span<core::Service> services;
  std::span<core::Backend> backends;
  std::span<core::RingLine> rings;
  std::span<core::MemberLine> members;
  std::span<core::FlowLine> flows;
  std::span<core::ClientLine> clients;
  std::span<core::FragmentLine> fragments;
  std::span<core::Cursor> cursors;
  std::span<core::Load> loads;
  std::span<core::SourceRules> source_rules;
  std::span<core::SourceRange> source_ranges;
  std::span<core::SourceBucket> source_buckets;
  std::span<core::FlowLine> ports;
  std::span<core::ClientLine> port_clients;
  std::span<core::Counter> counters;
  std::span<core::ServiceDrops> drops;
  core::CpuRow* cpu_row;
  std::span<core::Hop> hops;  ///< some, or none: then none is kept

  std::uint32_t tick = 0;
  std::uint32_t fine_tick = 0;
  std::uint64_t source_clock = 0;
};

class Worker {
 public:
  static constexpr std::size_t kLongestBurst = 64;

  /// `row` of the per-CPU tables is this worker's alone, and so are `hops`. `around` and they outlive the worker.
  Worker(const dataplane::Tables& tables, std::uint32_t row, Outside& around, std::span<core::Hop> hops = {})
      : state_(tables, row, around, hops) {}

  /// Sets the clocks to now. Before each burst, or, where they stand still as in tests, never.
  void read_clocks();

  /// Takes frames, each in one segment, that came in by an interface through the packet path. At most kLongestBurst;
  /// a verdict for each.
  void run(std::span<rte_mbuf* const> burst, std::uint32_t ingress, std::span<core::Verdict> verdicts);

  /// The same, while a capture runs.
  void run_captured(std::span<rte_mbuf* const> burst, std::uint32_t ingress, std::span<core::Verdict> verdicts,
                    CaptureSink& sink);

  [[nodiscard]] const core::Settings& settings() const { return *state_.settings; }
  /// Of the burst's clocks.
  [[nodiscard]] std::uint32_t fine_tick() const { return state_.fine_tick; }

 private:
  void look_ahead(std::span<rte_mbuf* const> burst, std::uint32_t ingress);

  WorkerState state_;
  std::uint32_t bursts_of_few_ = 0;  ///< that will not be looked ahead for
};

}  // namespace astil::dpdk
