// The packet path, straight through: parse, service, steer, rewrite, verdict. `run` is all that an engine calls.
#pragma once

#include "dataplane/core/rewrite.hpp"

namespace astil::core {

namespace detail {

ASTIL_INLINE Verdict emit(EthernetWords& ethernet, u32 interface, u64 destination, u64 source, Reason reason) {
  ethernet.words[0] = static_cast<u32>(destination);
  ethernet.words[1] = static_cast<u32>(destination >> 32U) | static_cast<u32>(source << 16U);
  ethernet.words[2] = static_cast<u32>(source >> 16U);
  ethernet.type = kEtherTypeIpv4;
  return {.reason = reason, .interface = interface};
}

template <class Engine>
ASTIL_INLINE void count_packet(Engine& engine, u32 backend, u16 length) {
  Counter* counter = engine.counter(backend);
  if (counter == nullptr) return;
  engine.add(&counter->packets, 1);
  engine.add(&counter->bytes, length);
}

template <class Engine>
ASTIL_INLINE Rewritten rewrite(Engine& engine, const Packet& packet, const Backend& backend) {
  switch (backend.forwarding) {
    case Forwarding::nat:
      return rewrite_nat(engine, packet, Direction::from_client, backend.address.words[0], backend.port);
    case Forwarding::tunnel:
      return rewrite_tunnel(engine, packet, backend);
    case Forwarding::direct:
      return rewrite_direct(engine, packet);
  }
  return {};
}

template <class Engine>
ASTIL_INLINE Verdict to_backend(Engine& engine, const Packet& packet) {
  const Steering steering = steer(engine, packet);
  if (steering.backend == nullptr) return {.reason = steering.reason};
  const Backend& backend = *steering.backend;
  engine.saw_backend(backend, steering.number);
  const u64 destination = shared_load(backend.destination_mac);
  if (destination == 0) return {.reason = Reason::no_next_hop};
  const Rewritten rewritten = rewrite(engine, packet, backend);
  if (rewritten.ethernet == nullptr) return {.reason = rewritten.reason};
  count_packet(engine, steering.number, packet.length);
  return emit(*rewritten.ethernet, backend.interface, destination, backend.source_mac, Reason::forwarded);
}

/// A reply under nat. One that is of no flow stays as it is: probes and direct access to backends are not ours.
template <class Engine>
ASTIL_INLINE Verdict to_client(Engine& engine, const Packet& packet) {
  const u32 generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return {.reason = Reason::unready};
  const Replier replier = find_replier(engine, packet, generation);
  if (replier.backend == nullptr) return {.reason = Reason::no_service};
  if (packet.is_fragment != 0) return {.reason = Reason::fragment};
  const ReplyOf reply = reply_of(engine, packet, replier, generation);
  if (reply == ReplyOf::nobody) return {.reason = Reason::unknown_reply};
  const Be32 address = replier.backend->service_address.words[0];
  const NextHop hop = engine.route(packet.destination, address, packet.length);
  if (hop.status == NextHop::Status::no_neighbour) {
    engine.want_neighbour(hop.neighbour, hop.interface);
    return {.reason = Reason::no_neighbour};
  }
  // To an address of the balancer itself no route leads: a probe's answer.
  if (hop.status != NextHop::Status::found)
    return {.reason = reply == ReplyOf::known_flow ? Reason::no_route : Reason::unknown_reply};
  const Rewritten rewritten =
      rewrite_nat(engine, packet, Direction::from_backend, address, replier.backend->service_port);
  if (rewritten.ethernet == nullptr) return {.reason = rewritten.reason};
  count_packet(engine, replier.number, packet.length);
  return emit(*rewritten.ethernet, hop.interface, hop.destination_mac, hop.source_mac, Reason::replied);
}

template <class Engine>
ASTIL_INLINE Verdict decide(Engine& engine) {
  Packet packet{};
  if (const Reason reason = parse(engine, packet); reason != Reason::count) return {.reason = reason};
  const bool to_service =
      may_be_ours(engine, index_key(packet.destination, packet.destination_port, packet.protocol, IndexKind::service));
  const bool reply =
      engine.settings()->replies != 0 &&
      may_be_ours(engine, index_key(packet.source, packet.source_port, packet.protocol, IndexKind::reply));
  if (!to_service && !reply) return {.reason = Reason::no_service};
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  if (to_service) {
    const Verdict verdict = to_backend(engine, packet);
    if (verdict.reason != Reason::no_service) return verdict;
  }
  return reply ? to_client(engine, packet) : Verdict{.reason = Reason::no_service};
}

}  // namespace detail

/// Takes one packet through the path. The caller does what the verdict says (kReasons has its action) and nothing more.
template <Engine E>
ASTIL_INLINE Verdict run(E& engine) {
  const Verdict verdict = detail::decide(engine);
  // What is sent is counted with its backend.
  if (verdict.reason < kFirstPass) return verdict;
  if (CpuRow* row = engine.cpu_row()) engine.add(&row->reasons[static_cast<u32>(verdict.reason)], 1);
  return verdict;
}

}  // namespace astil::core
