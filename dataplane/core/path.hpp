// The packet path, straight through: parse, service, steer, rewrite, verdict. `run` is all that an engine calls.
#pragma once

#include "dataplane/core/rewrite.hpp"
#include "dataplane/core/vlan.hpp"

namespace astil::core {

namespace detail {

template <class Engine>
ASTIL_INLINE Verdict emit(Engine& engine, const Rewritten& packet, const Exit& exit, Reason reason) {
  write_addresses(*packet.ethernet, exit);
  packet.ethernet->type = packet.type;
  if (((exit.destination | exit.source) >> 48U) != 0 && !push_tags(engine, exit, packet.type))
    return {.reason = Reason::no_headroom};
  return {.reason = reason, .interface = exit.interface};
}

template <class Engine>
ASTIL_INLINE void count_packet(Engine& engine, u32 backend, u32 length) {
  Counter* counter = engine.counter(backend);
  if (counter == nullptr) return;
  engine.add(&counter->packets, 1);
  engine.add(&counter->bytes, length);
}

template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite(Engine& engine, const Packet<Ip>& packet, const Backend& backend, u32 tag) {
  switch (backend.forwarding) {
    case Forwarding::nat:
      return rewrite_nat(engine, packet, Direction::from_client, backend.address, backend.port);
    case Forwarding::tunnel:
      return rewrite_tunnel(engine, packet, backend, tag);
    case Forwarding::direct:
      return rewrite_direct(engine, packet);
  }
  return {};
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict to_backend(Engine& engine, const Packet<Ip>& packet) {
  const Steering steering = steer(engine, packet);
  if (steering.backend == nullptr) return {.reason = steering.reason};
  const Backend& backend = *steering.backend;
  engine.saw_backend(backend, steering.number);
  const u64 destination = shared_load(backend.destination_mac);
  if (destination == 0) return {.reason = Reason::no_next_hop};
  const Rewritten rewritten = rewrite(engine, packet, backend, steering.tag);
  if (rewritten.ethernet == nullptr) return {.reason = rewritten.reason};
  engine.saw_rewrite(backend, Direction::from_client);
  count_packet(engine, steering.number, packet.length);
  return emit(engine, rewritten, {backend.interface, destination, backend.source_mac}, Reason::forwarded);
}

/// What leaves by a VLAN device leaves by what is under it, with a tag.
template <class Engine>
ASTIL_INLINE Exit exit_of(Engine& engine, const NextHop& hop) {
  const Exit untagged{hop.interface, hop.destination_mac, hop.source_mac};
  const Settings* settings = engine.settings();
  if ((settings->holds & kHoldsVlans) == 0) return untagged;
  const Interface& device = settings->interfaces[interface_slot(hop.interface, settings->interface_multiplier)];
  if (device.ifindex != hop.interface || device.parent == 0) return untagged;
  return {device.parent, hop.destination_mac, tagged(hop.source_mac, Be16{tag_above(device.mac)})};
}

/// A reply under nat. One that is of no flow stays as it is: probes and direct access to backends are not ours.
template <class Ip, class Engine>
ASTIL_INLINE Verdict to_client(Engine& engine, const Packet<Ip>& packet) {
  const GenerationNumber generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return {.reason = Reason::unready};
  const Replier replier = find_replier(engine, source_of(packet), packet.ports->source, packet.protocol, generation);
  if (replier.backend == nullptr) return {.reason = Reason::no_service};
  if (packet.is_fragment != 0) return {.reason = Reason::fragment};
  const ReplyOf reply = reply_of(engine, packet, replier, generation);
  if (reply == ReplyOf::nobody) return {.reason = Reason::unknown_reply};
  const Address address = replier.backend->service_address;
  const NextHop hop = engine.route(destination_of(packet), address, packet.length);
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
  engine.saw_rewrite(*replier.backend, Direction::from_backend);
  count_packet(engine, replier.number, packet.length);
  return emit(engine, rewritten, exit_of(engine, hop), Reason::replied);
}

/// A frame without tags.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide(Engine& engine) {
  Packet<Ip> packet{};
  packet.ethernet = header_at<EthernetStart>(engine, 0);
  if (packet.ethernet == nullptr) return {.reason = Reason::not_ip};
  if (const Reason reason = parse(engine, packet); reason != Reason::count) return {.reason = reason};
  const bool to_service =
      may_be_ours(engine, destination_of(packet), packet.ports->destination, packet.protocol, IndexKind::service);
  const bool reply = may_be_ours(engine, source_of(packet), packet.ports->source, packet.protocol, IndexKind::reply);
  if (!to_service && !reply) return {.reason = Reason::no_service};
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  if (to_service) {
    const Verdict verdict = to_backend(engine, packet);
    if (verdict.reason != Reason::no_service) return verdict;
  }
  return reply ? to_client(engine, packet) : Verdict{.reason = Reason::no_service};
}

}  // namespace detail

/// The path of each version of IP, which an engine may keep in functions of their own.
enum class Part : u8 { ipv4, ipv6 };

template <Part kPart, class Engine>
ASTIL_INLINE Verdict run_part(Engine& engine) {
  if constexpr (kPart == Part::ipv6) return detail::decide<Ipv6>(engine);
  return detail::decide<Ipv4>(engine);
}

namespace detail {

template <class Engine>
ASTIL_INLINE Verdict run_untagged(Engine& engine, u32 kind) {
  if ((kind & kKindMask) == kKindIpv4) return engine.template part<Part::ipv4>();
  if ((kind & kKindMask) == kKindIpv6) return engine.template part<Part::ipv6>();
  return {.reason = Reason::not_ip};
}

/// A frame with tags: the path sees it without them. What the kernel gets has them again.
template <class Engine>
ASTIL_INLINE Verdict run_tagged(Engine& engine) {
  const TaggedStart start = read_tags(engine);
  if (start.tags == 0) return {.reason = Reason::not_ip};
  const auto* version = header_at<u8>(engine, kNetworkOffset + start.tags * kVlanTagBytes);
  if (version == nullptr) return {.reason = Reason::not_ip};
  const u32 kind = raw(start.type) | (u32{*version} << 16U);
  if (!remove_tags(engine, start)) return {.reason = Reason::no_headroom};
  const Verdict verdict = run_untagged(engine, kind);
  if (action_of(verdict.reason) == Action::pass && !restore_tags(engine, start)) return {.reason = Reason::no_headroom};
  return verdict;
}

}  // namespace detail

/// Takes one packet through the path. The caller does what the verdict says (kReasons has its action) and nothing more.
template <Engine E>
ASTIL_INLINE Verdict run(E& engine) {
  const auto* ethernet = header_at<EthernetStart>(engine, 0);
  Verdict verdict{.reason = Reason::not_ip};
  if (ethernet != nullptr) {
    const u32 kind = ethernet->kind;
    const bool tagged = detail::is_vlan(Be16{static_cast<u16>(kind)});
    verdict = tagged ? detail::run_tagged(engine) : detail::run_untagged(engine, kind);
  }
  // What is sent is counted with its backend.
  if (verdict.reason < kFirstPass) return verdict;
  if (CpuRow* row = engine.cpu_row()) engine.add(&row->reasons[static_cast<u32>(verdict.reason)], 1);
  return verdict;
}

}  // namespace astil::core
