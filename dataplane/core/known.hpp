// The quick way of most packets: plain ones (parse_plain) of a flow that the table knows and whose entry stays as it
// is, from its client to a backend that is reached without a VLAN tag, or of IPv4 the backend's reply under nat. It
// takes the same stages as any other (path.hpp), with few values alive at a time. What it does not decide it leaves as
// it was.
#pragma once

#include "dataplane/core/service.hpp"
#include "dataplane/core/verdict.hpp"

namespace astil::core {

namespace detail {

/// May it be of a connection under full NAT, by its destination?
template <class Ip, class Engine>
ASTIL_INLINE bool may_have_port(Engine& engine, const Packet<Ip>& packet) {
  if ((listed_of<Ip>(engine, destination_of(packet)) & kListedFullNat) == 0) return false;
  const auto is_listed = [&](Be16 port) {
    const u64 key =
        index_key_of<Ip>(destination_of(read_plain_again(packet)), port, packet.protocol, IndexKind::full_nat);
    return (engine.settings()->filter[filter_place(key) & (kFilterPlaces - 1)] & kListedFullNatPort) != 0;
  };
  return is_listed(packet.ports->destination) ||
         ((engine.settings()->holds & kHoldsAnyPort) != 0 && is_listed(kAnyPort));
}

/// Is a plain packet to a backend for this station? Where it goes back out by the interface that it came in by, the
/// backend's record says so, and nothing else need be looked at.
template <class Ip, class Engine>
ASTIL_INLINE bool is_for_this_station(Engine& engine, const Packet<Ip>& packet, const Backend& backend) {
  if (backend.interface == engine.ingress() && (packet.ethernet->destination ^ backend.source_mac) << 16U == 0)
    return true;
  return core::is_for_this_station(engine, packet);
}

/// Is the next hop known, and reached without a VLAN tag?
ASTIL_INLINE bool is_untagged(u64 destination, u64 source) {
  return destination != 0 && (destination | source) >> 48U == 0;
}

/// Is the packet short enough for the way to the backend?
template <class Engine>
ASTIL_INLINE bool fits(Engine& engine, const auto& packet, const Backend& backend) {
  return longest_datagram(engine, packet) <= backend.max_length;
}

template <class Ip, class Engine>
ASTIL_INLINE u64 digest_of(Engine& engine, const FlowTuple& flow) {
  const auto& key = engine.settings()->hash_key;
  return Ip::kIsWide ? wide_flow_digest(flow, key) : flow_digest(flow, key);
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict send_known(Engine& engine, const Packet<Ip>& packet) {
  const FlowHash hash =
      hash_of_digest(digest_of<Ip>(engine, flow_of_client(packet)), engine.settings()->header.sizes.flow_lines - 1);
  const u32 tick = made_here(engine.tick());
  FlowLines lines = flow_lines(engine, hash, false);
  const FlowPlace place = find_flow(engine, hash, lines);
  if (place.line == nullptr || !is_quiet(tick, place, Direction::from_client)) return {.reason = kToService};
  const u32 number = backend_of(place.value);
  const Backend* found = engine.backend(number);
  if (found == nullptr) return {.reason = kToService};
  const Backend& backend = *found;
  if (!serves_plain(backend, packet)) return {.reason = kToService};
  if (!is_for_this_station(engine, packet, backend)) return {.reason = Reason::other_mac};
  const Way way = shared_load(backend.quick);
  const u64 destination = shared_load(backend.destination_mac);
  const u64 source = shared_load(backend.source_mac);
  if (way == Way::none || way == Way::full_nat || !is_untagged(destination, source) || !fits(engine, packet, backend))
    return {.reason = kToService};
  engine.saw_packet(packet);
  engine.saw_known_flow(place, backend);
  engine.saw_backend(backend, number);
  const Rewritten rewritten = rewrite_short(engine, read_plain_again(packet), backend, way, hash.tag);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_client);
  count_packet(engine, number, packet.length);
  return emit_plain(rewritten, {made_here(backend.interface), destination, source}, Reason::forwarded);
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
  const FlowHash hash = hash_of_digest(digest_of<Ip>(engine, flow), settings->header.sizes.flow_lines - 1);
  FlowLines lines = flow_lines(engine, hash, false);
  const FlowPlace place = find_flow(engine, hash, lines);
  if (place.line == nullptr || backend_of(place.value) != hop->backend) return {.reason = kReply};
  if (!is_quiet(engine.tick(), place, Direction::from_backend)) return {.reason = kReply};
  engine.saw_known_flow(place, backend);
  const Rewritten rewritten = rewrite_nat(engine, read_plain_again(packet), Direction::from_backend,
                                          as_one_pointer(&backend)->service_address, backend.service_port);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_backend);
  count_packet(engine, hop->backend, packet.length);
  return emit_plain(rewritten, {hop->interface, hop->destination_mac, hop->source_mac}, Reason::replied);
}

/// What is for no service, by what the filter lists of its destination.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_stranger(Engine& engine, const Packet<Ip>& packet, u32 listed) {
  const u32 replies = listed_of<Ip>(engine, source_of(packet)) & kListedReplier;
  if ((replies | (listed & (kListedPortSource | kListedClosed))) == 0) return {.reason = Reason::no_service};
  if ((listed & kListedPortSource) != 0) return {.reason = kToPort};
  if constexpr (!Ip::kIsWide)  // for both versions the program has not stack enough
    if (replies != 0 && (engine.settings()->holds & kHoldsVlans) == 0) return answer_known(engine, packet);
  return {.reason = kReply};
}

/// Of a frame that may be plain and begins at `start`.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_known(Engine& engine, u8* start) {
  Packet<Ip> packet{};
  if (!parse_plain(start, packet)) return {.reason = kToService};
  const u32 listed = listed_of<Ip>(engine, destination_of(packet));
  constexpr u32 kDeciding = kListedService | kListedFullNat;
  if ((listed & kDeciding) != kListedService) {
    if ((listed & kListedService) == 0) return decide_stranger(engine, packet, listed);
    return {.reason = kKnownPort};
  }
  return send_known(engine, packet);
}

/// A frame that came with tags goes no quick way but this one, so that its connection is no other than without them.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_tagged(Engine& engine) {
  Packet<Ip> packet{};
  const bool quick = take_plain(engine, packet) && may_have_port(engine, packet);
  return {.reason = quick ? kKnownPort : kToService};
}

}  // namespace detail
}  // namespace astil::core
