// Stage 5: how a packet leaves, and what is counted of it.
#pragma once

#include "dataplane/core/hops.hpp"
#include "dataplane/core/rewrite.hpp"
#include "dataplane/core/vlan.hpp"

namespace astil::core::detail {

/// By a way without tags.
ASTIL_INLINE Verdict emit_plain(const Rewritten& packet, const Exit& exit, Reason reason) {
  write_addresses(*packet.ethernet, exit);
  packet.ethernet->type = packet.type;
  return {.reason = reason, .interface = exit.interface};
}

template <class Engine>
ASTIL_INLINE Verdict emit(Engine& engine, const Rewritten& packet, const Exit& exit, const Backend& backend,
                          Reason reason) {
  const Verdict verdict = emit_plain(packet, without_tags(exit), reason);
  if (((exit.destination | exit.source) >> 48U) != 0 && !engine.push_tags(exit, packet.type))
    return dropped(Reason::no_headroom, backend.service);
  return verdict;
}

template <class Engine>
ASTIL_INLINE void count_packet(Engine& engine, Counter& counter, u32 length) {
  engine.add(&counter.packets, 1);
  engine.add(&counter.bytes, length);
}
template <class Engine>
ASTIL_INLINE void count_packet(Engine& engine, u32 backend, u32 length) {
  if (Counter* counter = engine.counter(backend)) count_packet(engine, *counter, length);
}

/// A VLAN device's record, by its ifindex; nullptr: the interface is none.
ASTIL_INLINE const Interface* vlan_device(const Settings& settings, u32 ifindex) {
  const Interface& device = settings.interfaces[interface_slot(ifindex, settings.interface_multiplier)];
  return device.ifindex == ifindex && device.parent != 0 ? &device : nullptr;
}

/// What leaves by a VLAN device leaves by what is under it, with a tag; or with two, where that is one as well.
template <class Engine>
ASTIL_INLINE Exit exit_of(Engine& engine, const NextHop& hop) {
  Exit exit{hop.interface, hop.destination_mac, hop.source_mac};
  const Settings& settings = *engine.settings();
  if ((settings.holds & kHoldsVlans) == 0) return exit;
  const Interface* device = vlan_device(settings, exit.interface);
  if (device == nullptr) return exit;
  exit.interface = device->parent;
  exit.source = tagged(exit.source, Be16{tag_above(device->mac)});
  device = vlan_device(settings, exit.interface);
  if (device == nullptr) return exit;
  exit.interface = device->parent;
  exit.destination = tagged(exit.destination, Be16{tag_above(device->mac)});
  return exit;
}

/// Back to the station that the frame came from, by the way it came.
template <class Engine>
ASTIL_INLINE Verdict back_out(Engine& engine, Reason reason) {
  auto* ethernet = header_at<EthernetHeader>(engine, 0);
  if (ethernet == nullptr) return {.reason = Reason::internal};
  for (u32 i = 0; i < 3; ++i) {
    const u16 own = ethernet->destination[i];
    ethernet->destination[i] = ethernet->source[i];
    ethernet->source[i] = own;
  }
  return {.reason = reason, .interface = engine.ingress()};
}

}  // namespace astil::core::detail
