// Whose flow is it? The question of those who only ask: nothing is noted and nobody's turn is taken.
#pragma once

#include "dataplane/core/steer.hpp"

namespace astil::core::detail {

/// What may decide where the table does not know the flow: always the ring, as for any packet in mid-connection; or the
/// ring only where the table can not be expected to know it, as for a reply (`reply_of`).
enum class Unknown : u8 { by_ring, of_nobody };

/// The backend that a connection is with.
template <Unknown kUnknown, class Engine>
ASTIL_INLINE Steering owner_of(Engine& engine, const FlowTuple& flow) {
  const Settings* settings = engine.settings();
  const FlowHash hash = flow_hash(flow, settings->hash_key, settings->header.sizes.flow_lines - 1);
  FlowLines lines = flow_lines(engine, hash, false);
  const FlowPlace place = find_flow(engine, hash, lines);
  if (place.line != nullptr) {
    const Backend* backend = engine.backend(backend_of(place.value));
    if (backend != nullptr && serves(*backend, flow)) {
      engine.saw_known_flow(place, *backend);
      return {.backend = backend, .number = backend_of(place.value), .tag = hash.tag};
    }
  }
  if (kUnknown == Unknown::of_nobody && settings->header.ring_only == 0 && has_room(lines))
    return {.reason = Reason::unknown_reply};
  const GenerationNumber generation = shared_load(settings->active);
  if (generation >= kNoGeneration) return {.reason = Reason::unready};
  const Service* service = find_service(engine, flow, generation);
  if (service == nullptr) return {.reason = Reason::no_service};
  engine.saw_service(*service);
  if (service->ring.length == 0) return not_placed(Reason::no_backend, *service);
  engine.saw_unknown_flow(hash);
  Steering ring = ring_choice(engine, *service, flow, hash.ring);
  ring.tag = hash.tag;
  return ring;
}

}  // namespace astil::core::detail
