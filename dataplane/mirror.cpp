#include "dataplane/mirror.hpp"

#include <cstring>

#include "dataplane/pool.hpp"
#include "dataplane/publication_lock.hpp"

namespace astil::dataplane {
namespace {

using Word = std::uint64_t;

/// Whole records of every table are whole words, at addresses that are a multiple of them.
std::size_t write_back(std::byte* there, const std::byte* wanted, std::size_t bytes) {
  std::size_t changed = 0;
  for (std::size_t at = 0; at < bytes; at += sizeof(Word)) {
    Word word = 0;
    std::memcpy(&word, wanted + at, sizeof(word));
    auto* const place = reinterpret_cast<Word*>(there + at);
    if (__atomic_load_n(place, __ATOMIC_RELAXED) == word) continue;
    __atomic_store_n(place, word, __ATOMIC_RELEASE);
    changed += sizeof(word);
  }
  return changed;
}

/// How far into the pools of rings and of members the services of the generation reach, in lines.
struct Reach {
  std::size_t rings = 0;
  std::size_t members = 0;
};

Reach reach_of(std::span<const core::Service> services) {
  Reach reach;
  for (const core::Service& service : services) {
    if (service.in_use == 0) continue;
    for (const core::RingSpan& span : {service.ring, service.wheel}) {
      if (span.length == 0) continue;
      const std::size_t end =
          span.first / core::kSlotsPerLine + std::size_t{lines_for(span.length, core::kSlotsPerLine)};
      reach.rings = std::max(reach.rings, end);
    }
    const std::size_t end =
        service.first_member / core::kMembersPerLine + std::size_t{lines_for(service.members, core::kMembersPerLine)};
    reach.members = std::max(reach.members, end);
  }
  return reach;
}

}  // namespace

void Mirror::add(TableId table, std::size_t offset, std::size_t bytes) {
  if (bytes == 0) return;
  const std::size_t copy = copy_.size();
  copy_.resize(copy + bytes);
  std::memcpy(copy_.data() + copy, tables_.memory[static_cast<std::size_t>(table)] + offset, bytes);
  parts_.push_back({.table = table, .offset = offset, .bytes = bytes, .copy = copy});
}

template <class Record>
void Mirror::add_records(TableId table, std::size_t first, std::size_t count) {
  static_assert(sizeof(Record) % sizeof(Word) == 0);
  add(table, first * sizeof(Record), count * sizeof(Record));
}

void Mirror::take() {
  parts_.clear();
  copy_.clear();
  // Not the hash's key: who brings the flows of a pair's other node changes it, in its own thread.
  constexpr std::size_t kFirst = offsetof(core::Settings, active);
  constexpr std::size_t kEnd = offsetof(core::Settings, shared);
  static_assert(kFirst % sizeof(Word) == 0 && kEnd % sizeof(Word) == 0);
  add(TableId::settings, kFirst, kEnd - kFirst);
  const std::size_t active = tables_.active();
  if (active == core::kNoGeneration) return;
  const core::Sizes& sizes = tables_.sizes;
  add_records<core::IndexLine>(TableId::service_index, active * sizes.index_lines, sizes.index_lines);
  add_records<core::Service>(TableId::services, active * sizes.services, sizes.services);
  add_records<core::SourceRules>(TableId::source_rules, active * sizes.services, sizes.services);
  add_records<core::SourceRange>(TableId::source_ranges, active * sizes.source_ranges, sizes.source_ranges);
  const auto backends = tables_.backends();
  std::size_t used = backends.size();
  while (used > 0 && backends[used - 1].service == core::kNoService) --used;
  add_records<core::Backend>(TableId::backends, 0, used);
  const Reach reach = reach_of(tables_.services_of(static_cast<std::uint32_t>(active)));
  add_records<core::RingLine>(TableId::rings, 0, reach.rings);
  add_records<core::MemberLine>(TableId::members, 0, reach.members);
}

std::vector<Repair> Mirror::restore() {
  const std::lock_guard lock(publication_lock());
  std::vector<Repair> repairs;
  for (const Part& part : parts_) {
    const auto table = static_cast<std::size_t>(part.table);
    std::byte* const there = tables_.memory[table] + part.offset;
    const std::byte* const wanted = copy_.data() + part.copy;
    if (std::memcmp(there, wanted, part.bytes) == 0) continue;
    const std::size_t changed = write_back(there, wanted, part.bytes);
    repairs.push_back({.kind = Repaired::table,
                       .what = "somebody else had written to the table " + std::string(kTableSpecs[table].name) + ": " +
                               std::to_string(changed) + " bytes are as they were",
                       .failure = {}});
  }
  return repairs;
}

}  // namespace astil::dataplane
