// Full NAT: both ends of a connection are rewritten, so that replies come back whatever routes the backends have. What
// follows `steer` for a client's packet, and the whole way of a backend's; apart, so that the other forwardings do not
// carry it. Which port a connection has says ports.hpp.
#pragma once

#include "dataplane/core/fragment.hpp"
#include "dataplane/core/parts.hpp"
#include "dataplane/core/ports.hpp"
#include "dataplane/core/verdict.hpp"

namespace astil::core {

namespace detail {

/// Where a packet comes from and goes to.
struct BothEnds {
  Address source;
  Address destination;
  Be16 source_port;
  Be16 destination_port;
};
static_assert(sizeof(BothEnds) <= sizeof(CpuRow::ends));

ASTIL_INLINE BothEnds& ends_in(CpuRow& row) { return reinterpret_cast<BothEnds&>(row.ends); }

/// The ends that the backend sees. `index`: the connection's port.
ASTIL_INLINE BothEnds ends_to_backend(const Settings& settings, PortIndex index, const FlowTuple& flow,
                                      const Backend& backend) {
  return {.source = port_source(settings, source_of_port(index)),
          .destination = backend.address,
          .source_port = port_of(index),
          .destination_port = backend_port(backend, flow)};
}
ASTIL_INLINE void set_ends_to_backend(BothEnds& ends, const Settings& settings, PortIndex index, const FlowTuple& flow,
                                      const Backend& backend) {
  ends = ends_to_backend(settings, index, flow, backend);
  keep_in_memory(ends);
}

/// And those that the client sees.
ASTIL_INLINE void set_ends_to_client(BothEnds& ends, const FlowTuple& flow) {
  ends = {.source = flow.address,
          .destination = flow.client,
          .source_port = flow.port,
          .destination_port = flow.client_port};
  keep_in_memory(ends);
}

ASTIL_INLINE void write_ends(Ipv4Header& ip, const BothEnds& ends, ChecksumDifference difference) {
  ip.source = ipv4_of(ends.source);
  ip.destination = ipv4_of(ends.destination);
  ip.checksum = corrected(ip.checksum, difference);
}
ASTIL_INLINE void write_ends(Ipv6Header& ip, const BothEnds& ends, ChecksumDifference /*difference*/) {
  ip.source = ends.source;
  ip.destination = ends.destination;
}

/// Both ends change at once, and each checksum by the sum of what that makes. A later fragment has no ports.
template <class Ip, class Engine>
ASTIL_INLINE Rewritten rewrite_ends(Engine& engine, const Packet<Ip>& packet, const BothEnds& ends) {
  if (!has_hops_left(*packet.ip)) return {.reason = Reason::ttl_expired};
  const ChecksumDifference addresses =
      replaced(source_of(packet), ends.source) + replaced(destination_of(packet), ends.destination);
  count_hop(*packet.ip);
  write_ends(*packet.ip, ends, addresses);
  if (packet.ports == nullptr) return front<Ip::kEtherType>(engine);
  const ChecksumDifference ports =
      replaced(packet.ports->source, ends.source_port) + replaced(packet.ports->destination, ends.destination_port);
  packet.ports->source = ends.source_port;
  packet.ports->destination = ends.destination_port;
  engine.correct_transport(checksum_of(packet), addresses, ports, packet.protocol);
  return front<Ip::kEtherType>(engine);
}

/// To the backend that has the connection; `row` has its ends.
template <class Ip, class Engine>
ASTIL_INLINE Verdict send_by_port(Engine& engine, const Packet<Ip>& packet, CpuRow& row, u32 number,
                                  const Backend& backend) {
  const u64 destination = shared_load(backend.destination_mac);
  if (destination == 0) return dropped(Reason::no_next_hop, backend.service);
  if (longest_datagram(engine, packet) > backend.max_length)
    return dropped(is_too_big(engine, backend.max_length).reason, backend.service);
  const u32 length = packet.length;
  const Rewritten rewritten = rewrite_ends(engine, packet, ends_in(row));
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_client);
  count_packet(engine, number, length);
  return emit(engine, rewritten, {backend.interface, destination, backend.source_mac}, backend, Reason::forwarded);
}

/// To the client that has the connection, likewise.
template <class Ip, class Engine>
ASTIL_INLINE Verdict answer_by_port(Engine& engine, const Packet<Ip>& packet, CpuRow& row, u32 number,
                                    const Backend& backend) {
  const BothEnds& ends = ends_in(row);
  const NextHop hop = way_to(engine, ends.destination, backend, number, longest_datagram(engine, packet));
  if (hop.status == NextHop::Status::no_neighbour) return dropped(Reason::no_neighbour, backend.service);
  if (hop.status == NextHop::Status::too_big) return dropped(is_too_big(engine, hop.mtu).reason, backend.service);
  if (hop.status != NextHop::Status::found) return dropped(Reason::no_route, backend.service);
  const u32 length = packet.length;
  const Rewritten rewritten = rewrite_ends(engine, read_again(packet), ends);
  if (rewritten.ethernet == nullptr) return dropped(rewritten.reason, backend.service);
  engine.saw_rewrite(backend, Direction::from_backend);
  count_packet(engine, number, length);
  return emit(engine, rewritten, exit_of(engine, hop), backend, Reason::replied);
}

/// A client's packet that was steered to a backend under full NAT, which stands in CpuRow::steered.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_full_nat(Engine& engine) {
  CpuRow* row = engine.cpu_row();
  Packet<Ip> packet{};
  if (row == nullptr || parse(engine, packet) != Parsed::with_ports) return {.reason = Reason::internal};
  Connection& connection = connection_in(*row);
  connection.flow = flow_of_client(packet);
  keep_in_memory(connection);
  connection.hash = connection_hash(engine, connection.flow);
  const u32 steered = static_cast<u32>(row->steered);
  const bool resets = steered == kToReset;
  const Sign reset{.protocol = kProtocolTcp, .tcp_flags = kTcpRst, .has_data = 0, .direction = Direction::from_backend};
  PortLease lease =
      engine.lease_port(connection, resets ? reset : sign_of(engine, packet, Direction::from_client), steered);
  if (lease.index == kNoPort && reason_of(lease) == Reason::no_port) {
    const PortIndex taken = engine.take_port(connection, steered);
    if (taken != kNoPort) {
      lease = {.index = taken, .backend = steered};
    } else {  // or another CPU was quicker
      lease = engine.lease_port(connection, sign_of(engine, packet, Direction::from_client), steered);
    }
  }
  const bool leased = lease.index != kNoPort;
  const u32 number = leased ? lease.backend : steered;
  const Backend* backend = engine.backend(number);
  if (resets && backend != nullptr) return wants_answer(engine, backend->service + 1, Reason::reset);
  if (resets) return dropped(reason_of(lease), kNoService);
  if (backend == nullptr) return dropped(steered == kUnsteered ? Reason::no_backend : Reason::internal, kNoService);
  if (!leased) return dropped(reason_of(lease), backend->service);
  engine.saw_port(lease.index, *backend);
  engine.saw_backend(*backend, number);
  if (is_first_fragment(packet)) engine.template note_fragment<Ip>(lease.index | kPortMark);
  set_ends_to_backend(ends_in(*row), *engine.settings(), lease.index, connection.flow, *backend);
  return send_by_port(engine, read_again(packet), *row, number, *backend);
}

