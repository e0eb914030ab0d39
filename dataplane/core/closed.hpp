// What is for no service, to an address whose host takes nothing itself: one of a virtual router with Accept_Mode False
// (RFC 9568 section 6.4.3). Such addresses are closed; where there are none, no packet comes here.
#pragma once

#include "dataplane/core/icmp.hpp"
#include "dataplane/core/parts.hpp"
#include "dataplane/core/service.hpp"

namespace astil::core::detail {

template <class Ip, class Engine>
ASTIL_INLINE bool is_closed(Engine& engine, const Address& address) {
  if ((listed_of<Ip>(engine, address) & kListedClosed) == 0) return false;
  const GenerationNumber generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return false;
  const u32 found = look_up(engine, generation, index_key_of<Ip>(address, kAnyPort, 0, IndexKind::closed_address));
  return found != kNoReference && found == closed_reference(address);
}

/// Neighbour solicitations and advertisements are the kernel's whatever the mode (RFC 9568 section 6.1).
template <class Ip, class Engine>
ASTIL_INLINE bool asks_for_neighbour(Engine& engine, const Transport& transport) {
  if (!Ip::kIsWide || transport.protocol != Ip::kIcmp) return false;
  const auto* icmp = header_at<IcmpHeader>(engine, transport.offset);
  return icmp != nullptr && (icmp->type == kNeighbourSolicitation || icmp->type == kNeighbourAdvertisement);
}

/// Is the packet for a host that takes nothing? Anything but Reason::not_accepted: no.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_closed(Engine& engine) {
  Packet<Ip> packet{};
  Transport transport{};
  if (!parse_network(engine, packet, transport) || has_mapped_end(packet)) return {.reason = Reason::not_ip};
  if (!is_closed<Ip>(engine, core::destination_of(packet))) return {.reason = Reason::no_service};
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  if (asks_for_neighbour<Ip>(engine, transport)) return {.reason = Reason::other_protocol};
  return dropped(Reason::not_accepted, kNoService);
}

/// The kernel's, but for what this part has to say.
ASTIL_INLINE constexpr bool is_for_host(Reason reason) {
  return reason == Reason::other_protocol || reason == Reason::no_service || reason == Reason::unknown_reply;
}

}  // namespace astil::core::detail
