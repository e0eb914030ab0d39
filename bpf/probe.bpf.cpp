// The programs that send health probes through the forwarding path (dataplane/core/probe_way.hpp). `astil_probe_out`
// stands at the host's end of the pair of devices that leads into the daemon's namespace: what comes from there goes to
// the backend that its source port is for, as a client's packet would, or nowhere. `astil_probe_in` stands behind the
// packet path at each interface: what answers a probe goes into the namespace, and all else on to whoever is next.
//
// Probes are small, whole, without IP options or extension headers, and have finished checksums: the namespace's device
// leaves none to the device, and its MTU leaves room for any outer header.
#include <linux/pkt_cls.h>

#include "bpf/helpers.hpp"
#include "dataplane/core/checksum.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/probe_way.hpp"

using namespace astil::core;

struct ways_map {
  MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
  MAP_UINT(map_flags, BPF_F_MMAPABLE);
  MAP_UINT(max_entries, kProbePorts);
  MAP_TYPE(key, unsigned);
  MAP_TYPE(value, ProbeWay);
};
SEC(".maps") ways_map probe_ways;

namespace {

constexpr u32 kNetwork = sizeof(EthernetHeader);
constexpr u8 kIcmpv6Unreachable = 1;
constexpr u8 kIcmpv6ParameterProblem = 4;
constexpr u8 kTimeToLive = 64;

/// Who sends to whom.
struct Flow {
  Address source;
  Address destination;
  Ports ports;
  u32 bytes;  ///< of the IP packet
  u8 protocol;
};

enum class Read { other, flow, error };

ASTIL_INLINE u8* begin(__sk_buff* context) { return astil::bpf::pointer_of(as_one_pointer(context)->data); }
ASTIL_INLINE u8* end(__sk_buff* context) { return astil::bpf::pointer_of(context->data_end); }

template <class Header>
ASTIL_INLINE Header* header_at(__sk_buff* context, u32 offset) {
  u8* const start = begin(context) + offset;
  return start + sizeof(Header) > end(context) ? nullptr : reinterpret_cast<Header*>(start);
}

/// A copy: what is read need not lie within reach, and the verifier has no pointer to lose sight of.
template <class Header>
ASTIL_INLINE bool load(__sk_buff* context, u32 offset, Header& header) {
  return astil::bpf::load_bytes(context, offset, &header, sizeof(header)) == 0;
}

ASTIL_INLINE Read read_ports(__sk_buff* context, u32 offset, Flow& flow) {
  if (flow.protocol != kProtocolTcp && flow.protocol != kProtocolUdp) return Read::other;
  return load(context, offset, flow.ports) ? Read::flow : Read::other;
}

ASTIL_INLINE bool read_ip(const Ipv4Header& ip, Flow& flow) {
  if (ip.version_length != 0x45) return false;
  if ((raw(ip.fragment) & (raw(kFragmentOffset) | raw(kMoreFragments))) != 0) return false;
  flow.source = mapped(ip.source);
  flow.destination = mapped(ip.destination);
  flow.bytes = host(ip.total_length);
  flow.protocol = ip.protocol;
  return true;
}

ASTIL_INLINE bool read_ip(const Ipv6Header& ip, Flow& flow) {
  flow.source = ip.source;
  flow.destination = ip.destination;
  flow.bytes = sizeof(ip) + host(ip.payload_length);
  flow.protocol = ip.next_header;
  return true;
}

ASTIL_INLINE bool is_error(const Ipv4Header& /*ip*/, const IcmpHeader& icmp) { return icmp.type == kIcmpUnreachable; }
ASTIL_INLINE bool is_error(const Ipv6Header& /*ip*/, const IcmpHeader& icmp) {
  return icmp.type >= kIcmpv6Unreachable && icmp.type <= kIcmpv6ParameterProblem;
}

/// The flow of a packet; of an ICMP error that of the packet which it quotes.
template <class Ip>
ASTIL_INLINE Read read(__sk_buff* context, Flow& flow) {
  Ip ip;
  if (!load(context, kNetwork, ip) || !read_ip(ip, flow)) return Read::other;
  constexpr u32 kBehind = kNetwork + sizeof(Ip);
  if (flow.protocol != kProtocolIcmp && flow.protocol != kProtocolIcmpv6) return read_ports(context, kBehind, flow);
  IcmpHeader icmp;
  if (!load(context, kBehind, icmp) || !is_error(ip, icmp)) return Read::other;
  constexpr u32 kQuoted = kBehind + sizeof(IcmpHeader);
  if (!load(context, kQuoted, ip) || !read_ip(ip, flow)) return Read::other;
  return read_ports(context, kQuoted + sizeof(Ip), flow) == Read::flow ? Read::error : Read::other;
}

ASTIL_INLINE Read read_packet(__sk_buff* context, Flow& flow) {
  if (context->protocol == raw(kEtherTypeIpv4)) return read<Ipv4Header>(context, flow);
  return context->protocol == raw(kEtherTypeIpv6) ? read<Ipv6Header>(context, flow) : Read::other;
}

ASTIL_INLINE const ProbeWay* way_of(Be16 port) {
  const u32 place = host(port) - kFirstProbePort;
  const auto* way = static_cast<const ProbeWay*>(astil::bpf::map_lookup(&probe_ways, &place));
  return way != nullptr && shared_load(way->interface) != 0 ? way : nullptr;
}

/// A probe's packet, seen from where it comes from.
ASTIL_INLINE bool is_on(const ProbeWay& way, const Flow& flow) {
  return way.protocol == flow.protocol && way.service_port == flow.ports.destination &&
         way.service == flow.destination && way.local == flow.source;
}

ASTIL_INLINE Flow turned(const Flow& flow) {
  return {.source = flow.destination,
          .destination = flow.source,
          .ports = {.source = flow.ports.destination, .destination = flow.ports.source},
          .bytes = flow.bytes,
          .protocol = flow.protocol};
}

ASTIL_INLINE bool set_macs(__sk_buff* context, u64 destination, u64 source, Be16 type) {
  auto* ethernet = header_at<EthernetHeader>(context, 0);
  if (ethernet == nullptr) return false;
  auto* bytes = reinterpret_cast<u8*>(ethernet);
  store_as<u32>(bytes, static_cast<u32>(destination));
  store_as<u16>(bytes + 4, static_cast<u16>(destination >> 32U));
  store_as<u16>(bytes + 6, static_cast<u16>(source));
  store_as<u32>(bytes + 8, static_cast<u32>(source >> 16U));
  store_as<u16>(bytes + 12, raw(type));
  return true;
}

ASTIL_INLINE Be16 type_of(const Address& address) { return is_ipv4(address) ? kEtherTypeIpv4 : kEtherTypeIpv6; }

ASTIL_INLINE bool write_outer_ipv4(__sk_buff* context, const ProbeWay& way, u32 bytes, u8 protocol) {
  auto* words = header_at<Ipv4Words>(context, kNetwork);
  if (words == nullptr) return false;
  const u32 kind = 0x45U | (u32{raw(be16(static_cast<u16>(bytes + sizeof(Ipv4Header))))} << 16U);
  constexpr u32 kDf = 0x00400000;
  const u32 time = raw(be16(static_cast<u16>((kTimeToLive << 8U) | protocol)));
  const Be32 source = ipv4_of(way.outer_source);
  const Be32 destination = ipv4_of(way.outer_destination);
  const u16 checksum = static_cast<u16>(~fold64(u64{kind} + kDf + time + u64{raw(source)} + u64{raw(destination)}));
  *words = {.kind = kind,
            .identification = kDf,
            .time_to_live = time | (u32{checksum} << 16U),
            .source = source,
            .destination = destination};
  return true;
}

ASTIL_INLINE bool write_outer_ipv6(__sk_buff* context, const ProbeWay& way, u32 bytes, u8 protocol) {
  auto* ip = header_at<Ipv6Header>(context, kNetwork);
  if (ip == nullptr) return false;
  ip->version_class_flow = be32(6U << 28U);
  ip->payload_length = be16(static_cast<u16>(bytes));
  ip->next_header = protocol;
  ip->hop_limit = kTimeToLive;
  ip->source = way.outer_source;
  ip->destination = way.outer_destination;
  return true;
}

/// The headers of dataplane/core/wrap.hpp, with the probe's own source port in GUE's.
ASTIL_INLINE bool wrap(__sk_buff* context, const ProbeWay& way, const Flow& flow) {
  const bool gue = way.wrap == ProbeWrap::gue;
  const bool outer4 = is_ipv4(way.outer_destination);
  const u32 header = outer4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
  const u32 udp = gue ? sizeof(UdpHeader) : 0;
  const u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | (outer4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6) |
                    (gue ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0);
  if (astil::bpf::adjust_room(context, static_cast<int>(header + udp), BPF_ADJ_ROOM_MAC, flags) != 0) return false;
  const u8 inner = is_ipv4(way.service) ? kProtocolIpip : kProtocolIpv6;
  const u8 protocol = gue ? kProtocolUdp : inner;
  const u32 bytes = flow.bytes + udp;
  if (!(outer4 ? write_outer_ipv4(context, way, bytes, protocol) : write_outer_ipv6(context, way, bytes, protocol)))
    return false;
  if (!gue) return true;
  auto* behind = outer4 ? header_at<UdpHeader>(context, kNetwork + sizeof(Ipv4Header))
                        : header_at<UdpHeader>(context, kNetwork + sizeof(Ipv6Header));
  if (behind == nullptr) return false;
  *behind = {
      .source = flow.ports.source, .destination = way.gue_port, .length = be16(static_cast<u16>(bytes)), .checksum = 0};
  return true;
}

}  // namespace

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("tc") int astil_probe_out(__sk_buff* context) {
  Flow flow{};
  if (read_packet(context, flow) != Read::flow) return TC_ACT_SHOT;
  const ProbeWay* way = way_of(flow.ports.source);
  if (way == nullptr || !is_on(*way, flow)) return TC_ACT_SHOT;
  if (way->wrap != ProbeWrap::none && !wrap(context, *way, flow)) return TC_ACT_SHOT;
  const Be16 type = type_of(way->wrap == ProbeWrap::none ? way->service : way->outer_destination);
  if (!set_macs(context, way->destination_mac, way->source_mac, type)) return TC_ACT_SHOT;
  return static_cast<int>(astil::bpf::redirect(way->interface, 0));
}

SEC("tc") int astil_probe_in(__sk_buff* context) {
  Flow flow{};
  const Read found = read_packet(context, flow);
  if (found == Read::other) return TC_ACT_UNSPEC;
  const Flow sent = found == Read::error ? flow : turned(flow);
  const ProbeWay* way = way_of(sent.ports.source);
  if (way == nullptr || !is_on(*way, sent)) return TC_ACT_UNSPEC;
  if (context->vlan_present != 0 && astil::bpf::pop_vlan(context) != 0) return TC_ACT_UNSPEC;
  if (!set_macs(context, kProbeMac, way->source_mac, type_of(way->service))) return TC_ACT_UNSPEC;
  return static_cast<int>(astil::bpf::redirect(way->back, 0));
}
}
