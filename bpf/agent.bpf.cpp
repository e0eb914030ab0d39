// The agent's program on a backend: takes the outer header off IP-in-IP packets (RFC 2003) whose inner destination is a
// service address of this host, and hands the inner packet to the kernel. Anything else passes untouched.
#include "bpf/helpers.hpp"
#include "dataplane/core/headers.hpp"

using namespace astil::core;

struct service_addresses_map {
  MAP_UINT(type, BPF_MAP_TYPE_HASH);
  MAP_UINT(max_entries, 4096);
  MAP_TYPE(key, unsigned);              // IPv4, network byte order
  MAP_TYPE(value, unsigned long long);  // packets taken out of their tunnel
};
SEC(".maps") service_addresses_map service_addresses;

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("xdp.frags") int astil_agent(xdp_md* context) {
  auto* frame = reinterpret_cast<u8*>(static_cast<u64>(context->data));
  const u8* end = reinterpret_cast<u8*>(static_cast<u64>(context->data_end));
  constexpr u32 kInner = sizeof(EthernetHeader) + sizeof(Ipv4Header);
  if (frame + kInner + sizeof(Ipv4Header) > end) return XDP_PASS;
  const EthernetHeader ethernet = *reinterpret_cast<EthernetHeader*>(frame);
  const auto* outer = reinterpret_cast<Ipv4Header*>(frame + sizeof(EthernetHeader));
  if (ethernet.type != kEtherTypeIpv4 || outer->version_length != 0x45 || outer->protocol != kProtocolIpip)
    return XDP_PASS;
  if ((raw(outer->fragment) & (raw(kFragmentOffset) | raw(kMoreFragments))) != 0) return XDP_PASS;
  const auto* inner = reinterpret_cast<Ipv4Header*>(frame + kInner);
  unsigned address = raw(inner->destination);
  auto* packets = static_cast<unsigned long long*>(astil::bpf::map_lookup(&service_addresses, &address));
  if (packets == nullptr) return XDP_PASS;
  if (astil::bpf::adjust_head(context, sizeof(Ipv4Header)) != 0) return XDP_DROP;
  frame = reinterpret_cast<u8*>(static_cast<u64>(context->data));
  end = reinterpret_cast<u8*>(static_cast<u64>(context->data_end));
  if (frame + sizeof(EthernetHeader) > end) return XDP_DROP;
  *reinterpret_cast<EthernetHeader*>(frame) = ethernet;
  __sync_fetch_and_add(packets, 1);
  return XDP_PASS;
}
}
