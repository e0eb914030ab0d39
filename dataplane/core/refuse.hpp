// What a client is told where nobody serves it: a service that has no backend in rotation refuses (RFC 9293, section
// 3.10.7.1: a reset; RFC 1122, section 4.1.3.1: port unreachable), and a connection whose backend went down is reset.
// Where that is set; apart, since few packets come here.
#pragma once

#include "dataplane/core/answer.hpp"
#include "dataplane/core/drops.hpp"
#include "dataplane/core/parts.hpp"
#include "dataplane/core/service.hpp"

namespace astil::core {

/// Resets of our own, each CPU's in a second. They are no longer than what they answer.
inline constexpr u32 kResetsPerSecond = 16384;

namespace detail {

template <class Ip>
constexpr Told port_unreachable() {
  if (Ip::kIsWide) return {.type = kIcmpv6Unreachable, .code = kIcmpv6PortUnreachable, .rest = 0};
  return {.type = kIcmpUnreachable, .code = kIcmpPortUnreachable, .rest = 0};
}

/// RFC 9293, section 3.10.7.1: where the segment acknowledges, the reset is what is expected next; else it acknowledges
/// the segment. `bytes`: from the segment's header on.
ASTIL_INLINE TcpHeader reset_of(const TcpHeader& segment, u32 bytes) {
  const u32 flags = segment.flags;
  const bool acknowledges = (flags & kTcpAck) != 0;
  const u32 header_bytes = (segment.offset >> 4U) * 4U;
  const u32 payload = bytes > header_bytes ? bytes - header_bytes : 0;
  const u32 length = payload + ((flags >> 1U) & 1U) + (flags & 1U);  // SYN and FIN count
  static_assert(kTcpSyn == 2 && kTcpFin == 1);
  return {.source = segment.destination,
          .destination = segment.source,
          .sequence = acknowledges ? segment.acknowledgment : Be32{},
          .acknowledgment = acknowledges ? Be32{} : be32(host(segment.sequence) + length),
          .offset = (sizeof(TcpHeader) / 4U) << 4U,
          .flags = acknowledges ? kTcpRst : u8{kTcpRst | kTcpAck},
          .window = {},
          .checksum = 0,
          .urgent = {}};
}

/// Turns a segment into the reset that answers it, without its options and extension headers. TCP's header stays where
/// it is in memory: a device that is to finish its checksum looks for it there. False: it can not.
template <class Ip, class Engine>
ASTIL_INLINE bool answer_by_reset(Engine& engine, const Transport& transport) {
  using Header = typename Ip::Header;
  constexpr u32 kFrame = kNetworkOffset + sizeof(Header) + sizeof(TcpHeader);
  const bool unfinished = is_unfinished(engine, transport.offset + offsetof(TcpHeader, checksum));
  auto* start = header_at<EthernetHeader, kNetworkOffset + sizeof(Header)>(engine, 0);
  const auto* segment = header_at<TcpHeader>(engine, transport.offset);
  if (start == nullptr || segment == nullptr) return false;
  const TcpHeader reset = reset_of(*segment, transport.bytes);
  const EthernetHeader frame = *start;
  Packet<Ip> packet{};
  packet.ip = reinterpret_cast<Header*>(reinterpret_cast<u8*>(start) + kNetworkOffset);
  const Ends ends{destination_of(packet), source_of(packet)};
  if (!engine.trim(transport.offset + sizeof(TcpHeader))) return false;
  const u32 between = transport.offset - kNetworkOffset - static_cast<u32>(sizeof(Header));
  if (between != 0 && !engine.template open_gap<Gap::plain>(-static_cast<i32>(between))) return false;
  auto* begin = header_at<EthernetHeader, kFrame>(engine, 0);
  if (begin == nullptr) return false;
  *begin = frame;
  u8* bytes = reinterpret_cast<u8*>(begin) + kNetworkOffset;
  auto& ip = *reinterpret_cast<Header*>(bytes);
  auto& tcp = *reinterpret_cast<TcpHeader*>(bytes + sizeof(Header));
  write_network(ip, ends, kProtocolTcp, sizeof(TcpHeader));
  tcp = reset;
  const u64 pseudo = pseudo_sum(ip, kProtocolTcp, sizeof(TcpHeader));
  tcp.checksum = unfinished
                     ? fold64(pseudo)
                     : static_cast<u16>(~fold64(pseudo + sum_of<sizeof(TcpHeader)>(reinterpret_cast<const u8*>(&tcp))));
  return true;
}

/// Does the service refuse what it has no backend for?
template <class Engine>
ASTIL_INLINE bool refuses(Engine& engine, u32 service) {
  const GenerationNumber generation = shared_load(engine.settings()->active);
  const Service* record = generation < kNoGeneration ? service_record(engine, generation, service) : nullptr;
  return record != nullptr && record->refuses != 0;
}

/// `CpuRow::steered` says why, and of which service: see `wants_answer`.
template <class Ip, class Engine>
ASTIL_INLINE Verdict decide_answer(Engine& engine) {
  CpuRow* row = engine.cpu_row();
  if (row == nullptr) return {.reason = Reason::internal};
  const u32 service = static_cast<u32>(row->steered) - 1;
  const bool resets = row->steered >> 32U == static_cast<u32>(Reason::reset);
  const Reason reason = resets ? Reason::reset : Reason::refused;
  if (!resets && !refuses(engine, service)) return dropped(Reason::no_backend, service);
  Packet<Ip> packet{};
  Transport transport{};
  if (!parse_network(engine, packet, transport) || !parse_transport(engine, packet, transport))
    return dropped(Reason::internal, service);
  // A reset is never answered by one.
  if ((packet.tcp_flags & kTcpRst) != 0) return dropped(Reason::no_backend, service);
  const bool udp = packet.protocol == kProtocolUdp;
  const LimitKind kind = udp ? LimitKind::icmp : LimitKind::resets;
  if (!names_one_host(*packet.ip) || !is_within_limit(engine, kind, per_unit(udp ? kIcmpPerSecond : kResetsPerSecond)))
    return dropped(Reason::not_answered, service);
  const Quote quote = udp ? quote_of<Ip>(engine, transport, packet.length) : Quote{};
  if (quote.sum == kNoSum) return dropped(Reason::not_answered, service);
  // While the packet is what it was.
  engine.saw_drop(service);
  engine.note_drop(reason, service);
  const bool answered = udp ? tell<Ip>(engine, quote, port_unreachable<Ip>()) : answer_by_reset<Ip>(engine, transport);
  return answered ? back_out(engine, reason) : Verdict{.reason = Reason::internal};
}

}  // namespace detail
}  // namespace astil::core
