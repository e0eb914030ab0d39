// The packet path under a stopwatch: each run first puts the packet back as it was (the kernel's test run does not),
// with the next flow's source, then takes it through the path. The programs without the path measure what that costs.
#include "bpf/xdp_hook.hpp"
// In this order: the engine is over the hook.
#include "bpf/kernel_engine.hpp"
#include "tests/bench/packet_path_control.hpp"

using namespace astil::core;

ASTIL_ARRAY(bench_control, astil::bench::Control);

namespace {

using astil::bench::Control;

[[gnu::always_inline]] inline Control* control() {
  unsigned first = 0;
  return static_cast<Control*>(astil::bpf::map_lookup(&bench_control, &first));
}

/// The frame that the path has made longer gets its old length.
[[gnu::always_inline]] inline bool shrink(xdp_md* context) {
  const long length = static_cast<long>(static_cast<u64>(context->data_end) - static_cast<u64>(context->data));
  if (length <= static_cast<long>(astil::bench::kFrameBytes)) return true;
  return astil::bpf::adjust_head(context, static_cast<int>(length - static_cast<long>(astil::bench::kFrameBytes))) == 0;
}

/// Writes what the path changes, and the next flow's source.
[[gnu::always_inline]] inline bool restore(xdp_md* context, Control& bench) {
  auto* frame = reinterpret_cast<u8*>(static_cast<u64>(context->data));
  if (frame + astil::bench::kFrameBytes > reinterpret_cast<u8*>(static_cast<u64>(context->data_end))) return false;
  bench.cursor = (bench.cursor * 1664525U + 1013904223U) & bench.flow_mask;  // Knuth's: every flow once in a round
  const u32 flow = bench.first_flow + bench.cursor;
  auto* words = reinterpret_cast<u64*>(frame);
  words[0] = bench.header[0];
  words[1] = bench.header[1];
  words[2] = bench.header[2];
  auto* ip = reinterpret_cast<Ipv4Header*>(frame + kNetworkOffset);
  ip->checksum = bench.ip_checksum;
  ip->source = be32(0x0a000000U + (flow >> 4U));
  ip->destination = bench.destination;
  auto* tcp = reinterpret_cast<TcpHeader*>(frame + kNetworkOffset + sizeof(Ipv4Header));
  tcp->source = be16(static_cast<u16>(1024U + (flow & 15U)));
  tcp->destination = be16(80);
  tcp->flags = static_cast<u8>(bench.tcp_flags);
  return true;
}

}  // namespace

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("xdp") int bench_drop([[maybe_unused]] xdp_md* context) { return XDP_DROP; }

SEC("xdp") int bench_mac_swap(xdp_md* context) {
  auto* ethernet = reinterpret_cast<EthernetHeader*>(static_cast<u64>(context->data));
  if (reinterpret_cast<u8*>(ethernet + 1) > reinterpret_cast<u8*>(static_cast<u64>(context->data_end))) return XDP_DROP;
  for (u32 i = 0; i < 3; ++i) {
    const u16 kept = ethernet->destination[i];
    ethernet->destination[i] = ethernet->source[i];
    ethernet->source[i] = kept;
  }
  return XDP_TX;
}

/// What memory alone costs: reads a line of the flow table, and which one is next depends on what it read.
SEC("xdp") int bench_memory([[maybe_unused]] xdp_md* context) {
  Control* bench = control();
  if (bench == nullptr) return XDP_ABORTED;
  u32 line = static_cast<u32>(mixed(bench->cursor)) & (settings.header.sizes.flow_lines - 1);
  const auto* flow = static_cast<const FlowLine*>(astil::bpf::map_lookup(&flows, &line));
  if (flow == nullptr) return XDP_ABORTED;
  bench->cursor += 1 + (static_cast<u32>(shared_load(flow->entries[0])) & 1U);
  return XDP_DROP;
}

SEC("xdp") int bench_restore(xdp_md* context) {
  Control* bench = control();
  if (bench == nullptr || !shrink(context) || !restore(context, *bench)) return XDP_ABORTED;
  return XDP_DROP;
}

/// The same where the packet has grown first, as under tunnel: its shrinking belongs to the restoring, its growing does
/// not.
SEC("xdp") int bench_restore_grown(xdp_md* context) {
  Control* bench = control();
  if (bench == nullptr || astil::bpf::adjust_head(context, -static_cast<int>(sizeof(Ipv4Header))) != 0)
    return XDP_ABORTED;
  if (!shrink(context) || !restore(context, *bench)) return XDP_ABORTED;
  return XDP_DROP;
}

SEC("xdp") int bench_path(xdp_md* context) {
  Control* bench = control();
  if (bench == nullptr || !shrink(context) || !restore(context, *bench)) return XDP_ABORTED;
  astil::bpf::KernelEngine engine(context);
  return astil::bpf::act(astil::bpf::run(engine), context);
}
}
