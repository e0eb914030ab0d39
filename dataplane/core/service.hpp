// Stage 2: is the packet's destination a service, or its source a backend whose replies are rewritten?
#pragma once

#include "dataplane/core/parse.hpp"

namespace astil::core {

/// False: the key is in no generation's index. Most packets that are not ours are told by this bit. Where it is set,
/// the index knows.
template <class Engine>
ASTIL_INLINE bool may_be_ours(Engine& engine, u64 key) {
  const u32 bit = filter_bit(key);
  return (engine.settings()->filter[bit / 64U] >> (bit % 64U) & 1U) != 0;
}

namespace detail {

inline constexpr u32 kNoReference = ~0U;

/// The reference at a key, to be checked against the record: a key that is not in the index may have the tag of one
/// that is. Tags differ within a line (the builder of the index sees to it).
template <class Engine>
ASTIL_INLINE u32 look_up(Engine& engine, u32 generation, u64 key) {
  const Settings* settings = engine.settings();
  const Generation& index = settings->generations[generation & 1U];
  const IndexHash hash = index_hash(key, index.seed);
  const u32 first_line = generation == 0 ? 0 : settings->header.sizes.index_lines;
  const IndexLine* line = engine.index_line(first_line + (hash.line & index.index_mask));
  if (line == nullptr) return kNoReference;
#pragma GCC unroll 8
  for (u32 i = 0; i < kEntriesPerLine; ++i) {
    const u32 tag = line->entries[i].tag;
    if (tag == hash.tag) return line->entries[i].reference;
    if (tag == 0) return kNoReference;
  }
  return kNoReference;
}

}  // namespace detail

/// A service's record in a generation, 0 or 1; nullptr: the id is out of range.
template <class Engine>
ASTIL_INLINE const Service* service_record(Engine& engine, u32 generation, u32 id) {
  const u32 services = engine.settings()->header.sizes.services;
  if (id >= services) return nullptr;
  return engine.service(generation == 0 ? id : services + id);
}

/// The service that the flow is for, in a generation, 0 or 1; nullptr: none.
template <class Engine>
ASTIL_INLINE const Service* find_service(Engine& engine, const FlowTuple& flow, u32 generation) {
  const u64 key = index_key(flow.address, flow.port, flow.protocol, IndexKind::service);
  const u32 id = detail::look_up(engine, generation, key);
  const Service* service = service_record(engine, generation, id);
  if (service == nullptr || service->address.words[0] != flow.address || service->port != flow.port ||
      service->protocol != flow.protocol) {
    return nullptr;
  }
  return service;
}

/// The backend under nat whose address and port the packet comes from.
struct Replier {
  const Backend* backend = nullptr;  ///< nullptr: none
  u32 number = 0;
};

template <class Engine>
ASTIL_INLINE Replier find_replier(Engine& engine, const Packet& packet, u32 generation) {
  const u64 key = index_key(packet.source, packet.source_port, packet.protocol, IndexKind::reply);
  const u32 number = detail::look_up(engine, generation, key);
  const Backend* backend = engine.backend(number);
  if (backend == nullptr || backend->address.words[0] != packet.source || backend->port != packet.source_port ||
      backend->service_protocol != packet.protocol) {
    return {};
  }
  return {.backend = backend, .number = number};
}

/// The connection that a client's packet belongs to.
ASTIL_INLINE FlowTuple flow_of_client(const Packet& packet) {
  return {.client = packet.source,
          .address = packet.destination,
          .client_port = packet.source_port,
          .port = packet.destination_port,
          .protocol = packet.protocol};
}

/// The connection that a backend's packet belongs to, as the client sees it.
ASTIL_INLINE FlowTuple flow_of_reply(const Packet& packet, const Backend& backend) {
  return {.client = packet.destination,
          .address = backend.service_address.words[0],
          .client_port = packet.destination_port,
          .port = backend.service_port,
          .protocol = packet.protocol};
}

}  // namespace astil::core