/// Does the packet come from where its backend has the connection?
ASTIL_INLINE bool is_reply(const auto& packet, const Backend& backend, const FlowTuple& flow) {
  return flow.protocol == packet.protocol && backend.address == source_of(packet) &&
         backend_port(backend, flow) == packet.ports->source;
}

/// Most replies change nothing. False: the port is another connection's by now.
template <class Engine>
ASTIL_INLINE bool note_answer(Engine& engine, const auto& packet, PortIndex index, Connection& connection) {
  const FlowPlace place = port_place(engine, index);
  if (place.line == nullptr) return false;
  if ((packet.tcp_flags & kTcpChanging) == 0 && is_quiet(engine.tick(), place, Direction::from_backend)) return true;
  connection.hash = connection_hash(engine, connection.flow);
  return engine.note_reply(index, connection, sign_of(engine, packet, Direction::from_backend));
}

/// A packet to a source address of full NAT. What is of no connection is the kernel's, whose address it is too.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_port(Engine& engine) {
  CpuRow* row = engine.cpu_row();
  Packet<Ip> packet{};
  if (row == nullptr || parse(engine, packet) != Parsed::with_ports || has_mapped_end(packet))
    return {.reason = Reason::not_ip};
  const GenerationNumber generation = shared_load(engine.settings()->active);
  if (generation >= kNoGeneration) return {.reason = Reason::unready};
  const u32 source = port_source_at(engine, destination_of(packet), generation);
  if (source == kNoSource) return {.reason = kReply};
  if (!is_for_this_station(engine, packet)) return {.reason = Reason::other_mac};
  engine.saw_packet(packet);
  const PortIndex index = port_index(source, packet.ports->destination);
  Connection& connection = connection_in(*row);
  const u32 number = engine.read_port(index, connection.flow);
  keep_in_memory(connection);
  const Backend* backend = engine.backend(number);
  if (backend == nullptr || !is_reply(packet, *backend, connection.flow) ||
      !note_answer(engine, packet, index, connection)) {
    // The kernel would reset a connection that other tables know, and these do not yet.
    if (engine.settings()->header.ring_only != kAlone) return dropped(Reason::no_connection, kNoService);
    if (is_first_fragment(packet)) engine.template note_fragment<Ip>(kNobody);
    return {.reason = Reason::unknown_reply};
  }
  engine.saw_port(index, *backend);
  if (is_first_fragment(packet)) engine.template note_fragment<Ip>(index | kPortMark);
  set_ends_to_client(ends_in(*row), connection.flow);
  return answer_by_port(engine, read_again(packet), *row, number, *backend);
}

}  // namespace detail
}  // namespace astil::core
