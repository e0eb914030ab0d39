// Stage 2: is the packet's destination a service, or its source a backend whose replies are rewritten?
#pragma once

#include "dataplane/core/parse.hpp"

namespace astil::core {

/// Which of the index' two generations; kNoGeneration: there is none yet.
using GenerationNumber = u32;

namespace detail {

/// What is listed of an address, of this version: some of Listed. What is not, is in no generation's index, and most
/// packets that are not ours are told by that; what is, the index knows.
template <class Ip, class Engine>
ASTIL_INLINE u32 listed_of(Engine& engine, const Address& address) {
  const u32 place = Ip::kIsWide ? wide_filter_place(address) : filter_place(address);
  return engine.settings()->filter[place & (kFilterPlaces - 1)];
}
template <class Engine>
ASTIL_INLINE u32 listed_of(Engine& engine, const Address& address) {
  return engine.settings()->filter[filter_place(address) & (kFilterPlaces - 1)];
}

inline constexpr u32 kNoReference = ~0U;

}  // namespace detail

/// The reference beside a tag in a line of the index.
ASTIL_SUBPROGRAM u32 astil_search_index(const IndexLine* line, u32 tag) {
  if (line == nullptr) return detail::kNoReference;
  ASTIL_KEEP_LOOP
  for (const IndexEntry& entry : line->entries) {
    if (entry.tag == tag) return entry.reference;
    if (entry.tag == 0) break;
  }
  return detail::kNoReference;
}

namespace detail {

/// The reference at a key, to be checked against the record: a key that is not in the index may have the tag of one
/// that is. Tags differ within a line (the builder of the index sees to it).
template <class Engine>
ASTIL_INLINE u32 look_up(Engine& engine, GenerationNumber generation, u64 key) {
  const Settings* settings = engine.settings();
  const Generation& index = settings->generations[generation & 1U];
  const IndexHash hash = index_hash(key, index.seed);
  const u32 first_line = generation == 0 ? 0 : settings->header.sizes.index_lines;
  return astil_search_index(engine.index_line(first_line + (hash.line & index.index_mask)), hash.tag);
}

}  // namespace detail

namespace detail {

/// `Ip`: of the address; void: of either.
template <class Ip>
constexpr u64 index_key_of(const Address& address, Be16 port, u8 protocol, IndexKind kind) {
  return std::is_same_v<Ip, Ipv6> ? wide_index_key(address, port, protocol, kind)
                                  : index_key(address, port, protocol, kind);
}

}  // namespace detail

/// A service's record in a generation, 0 or 1; nullptr: the id is out of range.
template <class Engine>
ASTIL_INLINE const Service* service_record(Engine& engine, GenerationNumber generation, u32 id) {
  const u32 services = engine.settings()->header.sizes.services;
  if (id >= services) return nullptr;
  return engine.service(generation == 0 ? id : services + id);
}

namespace detail {

/// `Ip`: of the address, if it is known.
template <class Ip = void, class Engine>
ASTIL_INLINE const Service* service_at(Engine& engine, GenerationNumber generation, const Address& address, Be16 port,
                                       u8 protocol) {
  const u32 id = look_up(engine, generation, index_key_of<Ip>(address, port, protocol, IndexKind::service));
  const Service* service = service_record(engine, generation, id);
  if (service == nullptr || service->port != port || service->protocol != protocol || !(service->address == address))
    return nullptr;
  return service;
}

}  // namespace detail

/// The service that the flow is for, in a generation, 0 or 1: that of its port, else that of any; nullptr: none.
template <class Engine>
ASTIL_INLINE const Service* find_service(Engine& engine, const FlowTuple& flow, GenerationNumber generation) {
  const Service* exact = detail::service_at(engine, generation, flow.address, flow.port, flow.protocol);
  if (exact != nullptr || (engine.settings()->holds & kHoldsAnyPort) == 0) return exact;
  return detail::service_at(engine, generation, flow.address, kAnyPort, flow.protocol);
}

/// The backend under nat whose address and port the packet comes from.
struct Replier {
  const Backend* backend = nullptr;  ///< nullptr: none
  u32 number = 0;
};

namespace detail {

/// Do replies under nat of this backend come from there?
ASTIL_INLINE bool is_replier(const Backend& backend, const Address& address, Be16 port, u8 protocol) {
  return backend.port == port && backend.service_protocol == protocol && backend.forwarding == Forwarding::nat &&
         backend.address == address;
}

template <class Engine>
ASTIL_INLINE Replier replier_at(Engine& engine, GenerationNumber generation, const Address& address, Be16 port,
                                u8 protocol) {
  const u32 number = look_up(engine, generation, index_key(address, port, protocol, IndexKind::reply));
  const Backend* backend = engine.backend(number);
  if (backend == nullptr || !is_replier(*backend, address, port, protocol)) return {};
  return {.backend = backend, .number = number};
}

}  // namespace detail

template <class Engine>
ASTIL_INLINE Replier find_replier(Engine& engine, const Address& address, Be16 port, u8 protocol,
                                  GenerationNumber generation) {
  const Replier exact = detail::replier_at(engine, generation, address, port, protocol);
  if (exact.backend != nullptr || (engine.settings()->holds & kHoldsAnyPortReplies) == 0) return exact;
  return detail::replier_at(engine, generation, address, kAnyPort, protocol);
}

/// A service at the address, whichever its port and protocol; nullptr: none.
template <class Engine>
ASTIL_INLINE const Service* find_service_address(Engine& engine, const Address& address, GenerationNumber generation) {
  if ((detail::listed_of(engine, address) & kListedService) == 0) return nullptr;
  const u64 key = index_key(address, kAnyPort, 0, IndexKind::service_address);
  const Service* service = service_record(engine, generation, detail::look_up(engine, generation, key));
  return service != nullptr && service->in_use != 0 && service->address == address ? service : nullptr;
}

/// Has a backend under nat this address?
template <class Engine>
ASTIL_INLINE bool is_replier_address(Engine& engine, const Address& address, GenerationNumber generation) {
  if ((detail::listed_of(engine, address) & kListedReplier) == 0) return false;
  const u64 key = index_key(address, kAnyPort, 0, IndexKind::reply_address);
  const Backend* backend = engine.backend(detail::look_up(engine, generation, key));
  return backend != nullptr && backend->service_protocol != 0 && backend->address == address;
}

/// The source address of full NAT at a place; what is no place has any.
ASTIL_INLINE const Address& port_source(const Settings& settings, u32 place) {
  return settings.port_sources[as_any_number(place) & (kPortSources - 1)];
}

/// The place of a source address of full NAT; kNoSource: it is none.
template <class Engine>
ASTIL_INLINE u32 port_source_at(Engine& engine, const Address& address, GenerationNumber generation) {
  const Settings* settings = engine.settings();
  if ((detail::listed_of(engine, address) & kListedPortSource) == 0) return kNoSource;
  const u64 key = index_key(address, kAnyPort, 0, IndexKind::port_source);
  const u32 place = detail::look_up(engine, generation, key);
  return place < kPortSources && port_source(*settings, place) == address ? place : u32{kNoSource};
}

/// The connection that a client's packet belongs to.
ASTIL_INLINE FlowTuple flow_of_client(const auto& packet) {
  return {.client = source_of(packet),
          .address = destination_of(packet),
          .client_port = packet.ports->source,
          .port = packet.ports->destination,
          .protocol = packet.protocol};
}

/// The connection that a backend's packet belongs to, as the client sees it.
ASTIL_INLINE FlowTuple flow_of_reply(const auto& packet, const Backend& backend) {
  return {.client = destination_of(packet),
          .address = backend.service_address,
          .client_port = packet.ports->destination,
          .port = backend.service_port == kAnyPort ? packet.ports->source : backend.service_port,
          .protocol = packet.protocol};
}

}  // namespace astil::core
