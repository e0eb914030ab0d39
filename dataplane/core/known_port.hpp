// The quick way under full NAT: from the client of a connection that has a port. What it does not decide it leaves as
// it was.
#pragma once

#include "dataplane/core/full_nat.hpp"
#include "dataplane/core/known.hpp"

namespace astil::core {

namespace detail {

/// What has no port: it is for the general way, or of another service at the same address.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_without_port(Engine& engine, const Packet<Ip>& packet) {
  if (may_have_port(engine, packet)) return {.reason = kToService};
  return send_known(engine, packet);
}

/// Is the record that was found the packet's connection's, and does the packet leave it as it is? One that it leaves so
/// is not claimed.
template <class Ip, class Engine>
ASTIL_INLINE bool is_port_of_plain(Engine& engine, const FlowPlace& place, const Backend& backend,
                                   const Packet<Ip>& packet) {
  if (!is_quiet(engine.tick(), place, Direction::from_client)) return false;
  if (!(*key_at(place) == key_of(flow_of_client(packet))) || !serves_plain(backend, packet)) return false;
  if constexpr (Ip::kIsWide) {
    const Address* client = port_client_at(engine, place);
    if (client == nullptr || !(*client == source_of(packet))) return false;
  }
  return shared_load(*entry_at(place)) == place.value;  // and was so while it was read
}

/// A client's packet of which nothing is to be noted, to a backend that is reached without a VLAN tag.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_known_port(Engine& engine) {
  Packet<Ip> packet{};
  if (!take_plain(engine, packet)) return {.reason = Reason::internal};
  const FlowHash hash = hash_of_digest(digest_of<Ip>(engine, flow_of_client(packet)), kPortLines - 1);
  const FlowPlace place = likely_port(engine, hash, source_for(engine, source_of(packet)));
  if (place.line == nullptr) return decide_without_port(engine, packet);
  const u32 number = backend_of(place.value);
  const Backend* found = engine.backend(number);
  if (found == nullptr || !is_port_of_plain(engine, place, *found, packet)) return {.reason = kToService};
  const Backend& backend = *found;
  if (!is_for_this_station(engine, packet, backend)) return {.reason = Reason::other_mac};
  const u64 destination = shared_load(backend.destination_mac);
  const u64 source = shared_load(backend.source_mac);
  if (shared_load(backend.quick) != Way::full_nat || !is_untagged(destination, source) ||
      !fits(engine, packet, backend))
    return {.reason = kToService};
  engine.saw_packet(packet);
  engine.saw_port(index_of(place), backend);
  engine.saw_backend(backend, number);
  const BothEnds ends = ends_to_backend(*engine.settings(), index_of(place), flow_of_client(packet), backend);
  const Rewritten rewritten = rewrite_ends(engine, read_plain_again(packet), ends);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_client);
  count_packet(engine, number, packet.length);
  return emit_plain(rewritten, {backend.interface, destination, source}, Reason::forwarded);
}

}  // namespace detail
}  // namespace astil::core
