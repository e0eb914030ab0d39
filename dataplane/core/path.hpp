// The packet path, straight through: parse, service, steer, rewrite, verdict. `run` is all that an engine calls.
#pragma once

#include "dataplane/core/drops.hpp"
#include "dataplane/core/sources.hpp"
#include "dataplane/core/too_big.hpp"
#include "dataplane/core/unusual.hpp"

namespace astil::core {

namespace detail {

template <class Ip, class Engine>
ASTIL_INLINE Verdict to_backend(Engine& engine, const Packet<Ip>& packet) {
  const Steering steering = steer(engine, packet);
  if (steering.backend == nullptr) return not_steered(steering);
  const Backend& backend = *steering.backend;
  engine.saw_backend(backend, steering.number);
  if (is_first_fragment(packet)) engine.template note_fragment<Ip>(steering.number);
  const u64 destination = shared_load(backend.destination_mac);
  if (destination == 0) return dropped(Reason::no_next_hop, backend.service);
  const Rewritten rewritten = rewrite(engine, packet, backend, steering.tag);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_client);
  count_packet(engine, steering.number, packet.length);
  return emit(engine, rewritten, {backend.interface, destination, backend.source_mac}, backend, Reason::forwarded);
}

/// A reply under nat. One that is of no flow stays as it is: probes and direct access to backends are not ours.
template <class Ip, class Engine>
ASTIL_INLINE Verdict to_client(Engine& engine, const Packet<Ip>& packet) {
  const GenerationNumber generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return {.reason = Reason::unready};
  const Replier replier = find_replier(engine, source_of(packet), packet.ports->source, packet.protocol, generation);
  if (replier.backend == nullptr) return {.reason = Reason::no_service};
  const ReplyOf reply = reply_of(engine, packet, replier, generation);
  if (reply == ReplyOf::nobody) return {.reason = Reason::unknown_reply};
  if (is_first_fragment(packet)) engine.template note_fragment<Ip>(replier.number);
  const Address address = replier.backend->service_address;
  const NextHop hop = engine.route(destination_of(packet), address, longest_datagram(engine, packet));
  const Backend& backend = *replier.backend;
  if (hop.status == NextHop::Status::no_neighbour) return dropped(Reason::no_neighbour, backend.service);
  if (hop.status == NextHop::Status::too_big) return dropped(is_too_big(engine, hop.mtu).reason, backend.service);
  // To an address of the balancer itself no route leads: a probe's answer.
  if (hop.status != NextHop::Status::found && reply != ReplyOf::known_flow) return {.reason = Reason::unknown_reply};
  if (hop.status != NextHop::Status::found) return dropped(Reason::no_route, backend.service);
  const Rewritten rewritten = rewrite_nat(engine, packet, Direction::from_backend, address, backend.service_port);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_backend);
  count_packet(engine, replier.number, packet.length);
  return emit(engine, rewritten, exit_of(engine, hop), backend, Reason::replied);
}

/// Not decided yet: for decide_unusual.
inline constexpr Reason kUnusual = Reason::count;

/// A frame without tags.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide(Engine& engine) {
  Packet<Ip> packet{};
  packet.ethernet = header_at<EthernetStart>(engine, 0);
  if (packet.ethernet == nullptr) return {.reason = Reason::not_ip};
  const Parsed parsed = parse(engine, packet);
  if (parsed == Parsed::not_ip) return {.reason = Reason::not_ip};
  if (parsed == Parsed::unusual) return {.reason = kUnusual};
  const bool to_service =
      may_be_ours(engine, destination_of(packet), packet.ports->destination, packet.protocol, IndexKind::service);
  const bool reply = may_be_ours(engine, source_of(packet), packet.ports->source, packet.protocol, IndexKind::reply);
  if (!to_service && !reply) {
    if (is_first_fragment(packet)) engine.template note_fragment<Ip>(kNobody);
    return {.reason = Reason::no_service};
  }
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  if (to_service) {
    const Verdict verdict = to_backend(engine, packet);
    if (verdict.reason != Reason::no_service) return verdict;
  }
  const Verdict verdict = reply ? to_client(engine, packet) : Verdict{.reason = Reason::no_service};
  // Its later fragments are the kernel's too.
  if (is_first_fragment(packet) && action_of(verdict.reason) == Action::pass)
    engine.template note_fragment<Ip>(kNobody);
  return verdict;
}

}  // namespace detail

