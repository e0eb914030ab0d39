// The tables as the control plane sees them: spans over the memory that the packet path reads. Which tables there are,
// how large their records are and how many of them sizes ask for is said once, in kTableSpecs; every engine follows it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <span>
#include <string_view>

#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/layout.hpp"
#include "dataplane/desired.hpp"

namespace astil::dataplane {

/// One table: the name of its map and pin, its record, its length.
struct TableSpec {
  std::string_view name;
  std::size_t record_bytes;
  std::size_t (*records)(const core::Sizes& sizes);
};

enum class TableId {
  settings,
  service_index,
  services,
  backends,
  rings,
  members,
  flows,
  clients,
  fragments,
  counters,
  cpu_rows,
  cursors,
  loads,
  drops,
  source_rules,
  source_ranges,
  source_buckets,
  ports,
  port_clients
};
inline constexpr std::size_t kTableCount = 19;

namespace detail {
using S = const core::Sizes&;
constexpr std::size_t per_cpu_rows(S s) { return std::size_t{s.cpus} + 1; }
}  // namespace detail

// In the order of TableId. Tables of two generations have room for both; none has no record at all, since a map can
// not.
inline constexpr std::array<TableSpec, kTableCount> kTableSpecs{{
    {"settings", sizeof(core::Settings), [](detail::S) { return std::size_t{1}; }},
    {"service_index", sizeof(core::IndexLine), [](detail::S s) { return 2 * std::size_t{s.index_lines}; }},
    {"services", sizeof(core::Service), [](detail::S s) { return 2 * std::size_t{s.services}; }},
    {"backends", sizeof(core::Backend), [](detail::S s) { return std::size_t{s.backends}; }},
    {"rings", sizeof(core::RingLine), [](detail::S s) { return std::size_t{s.ring_lines}; }},
    {"members", sizeof(core::MemberLine), [](detail::S s) { return std::size_t{s.member_lines}; }},
    {"flows", sizeof(core::FlowLine), [](detail::S s) { return std::size_t{s.flow_lines}; }},
    {"clients", sizeof(core::ClientLine), [](detail::S s) { return std::max<std::size_t>(s.client_lines, 1); }},
    {"fragments", sizeof(core::FragmentLine), [](detail::S) { return std::size_t{core::kFragmentLines}; }},
    {"counters", sizeof(core::Counter),
     [](detail::S s) { return detail::per_cpu_rows(s) * (std::size_t{s.backends} + s.services); }},
    {"cpu_rows", sizeof(core::CpuRow), [](detail::S s) { return detail::per_cpu_rows(s); }},
    {"cursors", sizeof(core::Cursor), [](detail::S s) { return std::size_t{s.services}; }},
    {"loads", sizeof(core::Load), [](detail::S s) { return std::size_t{s.backends}; }},
    {"drops", sizeof(core::ServiceDrops),
     [](detail::S s) { return detail::per_cpu_rows(s) * (std::size_t{s.services} + 1); }},
    {"source_rules", sizeof(core::SourceRules), [](detail::S s) { return 2 * std::size_t{s.services}; }},
    {"source_ranges", sizeof(core::SourceRange),
     [](detail::S s) { return std::max<std::size_t>(2 * std::size_t{s.source_ranges}, 1); }},
    {"source_buckets", sizeof(core::SourceBucket),
     [](detail::S s) { return std::max<std::size_t>(s.source_buckets, 1); }},
    {"ports", sizeof(core::FlowLine), [](detail::S s) { return std::max<std::size_t>(core::port_lines(s), 1); }},
    {"port_clients", sizeof(core::ClientLine),
     [](detail::S s) { return std::max<std::size_t>(s.client_lines == 0 ? 0 : core::port_lines(s), 1); }},
}};

/// Views of all tables. Copies refer to the same memory, which the engine owns; valid as long as it lives.
struct Tables {
  std::array<std::byte*, kTableCount> memory{};
  core::Sizes sizes{};

  template <class Record>
  [[nodiscard]] std::span<Record> span_of(TableId id) const {
    const auto index = static_cast<std::size_t>(id);
    return {reinterpret_cast<Record*>(memory[index]), kTableSpecs[index].records(sizes)};
  }

  [[nodiscard]] core::Settings& settings() const { return span_of<core::Settings>(TableId::settings)[0]; }
  [[nodiscard]] std::span<core::Interface> interfaces() const { return settings().interfaces; }
  [[nodiscard]] auto service_index() const { return span_of<core::IndexLine>(TableId::service_index); }
  [[nodiscard]] auto services() const { return span_of<core::Service>(TableId::services); }
  [[nodiscard]] auto backends() const { return span_of<core::Backend>(TableId::backends); }
  [[nodiscard]] auto rings() const { return span_of<core::RingLine>(TableId::rings); }
  [[nodiscard]] auto members() const { return span_of<core::MemberLine>(TableId::members); }
  [[nodiscard]] auto flows() const { return span_of<core::FlowLine>(TableId::flows); }
  [[nodiscard]] auto clients() const { return span_of<core::ClientLine>(TableId::clients); }
  [[nodiscard]] auto fragments() const { return span_of<core::FragmentLine>(TableId::fragments); }
  [[nodiscard]] auto counters() const { return span_of<core::Counter>(TableId::counters); }
  [[nodiscard]] auto cpu_rows() const { return span_of<core::CpuRow>(TableId::cpu_rows); }
  [[nodiscard]] auto cursors() const { return span_of<core::Cursor>(TableId::cursors); }
  [[nodiscard]] auto loads() const { return span_of<core::Load>(TableId::loads); }

