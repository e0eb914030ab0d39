#include "control/ha/sync/rekey.hpp"

#include <vector>

#include "dataplane/census.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/native/native_engine.hpp"

namespace astil::ha::sync {
namespace {

std::uint64_t free_all(std::span<core::FlowLine> lines, const dataplane::Tables& tables) {
  std::uint64_t freed = 0;
  for (core::FlowLine& line : lines) {
    for (std::uint64_t& place : line.entries) {
      const std::uint64_t entry = __atomic_exchange_n(&place, std::uint64_t{0}, __ATOMIC_ACQ_REL);
      if (entry == 0) continue;
      ++freed;
      const std::uint32_t backend = core::backend_of(entry);
      const bool in_flows = &lines[0] == tables.flows().data();
      if (in_flows && core::is_active(entry) != 0 && backend < tables.loads().size())
        __atomic_fetch_add(&tables.loads()[backend].closed, 1, __ATOMIC_RELAXED);
    }
  }
  return freed;
}

}  // namespace

std::uint64_t count_flows(const dataplane::Tables& tables) {
  std::uint64_t used = 0;
  for (const core::FlowLine& line : tables.flows()) {
    for (const std::uint64_t& entry : line.entries) used += core::shared_load(entry) != 0 ? 1 : 0;
  }
  return used;
}

Rekeyed rekey(const dataplane::Tables& tables, std::span<const std::uint64_t, core::kHashKeys> key,
              std::uint32_t tick) {
  std::vector<dataplane::FlowRecord> flows;
  dataplane::visit_flows(tables, tick, [&](const dataplane::FlowRecord& record) {
    flows.push_back(record);
    return true;
  });
  Rekeyed done;
  free_all(tables.flows(), tables);
  if (tables.sizes.port_sources != 0) done.lost += free_all(tables.ports(), tables);
  core::Settings& settings = tables.settings();
  for (std::size_t i = 0; i < core::kHashKeys; ++i) core::shared_store(settings.hash_key[i], key[i]);
  native::Frame no_frame({});
  native::Surroundings around;
  around.tick = tick;
  around.row = tables.sizes.cpus;
  native::NativeEngine<> engine(tables, no_frame, around);
  for (const dataplane::FlowRecord& record : flows) {
    const core::FlowHash hash = dataplane::hash_of(record, settings, tables.sizes.flow_lines);
    core::FlowEntry entry = record.entry;
    entry.tag = hash.tag;
    core::FlowLines lines = core::flow_lines(engine, hash, false);
    const bool there = core::find_flow(engine, hash, lines).line != nullptr;
    const core::FlowPlace place = core::choose_place(engine, lines, hash, tick);
    const bool room = place.line != nullptr &&
                      core::eviction_class(place.value, tick, settings.timeouts) >= core::EvictionClass::expired;
    const bool moved = !there && room && core::write_flow(engine, place, entry, record.flow);
    ++(moved ? done.flows : done.lost);
  }
  return done;
}

}  // namespace astil::ha::sync
