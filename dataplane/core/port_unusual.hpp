// Under full NAT, what is not a packet with ports of its own: later fragments, and ICMP errors about connections.
#pragma once

#include "dataplane/core/full_nat.hpp"
#include "dataplane/core/icmp.hpp"

namespace astil::core::detail {

/// What has been found out of such a packet.
template <class Ip>
struct OfPort {
  PortIndex index = kNoPort;
  Direction sender = Direction::from_client;  ///< who sent it, or what it is the answer to
  IcmpHeader* icmp = nullptr;                 ///< nullptr: it is a later fragment
  Quoted<Ip> quoted{};
};

/// Reads the packet again. `CpuRow::steered`: the place of the port; kNoPort: the packet is an error about what was
/// sent to a client, whose port is to be found. False: it is none.
template <class Ip, class Engine>
ASTIL_INLINE bool parse_of_port(Engine& engine, Packet<Ip>& packet, CpuRow& row, OfPort<Ip>& found) {
  Transport transport{};
  if (!parse_network(engine, packet, transport)) return false;
  found.index = static_cast<u32>(row.steered);
  if (is_later_fragment(packet)) {
    const Address& source = port_source(*engine.settings(), source_of_port(found.index));
    found.sender = core::destination_of(packet) == source ? Direction::from_backend : Direction::from_client;
    return true;
  }
  found.icmp = header_at<IcmpHeader>(engine, transport.offset);
  if (found.icmp == nullptr || transport.bytes < sizeof(IcmpHeader)) return false;
  const Transport quote{.offset = transport.offset + static_cast<u32>(sizeof(IcmpHeader)),
                        .bytes = transport.bytes - static_cast<u32>(sizeof(IcmpHeader))};
  if (!parse_quoted(engine, found.quoted, quote)) return false;
  if (found.index != kNoPort) {
    found.sender = Direction::from_backend;
    return true;
  }
  Connection& connection = connection_in(row);
  connection.flow = flow_of_quoted_reply(found.quoted);
  keep_in_memory(connection);
  connection.hash = connection_hash(engine, connection.flow);
  found.index = engine.find_any_port(connection);
  return found.index != kNoPort;
}

/// Is what a packet says of its ends true of the connection that has the port?
template <class Ip>
ASTIL_INLINE bool fits(const Packet<Ip>& packet, const OfPort<Ip>& found, const FlowTuple& flow,
                       const Backend& backend) {
  if (found.icmp == nullptr) {
    return found.sender == Direction::from_backend
               ? core::source_of(packet) == backend.address
               : core::source_of(packet) == flow.client && core::destination_of(packet) == flow.address;
  }
  if (found.quoted.protocol != flow.protocol) return false;
  if (found.sender == Direction::from_client) return true;  // found by these ends
  return destination_of(found.quoted) == backend.address &&
         found.quoted.ports->destination == backend_port(backend, flow);
}

/// An error goes on with the ends of its receiver's side outside, and inside those, the other way round, of the packet
/// that it is about. A router's own address stays, where the receiver is a client.
template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite_port_error(Engine& engine, const Packet<Ip>& packet, OfPort<Ip>& found,
                                          const BothEnds& ends, const Backend& backend) {
  if (!has_hops_left(*packet.ip)) return {.reason = Reason::ttl_expired};
  const bool names_source = found.sender == Direction::from_client || core::source_of(packet) == backend.address;
  ChecksumDifference outer = replaced(core::destination_of(packet), ends.destination);
  set_address(*packet.ip, Direction::from_client, ends.destination, outer);
  if (names_source) {
    const ChecksumDifference source = replaced(core::source_of(packet), ends.source);
    set_address(*packet.ip, Direction::from_backend, ends.source, source);
    outer += source;
  }
  const ChecksumDifference inner =
      rewrite_quoted(found.quoted, Direction::from_backend, ends.destination, ends.destination_port) +
      rewrite_quoted(found.quoted, Direction::from_client, ends.source, ends.source_port);
  found.icmp->checksum = corrected(found.icmp->checksum, inner + of_pseudo_header(packet, outer));
  count_hop(*packet.ip);
  return front<Ip::kEtherType>(engine);
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict send_error(Engine& engine, const Packet<Ip>& packet, OfPort<Ip>& found, CpuRow& row, u32 number,
                                const Backend& backend) {
  const BothEnds& ends = ends_in(row);
  Exit exit{backend.interface, shared_load(backend.destination_mac), backend.source_mac};
  if (found.sender == Direction::from_backend) {
    const NextHop hop = way_to(engine, ends.destination, backend, number, packet.length);
    if (hop.status == NextHop::Status::no_neighbour) return dropped(Reason::no_neighbour, backend.service);
    if (hop.status != NextHop::Status::found) return dropped(Reason::no_route, backend.service);
    exit = exit_of(engine, hop);
  } else if (exit.destination == 0) {
    return dropped(Reason::no_next_hop, backend.service);
  }
  const u32 length = packet.length;
  const Rewritten rewritten = rewrite_port_error(engine, packet, found, ends, backend);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, found.sender);
  count_packet(engine, number, length);
  return emit(engine, rewritten, exit, backend, Reason::relayed);
}

template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_unusual_port(Engine& engine) {
  CpuRow* row = engine.cpu_row();
  Packet<Ip> packet{};
  OfPort<Ip> found;
  if (row == nullptr || !parse_of_port(engine, packet, *row, found)) return {.reason = Reason::unknown_reply};
  FlowTuple& flow = connection_in(*row).flow;
  const u32 number = engine.read_port(found.index, flow);
  keep_in_memory(flow);
  const Backend* backend = engine.backend(number);
  if (backend == nullptr || !fits(packet, found, flow, *backend)) return {.reason = Reason::unknown_reply};
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  engine.saw_port(found.index, *backend);
  engine.saw_backend(*backend, number);
  if (found.sender == Direction::from_client) {
    set_ends_to_backend(ends_in(*row), *engine.settings(), found.index, flow, *backend);
    return found.icmp != nullptr ? send_error(engine, packet, found, *row, number, *backend)
                                 : send_by_port(engine, packet, *row, number, *backend);
  }
  set_ends_to_client(ends_in(*row), flow);
  return found.icmp != nullptr ? send_error(engine, packet, found, *row, number, *backend)
                               : answer_by_port(engine, packet, *row, number, *backend);
}

}  // namespace astil::core::detail