  [[nodiscard]] auto drops() const { return span_of<core::ServiceDrops>(TableId::drops); }

  [[nodiscard]] auto source_rules() const { return span_of<core::SourceRules>(TableId::source_rules); }
  [[nodiscard]] auto source_ranges() const { return span_of<core::SourceRange>(TableId::source_ranges); }
  [[nodiscard]] auto ports() const { return span_of<core::FlowLine>(TableId::ports); }
  [[nodiscard]] auto port_clients() const { return span_of<core::ClientLine>(TableId::port_clients); }
  [[nodiscard]] auto source_buckets() const { return span_of<core::SourceBucket>(TableId::source_buckets); }

  /// Slots of one row of `counters`: backends, then services.
  [[nodiscard]] std::size_t counter_stride() const { return std::size_t{sizes.backends} + sizes.services; }
  /// The row that only the control plane writes.
  [[nodiscard]] std::span<core::Counter> own_counters() const {
    return counters().subspan(std::size_t{sizes.cpus} * counter_stride(), counter_stride());
  }
  /// A counter slot summed over all rows.
  [[nodiscard]] core::Counter sum_counter(std::size_t slot) const;
  [[nodiscard]] std::uint64_t sum_reason(core::Reason reason) const;
  [[nodiscard]] std::uint64_t sum_event(core::FlowEvent event) const;

  /// Places of one row of `drops`: services, then those of ids that other services have by now.
  [[nodiscard]] std::size_t drop_stride() const { return std::size_t{sizes.services} + 1; }
  [[nodiscard]] core::ServiceDrops& own_drops(std::size_t place) const {
    return drops()[std::size_t{sizes.cpus} * drop_stride() + place];
  }
  /// A place of `drops` summed over all rows.
  [[nodiscard]] core::ServiceDrops sum_drops(std::size_t place) const;

  /// Records of one generation.
  [[nodiscard]] std::span<core::Service> services_of(std::uint32_t generation) const {
    return services().subspan(std::size_t{generation} * sizes.services, sizes.services);
  }
  [[nodiscard]] std::span<core::IndexLine> index_of(std::uint32_t generation) const {
    return service_index().subspan(std::size_t{generation} * sizes.index_lines, sizes.index_lines);
  }
  [[nodiscard]] std::span<core::SourceRules> source_rules_of(std::uint32_t generation) const {
    return source_rules().subspan(std::size_t{generation} * sizes.services, sizes.services);
  }
  [[nodiscard]] std::span<core::SourceRange> source_ranges_of(std::uint32_t generation) const {
    return source_ranges().subspan(std::size_t{generation} * sizes.source_ranges, sizes.source_ranges);
  }
  /// The generation in use, or core::kNoGeneration.
  [[nodiscard]] std::uint32_t active() const { return __atomic_load_n(&settings().active, __ATOMIC_ACQUIRE); }

  [[nodiscard]] std::uint16_t ring_entry(const core::RingSpan& span, std::uint32_t slot) const {
    const std::uint32_t at = span.first + slot;
    return rings()[at / core::kSlotsPerLine].slots[at % core::kSlotsPerLine];
  }
  /// The number and the weight of one of a service's backends.
  [[nodiscard]] std::uint32_t member_word(const core::Service& service, std::uint32_t index) const {
    const std::uint32_t at = service.first_member + index;
    return members()[at / core::kMembersPerLine].members[at % core::kMembersPerLine];
  }
  [[nodiscard]] std::uint32_t member(const core::Service& service, std::uint32_t index) const {
    return core::number_of_member(member_word(service, index));
  }
};

/// A time in age ticks, as the tables have timeouts: it is over after so many at least, whenever in a tick it began.
constexpr std::uint16_t ticks_for(std::uint32_t seconds) {
  return static_cast<std::uint16_t>(1 +
                                    (std::min(seconds, kLongestTimeout) + core::kTickSeconds - 1) / core::kTickSeconds);
}

/// To a word that the packet path reads at the same time. One that is right already is not written: its line stays in
/// the caches of those who read it.
template <class Word>
void store(Word& place, const Word& value) {
  const std::atomic_ref<Word> shared(place);
  if (shared.load(std::memory_order_relaxed) != value) shared.store(value, std::memory_order_relaxed);
}

/// `affinity`: the longest that any service has, in age ticks.
void write_timeouts(const Tables& tables, const FlowTimeouts& timeouts, std::uint16_t affinity);
FlowTimeouts read_timeouts(const Tables& tables);

/// Fills new, zeroed tables with what has to stand before the first packet: sizes, secret, timeouts, no generation.
/// `hash_key` must come from a good source of randomness, or from the tables that these ones replace.
void initialise(const Tables& tables, std::span<const std::uint64_t, core::kHashKeys> hash_key,
                std::uint32_t tick_multiplier, std::uint32_t layout_version = core::kLayoutVersion);

/// How many ticks of 1/`hz` s make an age tick, as Settings::tick_multiplier wants it.
constexpr std::uint32_t tick_multiplier_for(std::uint32_t hz) {
  return static_cast<std::uint32_t>((std::uint64_t{1} << 32U) / (std::uint64_t{hz} * core::kTickSeconds));
}

}  // namespace astil::dataplane
