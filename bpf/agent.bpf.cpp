// The agent's program on a backend: takes the outer header off IP-in-IP packets (RFC 2003) whose inner destination is a
// service address of this host and whose outer one is an address of this host, and hands the inner packet to the
// kernel. Anything else passes untouched.
#include "bpf/agent_outcomes.hpp"
#include "bpf/helpers.hpp"
#include "dataplane/core/checksum.hpp"
#include "dataplane/core/headers.hpp"

using namespace astil::core;
using astil::agent::Outcome;

// Sets of IPv4 addresses, in network byte order.
#define ASTIL_ADDRESS_SET(map_name)    \
  struct map_name##_map {              \
    MAP_UINT(type, BPF_MAP_TYPE_HASH); \
    MAP_UINT(max_entries, 4096);       \
    MAP_TYPE(key, unsigned);           \
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

namespace {

constexpr u32 kInner = sizeof(EthernetHeader) + sizeof(Ipv4Header);

ASTIL_INLINE int finish(Outcome outcome, int verdict) {
  const unsigned index = static_cast<unsigned>(outcome);
  auto* count = static_cast<unsigned long long*>(astil::bpf::map_lookup(&outcomes, &index));
  if (count != nullptr) ++*count;
  return verdict;
}

ASTIL_INLINE bool contains(void* set, Be32 address) {
  const unsigned key = raw(address);
  return astil::bpf::map_lookup(set, &key) != nullptr;
}

/// IPv4 in IPv4, whole, and without options in the outer header.
ASTIL_INLINE bool is_tunnelled(const EthernetHeader& ethernet, const Ipv4Header& outer, const Ipv4Header& inner) {
  return ethernet.type == kEtherTypeIpv4 && outer.version_length == 0x45 && outer.protocol == kProtocolIpip &&
         (raw(outer.fragment) & (raw(kFragmentOffset) | raw(kMoreFragments))) == 0 &&
         (inner.version_length & 0xf0U) == 0x40U;
}

// The two bits of congestion notification (RFC 3168, section 5).
constexpr u8 kEcn = 0x03;
constexpr u8 kNotEcnCapable = 0x00;
constexpr u8 kEct1 = 0x01;
constexpr u8 kEct0 = 0x02;
constexpr u8 kCongestion = 0x03;

/// RFC 6040, section 4.2: the inner packet takes the mark that its tunnel met. False: it must be dropped, since its
/// ends would not understand the mark, and loss is what they understand.
ASTIL_INLINE bool keep_congestion_mark(const Ipv4Header& outer, Ipv4Header& inner) {
  const u8 met = outer.type_of_service & kEcn;
  const u8 known = inner.type_of_service & kEcn;
  if (met == kCongestion && known == kNotEcnCapable) return false;
  if (met != kCongestion && !(met == kEct1 && known == kEct0)) return true;
  const auto service = static_cast<u8>((inner.type_of_service & ~kEcn) | met);
  const auto before = static_cast<u16>(inner.version_length | (inner.type_of_service << 8U));
  const auto after = static_cast<u16>(inner.version_length | (service << 8U));
  inner.type_of_service = service;
  inner.checksum = corrected(inner.checksum, replaced(before, after));
  return true;
}

/// The Ethernet header moves up to the inner packet.
ASTIL_INLINE bool remove_outer(xdp_md* context, const EthernetHeader& ethernet) {
  if (astil::bpf::adjust_head(context, sizeof(Ipv4Header)) != 0) return false;
  auto* frame = reinterpret_cast<u8*>(static_cast<u64>(context->data));
  const u8* end = reinterpret_cast<u8*>(static_cast<u64>(context->data_end));
  if (frame + sizeof(EthernetHeader) > end) return false;
  *reinterpret_cast<EthernetHeader*>(frame) = ethernet;
  return true;
}

}  // namespace

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("xdp.frags") int astil_agent(xdp_md* context) {
  auto* frame = reinterpret_cast<u8*>(static_cast<u64>(context->data));
  const u8* end = reinterpret_cast<u8*>(static_cast<u64>(context->data_end));
  if (frame + kInner + sizeof(Ipv4Header) > end) return XDP_PASS;
  const EthernetHeader ethernet = *reinterpret_cast<EthernetHeader*>(frame);
  const auto& outer = *reinterpret_cast<Ipv4Header*>(frame + sizeof(EthernetHeader));
  auto& inner = *reinterpret_cast<Ipv4Header*>(frame + kInner);
  if (!is_tunnelled(ethernet, outer, inner) || !contains(&service_addresses, inner.destination)) return XDP_PASS;
  if (!contains(&tunnel_ends, outer.destination)) return finish(Outcome::not_local, XDP_PASS);
  if (!keep_congestion_mark(outer, inner)) return finish(Outcome::not_ecn_capable, XDP_DROP);
  if (!remove_outer(context, ethernet)) return finish(Outcome::stuck, XDP_DROP);
  return finish(Outcome::unwrapped, XDP_PASS);
}
}
