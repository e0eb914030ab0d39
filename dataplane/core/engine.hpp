// What the packet path asks of an engine: access to one packet, to the tables, to time. The engines are
// bpf/kernel_engine.hpp (XDP) and dataplane/native/native_engine.hpp (tests, fuzzers, trace).
//
// Packet: `begin()` and `end()` bound the bytes that can be read and written in place, from the Ethernet header on.
// They are asked anew after whatever changes the packet as a whole: what is said to move it below.
//
// The kernel's own packets, which the tc hook sees, may be larger than what goes over the wire, and have checksums that
// the device will fill in; their VLAN tags stand beside them. So an engine is asked to do what of a plain frame could
// be done in place: `correct_transport`, `push_tags`, `segment_bytes`.
#pragma once

#include "dataplane/core/checksum.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/layout.hpp"

namespace astil::core {

/// Where a packet to an address leaves the machine, as the routing table has it.
struct NextHop {
  enum class Status : u8 { found, no_route, no_neighbour, too_big };

  Status status = Status::no_route;
  u32 interface = 0;        ///< ifindex
  u64 destination_mac = 0;  ///< low 6 bytes
  u64 source_mac = 0;
  u32 mtu = 0;  ///< of the route, where the datagram is too big for it, or the hop may be kept for a moment (hops.hpp)
};

struct Opening;        // schedule.hpp
struct Connection;     // ports.hpp
struct Extensions;     // extensions.hpp
enum class Part : u8;  // path.hpp
struct Ipv4;           // parse.hpp; it stands for both versions here
struct DropEvent;      // events.hpp

/// What becomes of the packet, and why. Each in 8 bytes of its own: the compiler would pack the two into one register,
/// and take them apart again.
struct Verdict {
  alignas(8) Reason reason;
  /// ifindex, for Action::transmit; of a drop that `run` has not counted yet, see `dropped`
  alignas(8) u32 interface = 0;
};

/// What a gap in front of a packet is for.
enum class Gap : u8 { plain, outer_ipv4, outer_ipv4_udp, outer_ipv6, outer_ipv6_udp };

namespace detail {
struct Exit;  // vlan.hpp
}

/// A drop of a service's packet. The service's id, plus 1, stands where others have the interface, so that the packet
/// of a known flow has nothing more to carry; `run` takes it out. kNoService: of none.
ASTIL_INLINE constexpr Verdict dropped(Reason reason, u32 service) {
  return {.reason = reason, .interface = service + 1};
}
ASTIL_INLINE constexpr u32 service_of(const Verdict& dropped) { return dropped.interface - 1; }

// clang-format off
template <class E>
concept Engine = requires(E& engine, u32 n, u64* entry, u64 value, const Address& address, Address& client,
                          FlowKey& key, u32 bytes, i32 gap, const Opening& opening, const Service& service,
                          ChecksumField* field, ChecksumDifference difference, const detail::Exit& exit,
                          DropEvent& event, const Sign& sign, const Connection& connection, FlowTuple& flow) {
  { engine.begin() };                                   // u8*: first byte of the Ethernet header
  { engine.end() };                                     // u8*: behind the last byte that can be read
  { engine.ingress() };                                 // u32: ifindex the packet came in by
  { E::kTagsInFrame };                                  // bool: VLAN tags that a frame came with stand in it
  { E::kFinishedChecksums };                            // bool: no checksum is left to the device; else is_left_to_device(offset of one in the frame) says which, and moves the packet
  { engine.template open_gap<Gap{}>(gap) };             // bool: so many bytes more, or less, at the frame's begin; what stands there is lost; moves the packet
  { engine.trim(n) };                                   // bool: the frame ends behind n bytes; moves the packet
  { engine.pull(n) };                                   // bool: the first n bytes can be read, where the frame has as many; moves the packet
  { engine.push_tags(exit, Be16{}) };                   // bool: puts VLAN tags in front of what has the EtherType; calls push_tag_bytes where they stand in the frame; moves the packet
  { engine.correct_transport(field, difference, difference, u8{}) };  // the checksum of a protocol, by a change of the pseudo header and one of what follows; calls correct_in_place, or moves the packet
  { engine.segment_bytes() };                           // u32: payload of each packet that this one stands for; 0: it stands for itself
  { engine.tick() };                                    // u32: the clock of flow ages
  { engine.fine_tick() };                               // u32: a clock of kUnitsPerSecond
  { engine.route(address, address, bytes) };            // NextHop to the first address, from the second, for a datagram of n bytes; one without a known MAC address is asked for
  { engine.hop(n) };                                    // Hop*: a place for one, of this CPU; null: none is kept
  { engine.settings() };                                // const Settings*, never null
  { engine.index_line(n) };                             // const IndexLine*; these are null where n is out of range
  { engine.service(n) };                                // const Service*
  { engine.backend(n) };                                // const Backend*
  { engine.ring_line(n) };                              // const RingLine*
  { engine.member_line(n) };                            // const MemberLine*
  { engine.flow_line(n) };                              // FlowLine*
  { engine.client_line(n) };                            // ClientLine*
  { engine.fragment_line(n) };                          // FragmentLine*
  { engine.port_line(n) };                              // FlowLine*: of the ports of full NAT
  { engine.port_client_line(n) };                       // ClientLine*: likewise
  { engine.find_port(connection, n) };                  // PortIndex: calls core::find_port, in a function of its own where that helps
  { engine.find_any_port(connection) };                 // PortIndex: calls core::find_any_port, likewise
  { engine.read_port(n, flow) };                        // u32: calls core::read_port, likewise
  { engine.lease_port(connection, sign, n) };           // PortLease: calls core::lease_port, likewise
  { engine.take_port(connection, n) };                  // PortIndex: calls core::take_port, likewise
  { engine.note_reply(n, connection, sign) };           // bool: calls core::note_reply, likewise
  { engine.counter(n) };                                // Counter*: of this CPU, by slot
  { engine.cpu_row() };                                 // CpuRow*: of this CPU
  { engine.drops(n) };                                  // ServiceDrops*: of this CPU, by service
  { engine.note_drop(Reason{}, n) };                    // calls core::note_drop, in a function of its own where that helps
  { engine.now() };                                     // u64: the monotonic clock, nanoseconds
  { engine.tell_drop(event) };                          // tells the control plane
  { engine.load(n) };                                   // const Load*
  { engine.count_opened(n) };                           // one active flow more of a backend, by number; counted by every CPU at once
  { engine.count_closed(n) };                           // one less
  { engine.source_rules(n) };                           // const SourceRules*
  { engine.source_range(n) };                           // const SourceRange*
  { engine.source_bucket(n) };                          // SourceBucket*
  { engine.source_clock() };                            // u64: a clock of kSourceUnitsPerSecond (sources.hpp)
  { engine.check_source(opening, n, n) };               // Reason: calls core::check_source, in a function of its own where that helps
  { engine.note_limited(n) };                           // stores Shared::limited
  { engine.next_turn(n) };                              // u64: of a round-robin service, by id; each call another one
  { engine.swap(entry, value, value) };                 // bool: compare and swap of 8 bytes
  { engine.store_key(key, key) };                       // writes the cold half of a flow
  { engine.store_client(client, client) };              // and the address of an IPv6 client
  { engine.publish(entry, value) };                     // writes 8 bytes that nobody else writes, after all that was written before
  { engine.prefetch(*entry) };                          // begins to load a record that will be needed
  { engine.add(entry, value) };                         // adds to a counter that only this CPU writes
  { engine.template part<Part{}, Ipv4>() };       // Verdict: calls run_part, in a function of its own where that helps
  { engine.template note_fragment<Ipv4>(n) };     // calls note_first_fragment, likewise
  { engine.hold(n) };                                   // bool: gives the packet, n bytes, to the control plane to hold
  { engine.skip_extensions(n, u8{}) };                  // Extensions: calls walk_extensions, likewise
  { engine.sum_of_frame(n, n) };                        // u64: calls core::sum_of_frame, likewise
  { engine.touch(entry, value, sign) };                 // calls core::touch, likewise
  { engine.change(entry, value, value) };               // bool: calls change_entry, likewise
  { engine.least_loaded(service, n) };                  // u32: calls least_loaded, likewise
  { engine.place_by_affinity(opening, n) };             // u32: calls place_by_affinity, likewise
  { engine.note_flow(opening, n) };                     // calls note_flow, likewise
  { engine.place(opening) };                            // Placement: calls place_flow, in a function of its own where that helps
};
// clang-format on

/// The engine's word on each stage, for `astil trace`. An engine that says nothing derives from this.
struct Silent {
  ASTIL_INLINE void saw_packet(const auto& /*packet*/) {}
  ASTIL_INLINE void saw_service(const Service& /*service*/) {}
  ASTIL_INLINE void saw_known_flow(const FlowPlace& /*place*/, const Backend& /*backend*/) {}
  ASTIL_INLINE void saw_unknown_flow(const FlowHash& /*hash*/) {}
  ASTIL_INLINE void saw_slot(const Service& /*service*/, Scheduler /*by*/, u32 /*slot*/, u32 /*backend*/) {}
  /// One of those that least-connections or two-choices compares.
  ASTIL_INLINE void saw_load(u32 /*backend*/, u32 /*weight*/, u32 /*active*/) {}
  ASTIL_INLINE void saw_least_loaded(const Service& /*service*/, u32 /*backend*/) {}
  /// What a service's lists say of a client: the rule of its range, 0 where there is no such list.
  ASTIL_INLINE void saw_source_rule(const Address& /*client*/, u32 /*rule*/) {}
  /// And its limit; the source is the first bits of the client's address.
  ASTIL_INLINE void saw_source_limit(const SourceRules& /*rules*/, const Address& /*source*/, bool /*takes*/) {}
  ASTIL_INLINE void saw_affinity(const Service& /*service*/, const FlowPlace& /*place*/) {}
  /// Under full NAT: the connection's port, a PortIndex; and the backend that it is used with.
  ASTIL_INLINE void saw_port(u32 /*index*/, const Backend& /*backend*/) {}
  ASTIL_INLINE void saw_backend(const Backend& /*backend*/, u32 /*number*/) {}
  ASTIL_INLINE void saw_rewrite(const Backend& /*backend*/, Direction /*direction*/) {}
  /// The packet is dropped; the service's id, or kNoService.
  ASTIL_INLINE void saw_drop(u32 /*service*/) {}
};

}  // namespace astil::core
