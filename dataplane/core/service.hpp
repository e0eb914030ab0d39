// Stage 2: is the packet's destination a service, or its source a backend whose replies are rewritten?
#pragma once

#include "dataplane/core/parse.hpp"

namespace astil::core {

/// Whose packet it is. `service` is nullptr where it is nobody's.
struct Match {
  const Service* service = nullptr;
  Direction direction = Direction::from_client;
  u32 backend = 0;  ///< the number of the backend that replies
};

namespace detail {

inline constexpr u32 kNoReference = ~0U;

/// The reference at (address, port, protocol), to be checked against the record: a key that is not in the index may
/// have the tag of one that is. Tags differ within a line (the builder of the index sees to it).
template <class Engine>
ASTIL_INLINE u32 look_up(Engine& engine, u32 generation, const IndexHash& hash) {
  const Settings* settings = engine.settings();
  const u32 first_line = generation == 0 ? 0 : settings->header.sizes.index_lines;
  const IndexLine* line =
      engine.index_line(first_line + (hash.line & settings->generations[generation & 1U].index_mask));
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

template <class Engine>
ASTIL_INLINE const Service* service_record(Engine& engine, u32 generation, u32 id) {
  return engine.service(generation == 0 ? id : engine.settings()->header.sizes.services + id);
}

/// Looks the packet up in a generation, 0 or 1.
template <class Engine>
ASTIL_INLINE Match find_service(Engine& engine, const Packet& packet, u32 generation) {
  const Generation& index = engine.settings()->generations[generation & 1U];
  const IndexHash forward =
      index_hash(packet.destination, packet.destination_port, packet.protocol, IndexKind::service, index.seed);
  if (const u32 id = detail::look_up(engine, generation, forward); id != detail::kNoReference) {
    const Service* service = service_record(engine, generation, id);
    if (service != nullptr && service->address.words[0] == packet.destination &&
        service->port == packet.destination_port && service->protocol == packet.protocol) {
      return {.service = service};
    }
  }
  if (index.has_replies == 0) return {};

  const IndexHash reply = index_hash(packet.source, packet.source_port, packet.protocol, IndexKind::reply, index.seed);
  const u32 number = detail::look_up(engine, generation, reply);
  if (number == detail::kNoReference) return {};
  const Backend* backend = engine.backend(number);
  if (backend == nullptr || backend->address.words[0] != packet.source || backend->port != packet.source_port)
    return {};
  return {.service = service_record(engine, generation, backend->service),
          .direction = Direction::from_backend,
          .backend = number};
}

/// The connection that the packet belongs to, as the client sees it.
ASTIL_INLINE FlowTuple flow_of(const Packet& packet, const Match& match) {
  if (match.direction == Direction::from_client) {
    return {.client = packet.source,
            .address = packet.destination,
            .client_port = packet.source_port,
            .port = packet.destination_port,
            .protocol = packet.protocol};
  }
  return {.client = packet.destination,
          .address = match.service->address.words[0],
          .client_port = packet.destination_port,
          .port = match.service->port,
          .protocol = packet.protocol};
}

}  // namespace astil::core
