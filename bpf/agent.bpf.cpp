// The agent's program on a backend: takes the outer headers off packets whose inner destination is a service address of
// this host and whose outer one is an address of this host, and hands the inner packet to the kernel. Anything else
// passes untouched.
//
//   outer  IPv4 without options or IPv6 without extension headers; no fragment
//   then   nothing: IP-in-IP (RFC 2003, RFC 2473, RFC 4213); or UDP to GUE's port (draft-ietf-intarea-gue-09)
//   inner  IPv4 or IPv6
//
// UDP's checksum is not looked at. 0 is what balancers send, over IPv6 too (RFC 6935; RFC 6936, section 4: for this
// port only). Another one would be the receiver's to verify, but it need not be there yet (a virtual interface's sender
// leaves it to a device), nor is all of a large packet within reach. It protects nothing that a 0 does not: what the
// kernel takes from the inner packet is under checksums of its own, and the kernel verifies those.
#include "bpf/agent_outcomes.hpp"
#include "bpf/helpers.hpp"
#include "dataplane/core/checksum.hpp"
#include "dataplane/core/headers.hpp"

using namespace astil::core;
using astil::agent::Outcome;

#define ASTIL_ADDRESS_SET(map_name)    \
  struct map_name##_map {              \
    MAP_UINT(type, BPF_MAP_TYPE_HASH); \
    MAP_UINT(max_entries, 4096);       \
    MAP_TYPE(key, Address);            \
    MAP_TYPE(value, unsigned char);    \
  };                                   \
  SEC(".maps") map_name##_map map_name

ASTIL_ADDRESS_SET(service_addresses);
ASTIL_ADDRESS_SET(tunnel_ends);

struct outcomes_map {
  MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  MAP_UINT(max_entries, astil::agent::kOutcomes);
  MAP_TYPE(key, unsigned);
  MAP_TYPE(value, unsigned long long);
};
SEC(".maps") outcomes_map outcomes;

extern "C" {
/// Where GUE comes in; the agent may set another one before it loads the program.
extern const volatile unsigned short gue_port;
SEC(".rodata.settings") const volatile unsigned short gue_port = kGuePort;
}

