// The quick way of a flood: what opens a connection on a CPU that has met its limit of new flows, and goes where the
// ring says without being written down. The same stages as any other takes (path.hpp), but for those that do not apply.
// What it does not decide it leaves as it was.
#pragma once

#include "dataplane/core/known.hpp"
#include "dataplane/core/parts.hpp"

namespace astil::core::detail {

/// The service that a packet is for by its own port, where nothing but the limit and the ring is to be asked; nullptr:
/// none.
template <class Ip, class Engine>
ASTIL_INLINE const Service* plain_service(Engine& engine, const Packet<Ip>& packet) {
  const GenerationNumber generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return nullptr;
  const Service* service =
      service_at<Ip>(engine, generation, destination_of(packet), packet.ports->destination, packet.protocol);
  if (service == nullptr || service->checks_sources != 0 || service->forwarding == Forwarding::full_nat) return nullptr;
  return service->ring.length != 0 ? service : nullptr;
}

/// What opens a connection above the limit.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_flood(Engine& engine) {
  Packet<Ip> packet{};
  CpuRow* row = engine.cpu_row();
  const Settings* settings = engine.settings();
  if (row == nullptr || settings->header.ring_only != kAlone ||
      !has_met_limit(engine, *row, LimitKind::new_flows, settings->new_flows_per_unit))
    return {.reason = kToService};
  if (!take_opening(engine, packet) || has_mapped_end(packet)) return {.reason = kToService};
  if ((listed_of<Ip>(engine, destination_of(packet)) & kListedService) == 0) return {.reason = kToService};
  const FlowHash hash =
      hash_of_digest(digest_of<Ip>(engine, flow_of_client(packet)), settings->header.sizes.flow_lines - 1);
  const FlowLines lines = both_lines(engine, hash);
  if (lines.first == nullptr || lines.second == nullptr) return {.reason = kToService};
  if (has_tag(*lines.first, hash.tag) || has_tag(*lines.second, hash.tag)) return {.reason = kToService};
  const Service* service = plain_service(engine, packet);
  if (service == nullptr) return {.reason = kToService};
  const u32 slot = ring_place(engine, *service, source_of(packet), hash.ring);
  const u32 number = number_of_member(member_in_slot(engine, *service, service->ring, slot));
  const Backend* found = engine.backend(number);
  if (found == nullptr) return {.reason = kToService};
  const Backend& backend = *found;
  if (!is_for_this_station(engine, packet, backend)) return {.reason = Reason::other_mac};
  const Way way = shared_load(backend.quick);
  const u64 destination = shared_load(backend.destination_mac);
  const u64 source = shared_load(backend.source_mac);
  if (way == Way::none || !is_untagged(destination, source) || !fits(engine, packet, backend))
    return {.reason = kToService};
  engine.saw_packet(packet);
  engine.saw_service(*service);
  engine.saw_unknown_flow(hash);
  engine.saw_slot(*service, ring_scheduler(*service), slot, number);
  engine.saw_backend(backend, number);
  note_limited(engine, *row);
  const Rewritten rewritten = rewrite_short(engine, read_plain_again(packet), backend, way, hash.tag);
  Counter* counter = engine.counter(number);
  if (counter != nullptr) engine.add(&counter->connections, 1);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_client);
  if (counter != nullptr) count_packet(engine, *counter, packet.length);
  return emit_plain(rewritten, {backend.interface, destination, source}, Reason::forwarded);
}

}  // namespace astil::core::detail
