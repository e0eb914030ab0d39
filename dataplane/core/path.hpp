// The packet path, straight through: parse, service, steer, rewrite, verdict. `run` is all that an engine calls.
#pragma once

#include "dataplane/core/closed.hpp"
#include "dataplane/core/drops.hpp"
#include "dataplane/core/flood.hpp"
#include "dataplane/core/known_port.hpp"
#include "dataplane/core/port_unusual.hpp"
#include "dataplane/core/refuse.hpp"
#include "dataplane/core/sources.hpp"
#include "dataplane/core/too_big.hpp"
#include "dataplane/core/unusual.hpp"

namespace astil::core {

namespace detail {

template <class Ip, class Engine>
ASTIL_INLINE Verdict to_backend(Engine& engine, const Packet<Ip>& packet) {
  const Steering steering = steer(engine, packet);
  if (steering.backend == nullptr) {
    if (steering.reason != Reason::no_backend && steering.reason != Reason::reset) return not_steered(steering);
    const bool goes_on = packet.protocol == kProtocolTcp && !opens_connection(kProtocolTcp, packet.tcp_flags);
    if (!goes_on || !may_have_port(engine, packet)) return wants_answer(engine, steering.number, steering.reason);
    return wants_port(engine, steering.reason == Reason::reset ? kToReset : kUnsteered);
  }
  const Backend& backend = *steering.backend;
  if (backend.forwarding == Forwarding::full_nat) return wants_port(engine, steering.number);
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
  const Backend& backend = *replier.backend;
  const NextHop hop = way_to(engine, destination_of(packet), backend, replier.number, longest_datagram(engine, packet));
  if (hop.status == NextHop::Status::no_neighbour) return dropped(Reason::no_neighbour, backend.service);
  if (hop.status == NextHop::Status::too_big) return dropped(is_too_big(engine, hop.mtu).reason, backend.service);
  // To an address of the balancer itself no route leads: a probe's answer.
  if (hop.status != NextHop::Status::found && reply != ReplyOf::known_flow) return {.reason = Reason::unknown_reply};
  if (hop.status != NextHop::Status::found) return dropped(Reason::no_route, backend.service);
  const Rewritten rewritten = rewrite_nat(engine, read_again(packet), Direction::from_backend,
                                          as_one_pointer(&backend)->service_address, backend.service_port);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_backend);
  count_packet(engine, replier.number, packet.length);
  return emit(engine, rewritten, exit_of(engine, hop), backend, Reason::replied);
}

/// Which part of the path has a packet that is for no service?
template <class Ip, class Engine>
ASTIL_INLINE Reason part_of_stranger(Engine& engine, const Packet<Ip>& packet) {
  return (listed_of<Ip>(engine, destination_of(packet)) & kListedPortSource) != 0 ? kToPort : kReply;
}

/// What may be for a service.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_to_service(Engine& engine) {
  Packet<Ip> packet{};
  const Parsed parsed = parse(engine, packet);
  if (parsed == Parsed::not_ip || has_mapped_end(packet)) return {.reason = Reason::not_ip};
  if (parsed == Parsed::unusual) return {.reason = kUnusual};
  if ((listed_of<Ip>(engine, destination_of(packet)) & kListedService) == 0)
    return {.reason = part_of_stranger(engine, packet)};
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  engine.saw_packet(packet);
  const Verdict verdict = to_backend(engine, packet);
  return verdict.reason == Reason::no_service ? Verdict{.reason = part_of_stranger(engine, packet)} : verdict;
}

/// What is for no service, but may be a backend's reply; it has been parsed before.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_reply(Engine& engine) {
  Packet<Ip> packet{};
  if (parse(engine, packet) != Parsed::with_ports || has_mapped_end(packet)) return {.reason = Reason::not_ip};
  Verdict verdict{.reason = Reason::no_service};
  if ((listed_of<Ip>(engine, source_of(packet)) & kListedReplier) != 0) {
    if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
    verdict = to_client(engine, packet);
  }
  // Its later fragments are the kernel's too.
  if (is_first_fragment(packet) && action_of(verdict.reason) == Action::pass)
    engine.template note_fragment<Ip>(kNobody);
  return verdict;
}

}  // namespace detail

/// What `decide_known` leaves to others. An engine may keep each in a function of its own, for one version of IP.
enum class Part : u8 {
  to_service,    ///< what the quick way does not take
  flood,         ///< likewise, while new flows are limited (`is_limited`): perhaps above the limit
  known_port,    ///< to a service under full NAT: of a connection that has a port
  full_nat,      ///< likewise, what was steered
  to_port,       ///< to a source address of full NAT
  reply,         ///< perhaps from a backend under nat
  unusual,       ///< fragments, ICMP, what is cut short
  unusual_port,  ///< of that, what is of a connection under full NAT
  answer,        ///< what may be refused, or reset
  too_big,       ///< the answer to what one of them has refused as such
  closed,        ///< what is for no service, to an address whose host may take nothing
};

namespace detail {

/// What a part leaves to the kernel is dropped where it is for a closed address.
template <class Ip, class Engine>
ASTIL_INLINE Verdict unless_closed(Engine& engine, const Verdict& verdict) {
  if (!is_for_host(verdict.reason) || (engine.settings()->holds & kHoldsClosed) == 0) return verdict;
  const Verdict closed = engine.template part<Part::closed, Ip>();
  return closed.reason == Reason::not_accepted ? closed : verdict;
}

}  // namespace detail