namespace {

/// Generic UDP encapsulation, variant 0 (draft-ietf-intarea-gue-09, section 3).
struct ASTIL_WIRE GueHeader {
  u8 variant_length;  ///< variant 2 bits, control message 1 bit, length of what follows in 32-bit words 5 bits
  u8 protocol;
  Be16 flags;
};
static_assert(sizeof(GueHeader) == 4);

/// What lies in reach of a frame. Of a long one there may be more elsewhere.
struct Frame {
  u8* start;
  const u8* end;
};

/// What the outer headers say, as far as they are read.
struct Tunnel {
  Address end;    ///< its destination
  u32 inner;      ///< where the next header begins, bytes into the frame
  u32 room;       ///< bytes from there to the end of the packet, as the headers say that were read
  u8 protocol;    ///< of the next header
  u8 congestion;  ///< the two bits of the outer header
  bool intact;    ///< its header is sound in itself
};

/// What a packet is, to the agent.
enum class Found { other, unknown_gue, malformed, tunnel };

constexpr u32 kOuter = sizeof(EthernetHeader);

ASTIL_INLINE int finish(Outcome outcome, int verdict) {
  const unsigned index = static_cast<unsigned>(outcome);
  auto* count = static_cast<unsigned long long*>(astil::bpf::map_lookup(&outcomes, &index));
  if (count != nullptr) ++*count;
  return verdict;
}

ASTIL_INLINE bool contains(void* set, const Address& address) {
  return astil::bpf::map_lookup(set, &address) != nullptr;
}

/// Bytes of the whole frame, those out of reach included.
ASTIL_INLINE u64 frame_length(xdp_md* context) {
  return astil::bpf::helper<u64(xdp_md*)>(BPF_FUNC_xdp_get_buff_len)(context);
}

/// The header at an offset; null where it is not in reach.
template <class Header>
ASTIL_INLINE Header* header_at(const Frame& frame, u32 offset) {
  u8* start = frame.start + offset;
  return start + sizeof(Header) > frame.end ? nullptr : reinterpret_cast<Header*>(start);
}

ASTIL_INLINE Found skip(Tunnel& tunnel, u32 bytes) {
  if (tunnel.room < bytes) return Found::malformed;
  tunnel.inner += bytes;
  tunnel.room -= bytes;
  return Found::tunnel;
}

constexpr bool is_ip(u8 protocol) { return protocol == kProtocolIpip || protocol == kProtocolIpv6; }

// The two bits of congestion notification (RFC 3168, section 5).
constexpr u8 kEcn = 0x03;
constexpr u8 kNotEcnCapable = 0x00;
constexpr u8 kEct1 = 0x01;
constexpr u8 kEct0 = 0x02;
constexpr u8 kCongestion = 0x03;

// What is alike in both versions of IP, and lies in other places.

constexpr Be16 ether_type_of(const Ipv4Header& /*ip*/) { return kEtherTypeIpv4; }
constexpr Be16 ether_type_of(const Ipv6Header& /*ip*/) { return kEtherTypeIpv6; }

constexpr u8 congestion_of(const Ipv4Header& ip) { return ip.type_of_service & kEcn; }
constexpr u8 congestion_of(const Ipv6Header& ip) { return (host(ip.version_class_flow) >> 20U) & kEcn; }

constexpr bool is_whole(const Ipv4Header& ip) {
  return (raw(ip.fragment) & (raw(kFragmentOffset) | raw(kMoreFragments))) == 0;
}

/// The inner header is one, and its packet ends where the outer headers end or before.
constexpr bool fits(const Ipv4Header& ip, u32 room) {
  const u32 header = (ip.version_length & 0x0fU) * 4;
  const u32 total = host(ip.total_length);
  return (ip.version_length >> 4U) == 4 && header >= sizeof(ip) && total >= header && total <= room;
}
constexpr bool fits(const Ipv6Header& ip, u32 room) {
  return (host(ip.version_class_flow) >> 28U) == 6 && sizeof(ip) + host(ip.payload_length) <= room;
}

/// Whether the header names an address that the set holds. An IPv6 address that stands for an IPv4 one has no business
/// in a packet, and would be taken for it.
ASTIL_INLINE bool leads_into(void* set, const Ipv4Header& ip) { return contains(set, mapped(ip.destination)); }
ASTIL_INLINE bool leads_into(void* set, const Ipv6Header& ip) {
  const Address destination = ip.destination;
  return !is_ipv4(destination) && contains(set, destination);
}

ASTIL_INLINE void set_congestion(Ipv4Header& ip, u8 mark) {
  const auto service = static_cast<u8>((ip.type_of_service & ~kEcn) | mark);
  const auto before = static_cast<u16>(ip.version_length | (ip.type_of_service << 8U));
  const auto after = static_cast<u16>(ip.version_length | (service << 8U));
  ip.type_of_service = service;
  ip.checksum = corrected(ip.checksum, replaced(before, after));
}
ASTIL_INLINE void set_congestion(Ipv6Header& ip, u8 mark) {
  const u32 others = host(ip.version_class_flow) & ~(u32{kEcn} << 20U);
  ip.version_class_flow = be32(others | (u32{mark} << 20U));
}

/// RFC 6040, section 4.2: the inner packet takes the mark that its tunnel met. False: it must be dropped, since its
/// ends would not understand the mark, and loss is what they understand.
template <class Header>
ASTIL_INLINE bool keep_congestion_mark(u8 met, Header& inner) {
  const u8 known = congestion_of(inner);
  if (met == known) return true;
  if (met == kCongestion && known == kNotEcnCapable) return false;
  if (met == kCongestion || (met == kEct1 && known == kEct0)) set_congestion(inner, met);
  return true;
}

/// RFC 1071: the sum over a header with its checksum.
ASTIL_INLINE bool checksum_holds(const Ipv4Header& ip) {
  const auto& words = reinterpret_cast<const Ipv4Words&>(ip);
  return fold64(u64{words.kind} + words.identification + words.time_to_live + raw(words.source) +
                raw(words.destination)) == 0xffff;
}

ASTIL_INLINE bool read_outer_ipv4(const Frame& frame, Tunnel& tunnel) {
  const auto* ip = header_at<Ipv4Header>(frame, kOuter);
  if (ip == nullptr || ip->version_length != 0x45 || !is_whole(*ip)) return false;
  const u32 total = host(ip->total_length);
  tunnel = {.end = mapped(ip->destination),
            .inner = kOuter + u32{sizeof(*ip)},
            .room = total - u32{sizeof(*ip)},
            .protocol = ip->protocol,
            .congestion = congestion_of(*ip),
            .intact = total >= sizeof(*ip) && checksum_holds(*ip)};
  return true;
}

ASTIL_INLINE bool read_outer_ipv6(const Frame& frame, Tunnel& tunnel) {
  const auto* ip = header_at<Ipv6Header>(frame, kOuter);
  if (ip == nullptr || (host(ip->version_class_flow) >> 28U) != 6 || is_ipv4(ip->destination)) return false;
  tunnel = {.end = ip->destination,
            .inner = kOuter + u32{sizeof(*ip)},
            .room = host(ip->payload_length),
            .protocol = ip->next_header,
            .congestion = congestion_of(*ip),
            .intact = true};
  return true;
}

/// False: a packet without a tunnel that the agent could know.
ASTIL_INLINE bool read_outer(const Frame& frame, Tunnel& tunnel) {
  const auto* ethernet = header_at<EthernetHeader>(frame, 0);
  if (ethernet == nullptr) return false;
  if (ethernet->type == kEtherTypeIpv4) return read_outer_ipv4(frame, tunnel);
  return ethernet->type == kEtherTypeIpv6 && read_outer_ipv6(frame, tunnel);
}

/// GUE's own header. What the length has beyond the four bytes is private data of the sender, and skipped. A flag says
/// what has to be done before the payload is a packet (draft-ietf-intarea-gue-extensions: reassembly, decryption,
/// checksums), and none of that is done here.
ASTIL_INLINE Found read_gue(const Frame& frame, Tunnel& tunnel) {
  const auto* gue = header_at<GueHeader>(frame, tunnel.inner);
  if (gue == nullptr || tunnel.room < sizeof(*gue)) return Found::malformed;
  const u8 start = gue->variant_length;
  // Variant 1 (section 4): the first bits of an IP packet are 01, those of its version.
  if ((start & 0xc0U) == 0x40U) {
    tunnel.protocol = (start & 0x20U) == 0 ? kProtocolIpip : kProtocolIpv6;
    return (start & 0x10U) == 0 ? Found::tunnel : Found::unknown_gue;
  }
  tunnel.protocol = gue->protocol;
  if ((start & 0xe0U) != 0 || !is_ip(gue->protocol) || raw(gue->flags) != 0) return Found::unknown_gue;
  return skip(tunnel, sizeof(*gue) + (start & 0x1fU) * 4);
}

ASTIL_INLINE Found read_udp(const Frame& frame, Tunnel& tunnel, const UdpHeader& udp) {
  const u32 length = host(udp.length);
  if (length > tunnel.room) return Found::malformed;
  tunnel.room = length;
  if (skip(tunnel, sizeof(udp)) != Found::tunnel) return Found::malformed;
  return read_gue(frame, tunnel);
}

/// All headers before the inner packet's own.
ASTIL_INLINE Found find_inner(xdp_md* context, const Frame& frame, Tunnel& tunnel) {
  if (!read_outer(frame, tunnel)) return Found::other;
  const auto* udp = tunnel.protocol == kProtocolUdp ? header_at<UdpHeader>(frame, tunnel.inner) : nullptr;
  const bool is_gue = udp != nullptr && host(udp->destination) == gue_port;
  if (!is_gue && !is_ip(tunnel.protocol)) return Found::other;
  if (!tunnel.intact || tunnel.inner + tunnel.room > frame_length(context)) return Found::malformed;
  return is_gue ? read_udp(frame, tunnel, *udp) : Found::tunnel;
}

/// The Ethernet header moves up to the inner packet.
ASTIL_INLINE bool remove_outer(xdp_md* context, u32 inner, Be16 type) {
  auto* before = reinterpret_cast<u8*>(static_cast<u64>(context->data));
  if (before + sizeof(EthernetHeader) > reinterpret_cast<u8*>(static_cast<u64>(context->data_end))) return false;
  EthernetHeader ethernet = *reinterpret_cast<EthernetHeader*>(before);
  ethernet.type = type;
  if (astil::bpf::adjust_head(context, static_cast<int>(inner - sizeof(EthernetHeader))) != 0) return false;
  auto* frame = reinterpret_cast<u8*>(static_cast<u64>(context->data));
  const u8* end = reinterpret_cast<u8*>(static_cast<u64>(context->data_end));
  if (frame + sizeof(EthernetHeader) > end) return false;
  *reinterpret_cast<EthernetHeader*>(frame) = ethernet;
  return true;
}

/// Counted only where it was sent to this host: else somebody else knows better.
ASTIL_INLINE int leave(const Tunnel& tunnel, Outcome outcome) {
  return contains(&tunnel_ends, tunnel.end) ? finish(outcome, XDP_PASS) : XDP_PASS;
}

template <class Header>
ASTIL_INLINE int unwrap(xdp_md* context, const Frame& frame, const Tunnel& tunnel) {
  auto* inner = header_at<Header>(frame, tunnel.inner);
  if (inner == nullptr || !fits(*inner, tunnel.room)) return leave(tunnel, Outcome::malformed);
  if (!leads_into(&service_addresses, *inner)) return XDP_PASS;
  if (!contains(&tunnel_ends, tunnel.end)) return finish(Outcome::not_local, XDP_PASS);
  if (!keep_congestion_mark(tunnel.congestion, *inner)) return finish(Outcome::not_ecn_capable, XDP_DROP);
  if (!remove_outer(context, tunnel.inner, ether_type_of(*inner))) return finish(Outcome::stuck, XDP_DROP);
  return finish(Outcome::unwrapped, XDP_PASS);
}

}  // namespace

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("xdp.frags") int astil_agent(xdp_md* context) {
  const Frame frame{reinterpret_cast<u8*>(static_cast<u64>(context->data)),
                    reinterpret_cast<u8*>(static_cast<u64>(context->data_end))};
  Tunnel tunnel{};
  const Found found = find_inner(context, frame, tunnel);
  if (found == Found::other) return XDP_PASS;
  if (found == Found::malformed) return leave(tunnel, Outcome::malformed);
  if (found == Found::unknown_gue) return leave(tunnel, Outcome::unknown_gue);
  return tunnel.protocol == kProtocolIpip ? unwrap<Ipv4Header>(context, frame, tunnel)
                                          : unwrap<Ipv6Header>(context, frame, tunnel);
}
}
