// Affinity: new flows of a client go to the backend that its last one went to. Noted in the flow table, in entries
// beside those of flows: the first bits of the client's address, its port 0, and a tag that no flow has
// (docs/decisions/0011-affinity.md).
#pragma once

#include "dataplane/core/schedule.hpp"

namespace astil::core {

namespace detail {

/// Who a client is to the affinity of a service: in the form of a flow, for the hash and the key.
ASTIL_INLINE void name_client(FlowTuple& client, const FlowTuple& flow, const Service& service) {
  client.client = first_bits(flow.client, service.affinity_bits);
  client.address = service.address;
  client.client_port = kAnyPort;
  client.port = service.port;
  client.protocol = service.protocol;
}

/// Is the entry that was found still an affinity entry, and not claimed?
ASTIL_INLINE bool is_affinity(const FlowPlace& place) {
  return place.line != nullptr && state_of(place.value) == FlowState::affinity;
}

/// Does an affinity entry send a client's new flows to its backend?
template <class Engine>
ASTIL_INLINE bool holds_client(Engine& engine, const FlowPlace& place, const Service& service) {
  if (!is_affinity(place)) return false;
  if (idle_ticks(place.value, engine.tick()) >= service.affinity_ticks) return false;
  const Backend* backend = engine.backend(backend_of(place.value));
  return backend != nullptr && backend->service == service.id && backend->rotation == Rotation::in;
}

/// Notes a client's backend, in the place of its older entry, else in one that is free, expired, or another client's
/// affinity: never in a flow's, so that a flood of clients pushes out no connection.
template <class Engine>
ASTIL_INLINE void note_affinity(Engine& engine, FlowPlace place, const FlowLines& lines, const FlowHash& hash,
                                const FlowTuple& client, u32 backend) {
  const u32 tick = engine.tick();
  const FlowEntry entry{.tag = hash.tag, .age = tick & kAgeMask, .state = FlowState::affinity, .backend = backend};
  if (place.line != nullptr) {
    // One that is claimed is its claimer's; and where another was quicker, its word stands.
    if (is_affinity(place) && place.value != pack(entry)) (void)engine.swap(entry_at(place), place.value, pack(entry));
    return;
  }
  place = choose_place(engine, lines, hash, tick);
  if (place.line == nullptr) return;
  const EvictionClass given_up = eviction_class(place.value, tick, engine.settings()->timeouts);
  if (given_up <= EvictionClass::affinity) count_event(engine, FlowEvent::evicted_affinity);
  if (given_up >= EvictionClass::affinity) (void)write_flow(engine, place, entry, client);
}

}  // namespace detail

/// Places a new flow of a service with affinity: where its client's last one went, else where the scheduler says, which
/// is noted for the next. A backend's number; kNoBackend: there is none.
template <class Engine>
ASTIL_INLINE u32 place_by_affinity(Engine& engine, const Opening& opening, u32 service_id) {
  const Settings* settings = engine.settings();
  const Service* service = service_record(engine, shared_load(settings->active), service_id);
  CpuRow* const row = engine.cpu_row();
  if (service == nullptr || row == nullptr) return kNoBackend;
  static_assert(sizeof(FlowTuple) <= sizeof(row->client));
  FlowTuple& client = reinterpret_cast<FlowTuple&>(row->client);
  detail::name_client(client, opening.flow, *service);
  const FlowHash hash = affinity_hash(client, settings->hash_key, settings->header.sizes.flow_lines - 1);
  const FlowLines lines = both_lines(engine, hash);
  const FlowPlace place = find_calmly(hash, lines);
  u32 number = 0;
  if (detail::holds_client(engine, place, *service)) {
    engine.saw_affinity(*service, place);
    number = backend_of(place.value);
  } else {
    const Steering chosen = schedule(engine, *service, opening, is_limited(*settings, engine.tick()));
    if (chosen.backend == nullptr) return kNoBackend;
    number = chosen.number;
  }
  detail::note_affinity(engine, place, lines, hash, client, number);
  return number;
}

}  // namespace astil::core
