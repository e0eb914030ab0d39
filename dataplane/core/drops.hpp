// What is kept of a dropped packet beside its reason's count: a count of its service and, while somebody follows drops,
// a record of the packet.
#pragma once

#include "dataplane/core/events.hpp"
#include "dataplane/core/limit.hpp"
#include "dataplane/core/parse.hpp"

namespace astil::core {

namespace detail {

/// What the packet's headers say, as far as they can be read.
template <class Ip, class Engine>
ASTIL_INLINE void describe_packet(Engine& engine, DropEvent& event) {
  Packet<Ip> packet{};
  Transport transport{};
  if (!parse_network(engine, packet, transport)) return;
  event.source = source_of(packet);
  event.destination = destination_of(packet);
  event.length = packet.length;
  event.protocol = transport.protocol;
  const bool has_ports = transport.protocol == kProtocolTcp || transport.protocol == kProtocolUdp;
  if (!has_ports || is_later_fragment(packet)) return;
  const auto* ports = header_at<Ports>(engine, transport.offset);
  if (ports == nullptr || transport.bytes < sizeof(Ports)) return;
  event.source_port = ports->source;
  event.destination_port = ports->destination;
}

}  // namespace detail

/// Of a packet that is dropped, for the service with an id, or kNoService.
template <class Engine>
ASTIL_INLINE void note_drop(Engine& engine, Reason reason, u32 service) {
  const Settings* settings = engine.settings();
  const u32 drop = drop_place(reason);
  if (drop >= kMaxDropReasons) return;
  if (ServiceDrops* drops = service < settings->header.sizes.services ? engine.drops(service) : nullptr)
    engine.add(&drops->counts[drop], 1);
  if (shared_load(settings->shared.drop_followers) == 0) return;
  if (!is_within_limit(engine, LimitKind::drop_events, per_unit(kDropEventsPerSecond))) return;
  DropEvent event{};
  event.time = engine.now();
  event.interface = engine.ingress();
  event.service = service;
  event.reason = static_cast<u8>(reason);
  if (const auto* ethernet = header_at<EthernetStart>(engine, 0)) {
    const Be16 type{static_cast<u16>(ethernet->kind)};
    if (type == kEtherTypeIpv4) detail::describe_packet<Ipv4>(engine, event);
    if (type == kEtherTypeIpv6) detail::describe_packet<Ipv6>(engine, event);
  }
  engine.tell_drop(event);
}

}  // namespace astil::core
