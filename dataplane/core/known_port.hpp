// The quick way under full NAT: from the client of a connection that has a port. What it does not decide it leaves as
// it was.
#pragma once

#include "dataplane/core/full_nat.hpp"
#include "dataplane/core/known.hpp"

namespace astil::core {

namespace detail {

/// A client's packet of which nothing is to be noted, to a backend that is reached without a VLAN tag.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_known_port(Engine& engine) {
  Packet<Ip> packet{};
  if (parse(engine, packet) != Parsed::plain) return {.reason = Reason::internal};
  const FlowTuple flow = flow_of_client(packet);
  const FlowHash hash = connection_hash(engine, flow);
  const FlowPlace place = likely_port(engine, hash, source_for(engine, flow.client));
  if (place.line == nullptr || !is_quiet(engine, place, packet.tcp_flags, Direction::from_client))
    return {.reason = kToService};
  const u32 number = backend_of(place.value);
  const Backend* found = engine.backend(number);
  if (!is_port_of(engine, place, found, flow)) return {.reason = kToService};
  const Backend& backend = *found;
  if (gives_up_flows(backend.rotation, packet.protocol)) return {.reason = kToService};
  const u64 destination = shared_load(backend.destination_mac);
  if (!is_plain_way(engine, packet, backend, destination)) return {.reason = kToService};
  engine.saw_packet(packet);
  engine.saw_port(index_of(place), backend);
  engine.saw_backend(backend, number);
  const BothEnds ends = ends_to_backend(*engine.settings(), index_of(place), flow, backend);
  const Rewritten rewritten = rewrite_ends(engine, read_again(packet), ends);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_client);
  count_packet(engine, number, packet.length);
  return emit_plain(rewritten, {backend.interface, destination, backend.source_mac}, Reason::forwarded);
}

}  // namespace detail
}  // namespace astil::core