template <Part kPart, class Ip, class Engine>
ASTIL_INLINE Verdict run_part(Engine& engine) {
  if constexpr (kPart == Part::to_service) return detail::decide_to_service<Ip>(engine);
  if constexpr (kPart == Part::flood) return detail::decide_flood<Ip>(engine);
  if constexpr (kPart == Part::known_port) return detail::decide_known_port<Ip>(engine);
  if constexpr (kPart == Part::full_nat) return detail::decide_full_nat<Ip>(engine);
  if constexpr (kPart == Part::to_port) return detail::unless_closed<Ip>(engine, detail::decide_port<Ip>(engine));
  if constexpr (kPart == Part::reply) return detail::unless_closed<Ip>(engine, detail::decide_reply<Ip>(engine));
  if constexpr (kPart == Part::unusual) return detail::unless_closed<Ip>(engine, detail::decide_unusual<Ip>(engine));
  if constexpr (kPart == Part::unusual_port)
    return detail::unless_closed<Ip>(engine, detail::decide_unusual_port<Ip>(engine));
  if constexpr (kPart == Part::answer) return detail::decide_answer<Ip>(engine);
  if constexpr (kPart == Part::closed) return detail::decide_closed<Ip>(engine);
  const CpuRow* row = engine.cpu_row();
  return row == nullptr ? Verdict{.reason = Reason::internal}
                        : tell_too_big<Ip>(engine, static_cast<u16>(row->scratch[0]));
}

/// Does the frame go on as it came, or back to where it came from? Then its tags belong to it.
constexpr bool keeps_tags(Reason reason) {
  return action_of(reason) == Action::pass || action_of(reason) == Action::refuse || reason == Reason::echo_answered ||
         reason == Reason::told_too_big;
}

namespace detail {

/// From the part on that `verdict` names.
template <class Ip, class Engine>
ASTIL_INLINE Verdict run_from(Engine& engine, Verdict verdict) {
  if (verdict.reason == kKnownPort) verdict = engine.template part<Part::known_port, Ip>();
  if (verdict.reason == kToService && is_limited(*engine.settings(), engine.tick()))
    verdict = engine.template part<Part::flood, Ip>();
  if (verdict.reason == kToService) verdict = engine.template part<Part::to_service, Ip>();
  if (verdict.reason == kFullNat) verdict = engine.template part<Part::full_nat, Ip>();
  if (verdict.reason == kToPort) verdict = engine.template part<Part::to_port, Ip>();
  if (verdict.reason == kReply) verdict = engine.template part<Part::reply, Ip>();
  if (verdict.reason == kUnusual) verdict = engine.template part<Part::unusual, Ip>();
  if (verdict.reason == kUnusualPort) verdict = engine.template part<Part::unusual_port, Ip>();
  if (verdict.reason == kAnswer) verdict = engine.template part<Part::answer, Ip>();
  if (verdict.reason != Reason::too_big) return verdict;
  const u32 service = service_of(verdict);
  verdict = engine.template part<Part::too_big, Ip>();
  return verdict.reason < kFirstDrop ? verdict : dropped(verdict.reason, service);
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict run_plain(Engine& engine, u8* start) {
  const Verdict verdict = decide_known<Ip>(engine, start);
  return verdict.reason < kUnusual ? verdict : run_from<Ip>(engine, verdict);
}

/// A frame with VLAN tags: the path sees it without them.
template <class Engine>
ASTIL_INLINE Verdict run_tagged(Engine& engine) {
  TaggedStart* start = read_tags(engine);
  if (start == nullptr) return {.reason = Reason::not_ip};
  const auto* version = header_at<u8>(engine, kNetworkOffset + start->tags * kVlanTagBytes);
  if (version == nullptr) return {.reason = Reason::not_ip};
  const u32 kind = (raw(start->type) | (u32{*version} << 16U)) & kKindMask;
  if ((kind != kKindIpv4 && kind != kKindIpv6) || !remove_tags(engine, *start)) return {.reason = Reason::not_ip};
  const Verdict verdict = kind == kKindIpv4 ? run_from<Ipv4>(engine, decide_tagged<Ipv4>(engine))
                                            : run_from<Ipv6>(engine, decide_tagged<Ipv6>(engine));
  if (keeps_tags(verdict.reason) && !restore_tags(engine, *start)) return {.reason = Reason::no_headroom};
  return verdict;
}

template <class Engine>
ASTIL_INLINE Verdict run_frame(Engine& engine) {
  u8* start = engine.begin();
  const u8* end = engine.end();
  if (may_be_plain<Ipv4>(start, end)) return run_plain<Ipv4>(engine, start);
  if (may_be_plain<Ipv6>(start, end)) return run_plain<Ipv6>(engine, start);
  const auto* ethernet = header_at<EthernetStart>(engine, 0);
  if (ethernet == nullptr) return {.reason = Reason::not_ip};
  const u32 kind = ethernet->kind;
  if ((kind & kKindMask) == kKindIpv4) return run_from<Ipv4>(engine, {.reason = kToService});
  if ((kind & kKindMask) == kKindIpv6) return run_from<Ipv6>(engine, {.reason = kToService});
  if (Engine::kTagsInFrame && is_vlan(Be16{static_cast<u16>(kind)})) return run_tagged(engine);
  return {.reason = Reason::not_ip};
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