/// What an engine may keep in functions of their own, each for one version of IP.
enum class Part : u8 {
  usual,
  unusual,  ///< what `usual` has left undecided
  too_big,  ///< the answer to what it has refused as such
};

template <Part kPart, class Ip, class Engine>
ASTIL_INLINE Verdict run_part(Engine& engine) {
  if constexpr (kPart == Part::unusual) return detail::decide_unusual<Ip>(engine);
  if constexpr (kPart == Part::too_big) {
    const CpuRow* row = engine.cpu_row();
    return row == nullptr ? Verdict{.reason = Reason::internal}
                          : tell_too_big<Ip>(engine, static_cast<u16>(row->scratch[0]));
  }
  return detail::decide<Ip>(engine);
}

/// Does the frame go on as it came, or back to where it came from? Then its tags belong to it.
constexpr bool keeps_tags(Reason reason) {
  return action_of(reason) == Action::pass || reason == Reason::echo_answered || reason == Reason::told_too_big;
}

namespace detail {

template <class Ip, class Engine>
ASTIL_INLINE Verdict run_version(Engine& engine) {
  Verdict verdict = engine.template part<Part::usual, Ip>();
  if (verdict.reason == kUnusual) verdict = engine.template part<Part::unusual, Ip>();
  if (verdict.reason != Reason::too_big) return verdict;
  const u32 service = service_of(verdict);
  verdict = engine.template part<Part::too_big, Ip>();
  return verdict.reason < kFirstDrop ? verdict : dropped(verdict.reason, service);
}

template <class Engine>
ASTIL_INLINE Verdict run_untagged(Engine& engine, u32 kind) {
  if ((kind & kKindMask) == kKindIpv4) return run_version<Ipv4>(engine);
  if ((kind & kKindMask) == kKindIpv6) return run_version<Ipv6>(engine);
  return {.reason = Reason::not_ip};
}

/// Takes the tags off a frame that has some; the path sees it without them. False: it is not for the path.
template <class Engine>
ASTIL_INLINE bool take_off_tags(Engine& engine, TaggedStart*& start, u32& kind) {
  start = read_tags(engine);
  if (start == nullptr) return false;
  const auto* version = header_at<u8>(engine, kNetworkOffset + start->tags * kVlanTagBytes);
  if (version == nullptr) return false;
  kind = raw(start->type) | (u32{*version} << 16U);
  return remove_tags(engine, *start);
}

template <class Engine>
ASTIL_INLINE Verdict run_frame(Engine& engine) {
  const auto* ethernet = header_at<EthernetStart>(engine, 0);
  if (ethernet == nullptr) return {.reason = Reason::not_ip};
  u32 kind = ethernet->kind;
  TaggedStart* start = nullptr;
  if (Engine::kTagsInFrame && is_vlan(Be16{static_cast<u16>(kind)}) && !take_off_tags(engine, start, kind))
    return {.reason = Reason::not_ip};
  const Verdict verdict = run_untagged(engine, kind);
  if (start != nullptr && keeps_tags(verdict.reason) && !restore_tags(engine, *start))
    return {.reason = Reason::no_headroom};
  return verdict;
}

}  // namespace detail

/// Counts what has become of a packet.
template <Engine E>
ASTIL_INLINE Verdict finish(E& engine, const Verdict& verdict) {
  if (verdict.reason < kFirstCounted) return verdict;
  if (CpuRow* row = engine.cpu_row()) engine.add(&row->reasons[static_cast<u32>(verdict.reason)], 1);
  if (verdict.reason < kFirstDrop) return verdict;
  engine.saw_drop(service_of(verdict));
  engine.note_drop(verdict.reason, service_of(verdict));
  return {.reason = verdict.reason};
}

/// Takes one packet through the path. The caller does what the verdict says (kReasons has its action) and nothing more.
template <Engine E>
ASTIL_INLINE Verdict run(E& engine) {
  return finish(engine, detail::run_frame(engine));
}

}  // namespace astil::core
