// Why a packet went where it went: every way through the packet path ends with one of these, and each has its counter.
// The one list from which the counters, the metrics, `astil drops` and `astil trace` take names and sentences.
#pragma once

#include "dataplane/core/bytes.hpp"

namespace astil::core {

enum class Action : u8 {
  pass,      ///< to the kernel, untouched
  hold,      ///< the control plane has a copy, and will send it or drop it
  refuse,    ///< dropped, and its sender was told so: the answer is out of the interface it came in by
  drop,      ///< counted by reason
  transmit,  ///< out of an interface
};

// name, action, what an operator should know
#define ASTIL_REASONS(X)                                                                                           \
  X(forwarded, transmit, "a client's packet, sent to a backend")                                                   \
  X(replied, transmit, "a backend's reply under nat, sent to the client")                                          \
  X(relayed, transmit, "an ICMP error about a connection, sent on to whoever it concerns")                         \
  X(echo_answered, transmit, "an echo request to a service address, answered")                                     \
  X(told_too_big, transmit, "longer than the way to the backend carries: its sender was told how long it may be")  \
  X(not_ip, pass, "neither IPv4 nor IPv6, or shorter than its headers say")                                        \
  X(other_mac, pass, "a frame for another station, flooded by a bridge or switch")                                 \
  X(other_protocol, pass, "neither TCP nor UDP, nor ICMP about a service")                                         \
  X(no_service, pass, "no service at this address, port and protocol")                                             \
  X(unknown_reply, pass, "from a backend under nat, or to a source address of full-nat, but of no flow here")      \
  X(unready, pass, "the tables hold no configuration yet")                                                         \
  X(fragment_held, hold, "a fragment ahead of its datagram's first one: the daemon holds it until that comes")     \
  X(refused, refuse, "the service has no backend in rotation: answered by a reset, or port unreachable")           \
  X(reset, refuse, "of a connection whose backend is down: answered by a reset, so that its client begins anew")   \
  X(no_backend, drop, "the service has no backend in rotation")                                                    \
  X(not_answered, drop, "would be refused or reset, but too many were in this moment, or its sender is no host")   \
  X(source_denied, drop, "the service's lists of sources do not let the client in")                                \
  X(source_limited, drop, "more new flows from the client than the service's limit of a source lets in")           \
  X(no_next_hop, drop, "the backend's next hop has no known MAC address")                                          \
  X(no_route, drop, "no route to the client of a reply under nat")                                                 \
  X(no_neighbour, drop, "the client's next hop has no known MAC address yet; the daemon is asked to resolve it")   \
  X(malformed, drop, "TCP or UDP to a service address, but cut short")                                             \
  X(fragment_refused, drop, "a fragment ahead of its datagram's first one, while too many are held")               \
  X(fragment_lost, drop, "a fragment ahead of its datagram's first one, which did not come within a second")       \
  X(ttl_expired, drop, "time to live used up: a forwarding loop, or a traceroute")                                 \
  X(too_big, drop, "longer than the way to the backend carries, and too many senders were told in this moment")    \
  X(icmp_limit, drop, "an echo request to a service address, of too many in this moment")                          \
  X(no_port, drop, "under full NAT no port is free for a new connection: more source addresses are needed")        \
  X(no_connection, drop, "under full NAT a segment that neither opens a connection nor is of one that has a port") \
  X(no_headroom, drop, "the driver left no room for the tunnel header in front of the packet")                     \
  X(too_long, drop, "no total length left for the tunnel headers: more than 65515 bytes")                          \
  X(internal, drop, "tables contradict each other; please report it")                                              \
  X(not_accepted, drop, "for no service, to an address of a group with accept_mode: false")

enum class Reason : u8 {
#define ASTIL_REASON(name, action, text) name,
  ASTIL_REASONS(ASTIL_REASON)
#undef ASTIL_REASON
      count
};

/// In the list, what transmits stands first, then what passes, what is held, what is refused, what drops. What is sent
/// to a backend or a client is counted with the backend, and not by its reason; the last two also with their service.
inline constexpr Reason kFirstCounted = Reason::relayed;
inline constexpr Reason kFirstPass = Reason::not_ip;
inline constexpr Reason kFirstHold = Reason::fragment_held;
inline constexpr Reason kFirstRefusal = Reason::refused;
inline constexpr Reason kFirstDrop = Reason::no_backend;
inline constexpr u32 kDropReasons = static_cast<u32>(Reason::count) - static_cast<u32>(kFirstRefusal);

/// The place of a reason among the counts of a service; at kDropReasons or above: it has none.
constexpr u32 drop_place(Reason reason) { return static_cast<u32>(reason) - static_cast<u32>(kFirstRefusal); }

constexpr Action action_of(Reason reason) {
  if (reason >= kFirstDrop) return Action::drop;
  if (reason >= kFirstRefusal) return Action::refuse;
  if (reason >= kFirstHold) return Action::hold;
  return reason >= kFirstPass ? Action::pass : Action::transmit;
}

struct ReasonText {
  const char* name;
  Action action;
  const char* text;
};

inline constexpr ReasonText kReasons[] = {
#define ASTIL_REASON(name, action, text) {#name, Action::action, text},
    ASTIL_REASONS(ASTIL_REASON)
#undef ASTIL_REASON
};

constexpr bool reasons_are_in_order() {
  for (u32 i = 0; i < static_cast<u32>(Reason::count); ++i) {
    if (kReasons[i].action != action_of(static_cast<Reason>(i))) return false;
  }
  return true;
}
static_assert(reasons_are_in_order());

// What happens to the flow table, counted beside the reasons: name, what an operator should know. What full lines give
// up stands first, in the order of EvictionClass.
#define ASTIL_FLOW_EVENTS(X)                                                                                 \
  X(evicted_established, "a full line gave up an established flow for a new one: the table is too small")    \
  X(evicted_closing, "a full line gave up a closing or closed flow for a new one")                           \
  X(evicted_half_open, "a full line gave up a half-open flow for a new one: a flood, or a small table")      \
  X(evicted_affinity, "a full line gave up what it knew of a client's affinity, or had no place to note it") \
  X(contended, "a flow was not written down, since another took its place or has its tag; the ring decided") \
  X(limited, "a new flow above dataplane.new_flows_per_second was not written down; the ring decided")

enum class FlowEvent : u8 {
#define ASTIL_FLOW_EVENT(name, text) name,
  ASTIL_FLOW_EVENTS(ASTIL_FLOW_EVENT)
#undef ASTIL_FLOW_EVENT
      count
};

struct FlowEventText {
  const char* name;
  const char* text;
};

inline constexpr FlowEventText kFlowEvents[] = {
#define ASTIL_FLOW_EVENT(name, text) {#name, text},
    ASTIL_FLOW_EVENTS(ASTIL_FLOW_EVENT)
#undef ASTIL_FLOW_EVENT
};

}  // namespace astil::core
