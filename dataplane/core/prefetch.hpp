// Looking ahead over a burst: begins to load what `run` will read of a packet's flow, while the packets before it are
// worked on. Nothing is decided here and nothing written; a packet that is guessed wrongly costs a load and no more.
//
// For engines that have many packets at once: `look_ahead` for each, then `look_further` for each, then `run`.
#pragma once

#include "dataplane/core/steer.hpp"

namespace astil::core {

/// Where a packet's flow may stand; tag 0: nothing is known to look for.
struct Ahead {
  u32 tag;
  u32 line;
};

namespace detail {

/// Of a frame without tags, extension headers or IPv4 options: what nearly all are.
template <class Ip, class Engine>
ASTIL_INLINE Ahead look_at(Engine& engine) {
  Packet<Ip> packet{};
  packet.ip = header_at<typename Ip::Header>(engine, kNetworkOffset);
  const auto* ports = header_at<Ports>(engine, kNetworkOffset + sizeof(typename Ip::Header));
  if (packet.ip == nullptr || ports == nullptr) return {};
  u8 protocol = 0;
  if constexpr (Ip::kIsWide) {
    protocol = packet.ip->next_header;
  } else {
    protocol = packet.ip->protocol;
  }
  if (protocol != kProtocolTcp && protocol != kProtocolUdp) return {};
  const Address to = destination_of(packet);
  if ((listed_of<Ip>(engine, to) & kListedService) == 0) return {};
  const Settings* settings = engine.settings();
  const FlowTuple flow{.client = source_of(packet),
                       .address = to,
                       .client_port = ports->source,
                       .port = ports->destination,
                       .protocol = protocol};
  const FlowHash hash = flow_hash(flow, settings->hash_key, settings->header.sizes.flow_lines - 1);
  if (const FlowLine* line = engine.flow_line(hash.line)) engine.prefetch(line->entries);
  return {.tag = hash.tag, .line = hash.line};
}

}  // namespace detail

/// The line of flows.
template <class Engine>
ASTIL_INLINE Ahead look_ahead(Engine& engine) {
  const auto* ethernet = header_at<EthernetStart>(engine, 0);
  if (ethernet == nullptr) return {};
  if ((ethernet->kind & kKindMask) == kKindIpv4) return detail::look_at<Ipv4>(engine);
  if ((ethernet->kind & kKindMask) == kKindIpv6) return detail::look_at<Ipv6>(engine);
  return {};
}

/// The backend's record and its counter, by what stands in that line.
template <class Engine>
ASTIL_INLINE void look_further(Engine& engine, const Ahead& ahead) {
  if (ahead.tag == 0) return;
  FlowLine* line = engine.flow_line(ahead.line);
  if (line == nullptr) return;
  const FlowPlace place = detail::search_first_line(line, ahead.line, ahead.tag);
  if (place.line == nullptr) return;
  const u32 number = backend_of(place.value);
  if (const Backend* backend = engine.backend(number)) {
    engine.prefetch(*backend);
    engine.prefetch(backend->source);
  }
  if (const Counter* counter = engine.counter(number)) engine.prefetch(*counter);
}

}  // namespace astil::core
