// The packet path, straight through: parse, service, steer, rewrite, verdict. `run` is all that an engine calls.
#pragma once

#include "dataplane/core/rewrite.hpp"

namespace astil::core {

namespace detail {

template <class Engine>
ASTIL_INLINE Verdict emit(Engine& engine, u32 interface, u64 destination, u64 source, Reason reason) {
  auto* ethernet = header_at<EthernetWords>(engine, 0);
  if (ethernet == nullptr) return {.reason = Reason::internal};
  ethernet->words[0] = static_cast<u32>(destination);
  ethernet->words[1] = static_cast<u32>(destination >> 32U) | static_cast<u32>(source << 16U);
  ethernet->words[2] = static_cast<u32>(source >> 16U);
  ethernet->type = kEtherTypeIpv4;
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
ASTIL_INLINE Reason rewrite(Engine& engine, const Packet& packet, const Service& service, const Backend& backend) {
  switch (service.forwarding) {
    case Forwarding::nat:
      return rewrite_nat(engine, packet, Direction::from_client, backend.address.words[0], backend.port);
    case Forwarding::tunnel:
      return rewrite_tunnel(engine, packet, backend);
    case Forwarding::direct:
      return rewrite_direct(engine);
  }
  return Reason::internal;
}

template <class Engine>
ASTIL_INLINE Verdict to_backend(Engine& engine, const Packet& packet, const Service& service, const FlowTuple& flow) {
  const Steering steering = steer(engine, packet, service, flow);
  if (steering.backend == nullptr) return {.reason = steering.reason};
  const Backend& backend = *steering.backend;
  engine.saw_backend(backend, steering.number);
  const u64 destination = shared_load(backend.destination_mac);
  if (destination == 0) return {.reason = Reason::no_next_hop};
  if (const Reason reason = rewrite(engine, packet, service, backend); reason != Reason::count)
    return {.reason = reason};
  count_packet(engine, steering.number, packet.length);
  return emit(engine, backend.interface, destination, backend.source_mac, Reason::forwarded);
}

/// A reply under nat. One that is of no flow stays as it is: probes and direct access to backends are not ours.
template <class Engine>
ASTIL_INLINE Verdict to_client(Engine& engine, const Packet& packet, const Match& match, const FlowTuple& flow) {
  const Service& service = *match.service;
  const ReplyOf reply = reply_of(engine, packet, service, flow, match.backend);
  if (reply == ReplyOf::nobody) return {.reason = Reason::unknown_reply};
  const NextHop hop = engine.route(packet.destination, service.address.words[0], packet.length);
  if (hop.status == NextHop::Status::no_neighbour) {
    engine.want_neighbour(hop.neighbour, hop.interface);
    return {.reason = Reason::no_neighbour};
  }
  // To an address of the balancer itself no route leads: a probe's answer.
  if (hop.status != NextHop::Status::found)
    return {.reason = reply == ReplyOf::known_flow ? Reason::no_route : Reason::unknown_reply};
  const Reason reason = rewrite_nat(engine, packet, Direction::from_backend, service.address.words[0], service.port);
  if (reason != Reason::count) return {.reason = reason};
  count_packet(engine, match.backend, packet.length);
  return emit(engine, hop.interface, hop.destination_mac, hop.source_mac, Reason::replied);
}

template <class Engine>
ASTIL_INLINE Verdict decide(Engine& engine) {
  Packet packet{};
  if (const Reason reason = parse(engine, packet); reason != Reason::count) return {.reason = reason};
  const u32 generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return {.reason = Reason::unready};
  const Match match = find_service(engine, packet, generation);
  if (match.service == nullptr) return {.reason = Reason::no_service};
  engine.saw_service(*match.service);
  if (packet.is_fragment != 0) return {.reason = Reason::fragment};
  const FlowTuple flow = flow_of(packet, match);
  if (match.direction == Direction::from_client) return to_backend(engine, packet, *match.service, flow);
  return to_client(engine, packet, match, flow);
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
