// What is neither a whole TCP segment or UDP datagram nor a first fragment of one: later fragments, ICMP, and what can
// not be parsed. Of all that, only what is for a service is ours.
#pragma once

#include "dataplane/core/fragment.hpp"
#include "dataplane/core/icmp.hpp"

namespace astil::core::detail {

/// Whose is it, by where its datagram's first fragment went? What is not known is of nobody.
template <class Ip, class Engine>
ASTIL_INLINE Owner owner_of_fragment(Engine& engine, const Packet<Ip>& packet, const Transport& transport) {
  FlowTuple datagram = datagram_of(packet, transport);
  if constexpr (Ip::kIsWide) keep_in_memory(datagram);
  const FlowHash hash = flow_hash(datagram, engine.settings()->hash_key, kFragmentLines - 1);
  const u64 entry = find_fragment(engine, hash).entry;
  if (entry == 0) return {{.reason = is_of_service(engine, packet) ? Reason::fragment_held : Reason::other_protocol}};
  if ((tag_of(entry) & kPortTag) != 0) return {{.reason = wants_connection(engine, port_in_fragment(entry))}};
  const u32 number = backend_of(entry);
  const Backend* backend = engine.backend(number);
  if (backend == nullptr) return {{.reason = Reason::other_protocol}};
  const Steering at{.backend = backend, .number = number, .tag = tag_of(entry)};
  if (backend->service_address == destination_of(packet)) return {at, Direction::from_client};
  if (backend->forwarding == Forwarding::nat && backend->address == source_of(packet))
    return {at, Direction::from_backend};
  return {{.reason = Reason::other_protocol}};
}

/// Why a packet goes nowhere: a drop, which is its service's, or a pass.
ASTIL_INLINE Verdict not_steered(const Steering& steering) {
  return {.reason = steering.reason, .interface = steering.number};
}

/// What an ICMP error is about; icmp is nullptr: the packet is a later fragment.
template <class Ip>
struct About {
  IcmpHeader* icmp = nullptr;
  Quoted<Ip> quoted{};
};

template <class Ip, class Engine>
ASTIL_INLINE Verdict send_to_backend(Engine& engine, const Packet<Ip>& packet, About<Ip>& about, const Steering& at) {
  const Backend& backend = *at.backend;
  engine.saw_backend(backend, at.number);
  const u64 destination = shared_load(backend.destination_mac);
  if (destination == 0) return dropped(Reason::no_next_hop, backend.service);
  const u32 length = packet.length;
  const bool quotes = about.icmp != nullptr && backend.forwarding == Forwarding::nat;
  const Rewritten rewritten = quotes ? rewrite_error_to_backend(engine, packet, *about.icmp, about.quoted, backend)
                                     : rewrite(engine, packet, backend, at.tag);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_client);
  count_packet(engine, at.number, length);
  return emit(engine, rewritten, {backend.interface, destination, backend.source_mac}, backend,
              about.icmp == nullptr ? Reason::forwarded : Reason::relayed);
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict send_to_client(Engine& engine, const Packet<Ip>& packet, About<Ip>& about, const Steering& at) {
  const Backend& backend = *at.backend;
  const NextHop hop = way_to(engine, core::destination_of(packet), backend, at.number, packet.length);
  if (hop.status == NextHop::Status::no_neighbour) return dropped(Reason::no_neighbour, backend.service);
  if (hop.status == NextHop::Status::too_big) return dropped(is_too_big(engine, hop.mtu).reason, backend.service);
  if (hop.status != NextHop::Status::found) return dropped(Reason::no_route, backend.service);
  const u32 length = packet.length;
  const Rewritten rewritten =
      about.icmp == nullptr ? rewrite_nat(engine, packet, Direction::from_backend, backend.service_address, kAnyPort)
                            : rewrite_error_to_client(engine, packet, *about.icmp, about.quoted, backend);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_backend);
  count_packet(engine, at.number, length);
  return emit(engine, rewritten, exit_of(engine, hop), backend,
              about.icmp == nullptr ? Reason::replied : Reason::relayed);
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_echo(Engine& engine, const Packet<Ip>& packet, IcmpHeader& icmp) {
  if (icmp.type != Ip::kEchoRequest || (engine.settings()->holds & kHoldsEcho) == 0 || !names_one_host(*packet.ip))
    return {.reason = Reason::other_protocol};
  const GenerationNumber generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return {.reason = Reason::unready};
  if (find_service_address(engine, core::destination_of(packet), generation) == nullptr)
    return {.reason = Reason::other_protocol};
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  return answer_echo(engine, packet, icmp);
}

/// TCP or UDP without a whole header is not for the kernel to answer in a service's name, nor is what stands behind
/// more extension headers than can be read.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_other(Engine& engine, const Packet<Ip>& packet, u8 protocol) {
  const bool served = protocol == kProtocolTcp || protocol == kProtocolUdp || (Ip::kIsWide && is_extension(protocol));
  if (!served || !is_of_service(engine, packet)) return {.reason = Reason::other_protocol};
  return {.reason = is_for_this_station(engine, packet) ? Reason::malformed : Reason::other_mac};
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_unusual(Engine& engine) {
  Packet<Ip> packet{};
  Transport transport{};
  if (!parse_network(engine, packet, transport) || has_mapped_end(packet)) return {.reason = Reason::not_ip};
  About<Ip> about;
  Owner owner;
  if (is_later_fragment(packet)) {
    owner = owner_of_fragment(engine, packet, transport);
  } else {
    if (transport.protocol != Ip::kIcmp || is_first_fragment(packet))
      return decide_other(engine, packet, transport.protocol);
    about.icmp = header_at<IcmpHeader>(engine, transport.offset);
    if (about.icmp == nullptr || transport.bytes < sizeof(IcmpHeader)) return {.reason = Reason::other_protocol};
    if (!is_error(packet, about.icmp->type)) return decide_echo(engine, packet, *about.icmp);
    const Transport quote{.offset = transport.offset + static_cast<u32>(sizeof(IcmpHeader)),
                          .bytes = transport.bytes - static_cast<u32>(sizeof(IcmpHeader))};
    // An error goes to whoever sent the quoted packet: with any other destination it is made up, or damaged.
    if (!parse_quoted(engine, about.quoted, quote) || !(core::destination_of(packet) == source_of(about.quoted)))
      return {.reason = Reason::other_protocol};
    owner = owner_of_quoted(engine, about.quoted);
  }
  const bool held = owner.at.reason == Reason::fragment_held;
  if (owner.at.backend == nullptr && !held) return not_steered(owner.at);
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  if (held) return {.reason = engine.hold(packet.length) ? Reason::fragment_held : Reason::fragment_refused};
  if (owner.sender == Direction::from_client) return send_to_backend(engine, packet, about, owner.at);
  return send_to_client(engine, packet, about, owner.at);
}

}  // namespace astil::core::detail
