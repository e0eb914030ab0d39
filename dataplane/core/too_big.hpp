// "Fragmentation needed" and "packet too big": what the sender of a packet is told that is longer than the rest of its
// path can carry (RFC 1191, section 4; RFC 8201, section 4). Linux heeds it also for packets that may be fragmented, so
// it is told of those too.
#pragma once

#include "dataplane/core/answer.hpp"
#include "dataplane/core/icmp.hpp"

namespace astil::core {

namespace detail {

template <class Ip>
constexpr Told too_big_for(u16 mtu) {
  if (Ip::kIsWide) return {.type = kIcmpv6PacketTooBig, .code = 0, .rest = mtu};
  return {.type = kIcmpUnreachable, .code = kIcmpFragmentationNeeded, .rest = mtu};
}

}  // namespace detail

/// Turns the packet, as it came, into the answer to its sender: the longest that it may send is `mtu`.
template <class Ip, class Engine>
ASTIL_INLINE Verdict tell_too_big(Engine& engine, u16 mtu) {
  Packet<Ip> packet{};
  detail::Transport transport{};
  if (!detail::parse_network(engine, packet, transport) || !detail::may_be_told(packet, transport))
    return {.reason = Reason::too_big};
  if (!is_within_limit(engine, LimitKind::icmp, per_unit(kIcmpPerSecond))) return {.reason = Reason::too_big};
  const detail::Quote quote = detail::quote_of<Ip>(engine, transport, packet.length);
  if (!detail::tell<Ip>(engine, quote, detail::too_big_for<Ip>(mtu))) return {.reason = Reason::too_big};
  return detail::back_out(engine, Reason::told_too_big);
}

}  // namespace astil::core
