// The quick way of most packets: whole ones of a flow that the table knows, from its client to a backend that is
// reached without a VLAN tag, or of IPv4 the backend's reply under nat. It takes the same stages as any other
// (path.hpp), with few values alive at a time. What it does not decide it leaves as it was.
#pragma once

#include "dataplane/core/closed.hpp"
#include "dataplane/core/verdict.hpp"

namespace astil::core {

namespace detail {

/// Which part of the path has a packet that is for no service?
template <class Ip, class Engine>
ASTIL_INLINE Reason part_of_stranger(Engine& engine, const Packet<Ip>& packet) {
  const bool to_port =
      (engine.settings()->holds & kHoldsPorts) != 0 &&
      is_in_filter(engine, index_key_of<Ip>(destination_of(packet), kAnyPort, 0, IndexKind::port_source));
  return to_port ? kToPort : kReply;
}

/// May it be of a connection under full NAT, by its destination?
template <class Ip, class Engine>
ASTIL_INLINE bool may_have_port(Engine& engine, const Packet<Ip>& packet) {
  return (engine.settings()->holds & kHoldsPorts) != 0 &&
         may_be_ours<Ip>(engine, destination_of(packet), packet.ports->destination, packet.protocol,
                         IndexKind::full_nat);
}

/// Can the backend have the packet as it stands: no tag to put on, and short enough for the way?
template <class Engine>
ASTIL_INLINE bool is_plain_way(Engine& engine, const auto& packet, const Backend& backend, u64 destination) {
  return destination != 0 && ((destination | backend.source_mac) >> 48U) == 0 &&
         longest_datagram(engine, packet) <= backend.max_length;
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict send_known(Engine& engine, const Packet<Ip>& packet) {
  const Settings* settings = engine.settings();
  const FlowTuple flow = flow_of_client(packet);
  const u64 digest = Ip::kIsWide ? wide_flow_digest(flow, settings->hash_key) : flow_digest(flow, settings->hash_key);
  const FlowHash hash = hash_of_digest(digest, settings->header.sizes.flow_lines - 1);
  FlowLines lines = flow_lines(engine, hash, false);
  const FlowPlace place = find_flow(engine, hash, lines);
  if (place.line == nullptr) return {.reason = kToService};
  const u32 number = backend_of(place.value);
  const Backend* found = engine.backend(number);
  if (found == nullptr) return {.reason = kToService};
  const Backend& backend = *found;
  if (!serves(backend, flow_of_client(read_again(packet)))) return {.reason = kToService};
  if (gives_up_flows(backend.rotation, packet.protocol)) return {.reason = kToService};
  const u64 destination = shared_load(backend.destination_mac);
  if (backend.forwarding == Forwarding::full_nat || !is_plain_way(engine, packet, backend, destination))
    return {.reason = kToService};
  engine.saw_packet(packet);
  engine.saw_known_flow(place, backend);
  if (!is_quiet(engine, place, packet.tcp_flags, Direction::from_client))
    engine.touch(entry_at(place), place.value, sign_of(engine, packet, Direction::from_client));
  engine.saw_backend(backend, number);
  const Rewritten rewritten = rewrite_short(engine, packet, backend, hash.tag);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_client);
  count_packet(engine, number, packet.length);
  return emit_plain(rewritten, {backend.interface, destination, backend.source_mac}, Reason::forwarded);
}

/// A reply under nat of a flow that the table knows, to a client whose next hop is kept, and says whose reply it is.
template <class Ip, class Engine>
ASTIL_INLINE Verdict answer_known(Engine& engine, const Packet<Ip>& packet) {
  const Settings* settings = engine.settings();
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  const Hop* hop = engine.hop(hop_place(destination_of(packet), source_of(packet), packet.ports->source));
  if (hop == nullptr || !is_kept(engine, *hop, destination_of(packet), longest_datagram(engine, packet)))
    return {.reason = kReply};
  const Backend* found = engine.backend(hop->backend);
  if (found == nullptr) return {.reason = kReply};
  const Backend& backend = *found;
  if (!is_replier(backend, source_of(packet), packet.ports->source, packet.protocol)) return {.reason = kReply};
  const FlowTuple flow = flow_of_reply(packet, backend);
  const u64 digest = Ip::kIsWide ? wide_flow_digest(flow, settings->hash_key) : flow_digest(flow, settings->hash_key);
  const FlowHash hash = hash_of_digest(digest, settings->header.sizes.flow_lines - 1);
  FlowLines lines = flow_lines(engine, hash, false);
  const FlowPlace place = find_flow(engine, hash, lines);
  if (place.line == nullptr || backend_of(place.value) != hop->backend) return {.reason = kReply};
  engine.saw_known_flow(place, backend);
  if (!is_quiet(engine, place, packet.tcp_flags, Direction::from_backend))
    engine.touch(entry_at(place), place.value, sign_of(engine, packet, Direction::from_backend));
  const Rewritten rewritten = rewrite_nat(engine, read_again(packet), Direction::from_backend,
                                          as_one_pointer(&backend)->service_address, backend.service_port);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_backend);
  count_packet(engine, hop->backend, packet.length);
  return emit_plain(rewritten, {hop->interface, hop->destination_mac, hop->source_mac}, Reason::replied);
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_known(Engine& engine) {
  Packet<Ip> packet{};
  const Parsed parsed = parse(engine, packet);
  if (parsed == Parsed::not_ip) return {.reason = Reason::not_ip};
  if (parsed == Parsed::unusual) return {.reason = kUnusual};
  if (is_first_fragment(packet)) return {.reason = kToService};
  if (!may_be_ours<Ip>(engine, destination_of(packet), packet.ports->destination, packet.protocol,
                       IndexKind::service)) {
    const Reason part = part_of_stranger(engine, packet);
    const bool ours = part == kToPort || may_be_ours<Ip>(engine, source_of(packet), packet.ports->source,
                                                         packet.protocol, IndexKind::reply);
    if (!ours) return {.reason = may_be_closed<Ip>(engine, destination_of(packet)) ? kReply : Reason::no_service};
    if constexpr (!Ip::kIsWide)  // for both versions the program has not stack enough
      if (part == kReply && (engine.settings()->holds & kHoldsVlans) == 0) return answer_known(engine, packet);
    return {.reason = part};
  }
  if (packet.protocol == kProtocolTcp && opens_connection(kProtocolTcp, packet.tcp_flags))
    return {.reason = kToService};
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  if (may_have_port(engine, packet)) return {.reason = kKnownPort};
  return send_known(engine, packet);
}

/// A frame that came with tags goes no quick way but this one, so that its connection is no other than without them.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_tagged(Engine& engine) {
  if ((engine.settings()->holds & kHoldsPorts) == 0) return {.reason = kToService};
  Packet<Ip> packet{};
  if (parse(engine, packet) != Parsed::plain || is_first_fragment(packet)) return {.reason = kToService};
  if (!may_have_port(engine, packet)) return {.reason = kToService};
  if (packet.protocol == kProtocolTcp && opens_connection(kProtocolTcp, packet.tcp_flags))
    return {.reason = kToService};
  if (!is_for_this_station(engine, packet)) return {.reason = kToService};
  return {.reason = kKnownPort};
}

}  // namespace detail
}  // namespace astil::core
