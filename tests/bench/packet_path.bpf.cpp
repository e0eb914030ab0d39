// The packet path under a stopwatch: each run first puts the packet back as it was (the kernel's test run does not),
// with the next flow's client, then takes it through the path. The programs without the path measure what that costs.
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
template <class Frame>
[[gnu::always_inline]] inline bool shrink(xdp_md* context) {
  const long length = static_cast<long>(static_cast<u64>(context->data_end) - static_cast<u64>(context->data));
  if (length <= static_cast<long>(Frame::kBytes)) return true;
  return astil::bpf::adjust_head(context, static_cast<int>(length - static_cast<long>(Frame::kBytes))) == 0;
}

using astil::bench::Client;

/// Writes a word of the frame, with what of the client is in it.
template <class Frame, class Word, u32 kAt>
[[gnu::always_inline]] inline void put(u8* frame, const Control& bench, const Client& client) {
  constexpr auto is_in = [](u32 at) { return at >= kAt && at < kAt + sizeof(Word); };
  u64 word = *reinterpret_cast<const Word*>(reinterpret_cast<const u8*>(bench.frame) + kAt);
  if constexpr (is_in(Frame::kAddress)) word |= u64{client.address} << (8 * (Frame::kAddress - kAt));
  if constexpr (is_in(Frame::kPort)) word |= u64{client.port} << (8 * (Frame::kPort - kAt));
  *reinterpret_cast<Word*>(frame + kAt) = static_cast<Word>(word);
}

/// Works out the next flow's client, so that the path need not wait for that when it comes.
[[gnu::always_inline]] inline void advance(Control& bench) {
  bench.cursor = (bench.cursor * 1664525U + 1013904223U) & bench.flow_mask;  // Knuth's: every flow once in a round
  bench.next = astil::bench::client_of(bench.first_flow + bench.cursor);
}

/// Writes the frame as it comes from, or goes to, the next flow's client: in pieces of which each field that the path
/// reads is in one. A processor that reads across what was written in two pieces a moment ago waits, and no packet from
/// outside makes it.
template <class Frame>
[[gnu::always_inline]] inline bool write(xdp_md* context, Control& bench) {
  auto* frame = reinterpret_cast<u8*>(static_cast<u64>(context->data));
  if (frame + Frame::kBytes > reinterpret_cast<u8*>(static_cast<u64>(context->data_end))) return false;
  const Client client = bench.next;
  put<Frame, u64, 0>(frame, bench, client);
  put<Frame, u16, 8>(frame, bench, client);
  put<Frame, u64, 10>(frame, bench, client);
  if constexpr (Frame::kIsWide) {
    put<Frame, u32, 18>(frame, bench, client);
    put<Frame, u64, 22>(frame, bench, client);
    put<Frame, u64, 30>(frame, bench, client);
    put<Frame, u64, 38>(frame, bench, client);
    put<Frame, u64, 46>(frame, bench, client);
    put<Frame, u32, 54>(frame, bench, client);
    put<Frame, u64, 58>(frame, bench, client);
    put<Frame, u64, 66>(frame, bench, client);
  } else {
    put<Frame, u64, 18>(frame, bench, client);
    put<Frame, u32, 26>(frame, bench, client);
    put<Frame, u64, 30>(frame, bench, client);
    put<Frame, u64, 38>(frame, bench, client);
    put<Frame, u64, 46>(frame, bench, client);
  }
  advance(bench);
  return true;
}

template <class Frame>
[[gnu::always_inline]] inline bool restore(xdp_md* context) {
  Control* bench = control();
  return bench != nullptr && shrink<Frame>(context) && write<Frame>(context, *bench);
}

/// The headers, the flow's line, its backend, the outer header, a count: nothing is looked at that need not be for
/// these.
[[gnu::always_inline]] inline Verdict least(astil::bpf::KernelEngine& engine) {
  Packet<Ipv4> packet{};
  if (!take_plain(engine, packet)) return {.reason = Reason::not_ip};
  const Settings* known = engine.settings();
  const FlowHash hash = flow_hash(flow_of_client(packet), known->hash_key, known->header.sizes.flow_lines - 1);
  FlowLines lines = flow_lines(engine, hash, false);
  const FlowPlace place = find_flow(engine, hash, lines);
  if (place.line == nullptr) return {.reason = Reason::internal};
  const Backend* backend = engine.backend(backend_of(place.value));
  if (backend == nullptr) return {.reason = Reason::internal};
  const Rewritten rewritten = rewrite_tunnel<Way::ipip4>(engine, packet, *backend, hash.tag);
  if (rewritten.ethernet == nullptr) return {.reason = Reason::internal};
  detail::count_packet(engine, backend_of(place.value), packet.length);
  return detail::emit_plain(rewritten, {backend->interface, backend->destination_mac, backend->source_mac},
                            Reason::forwarded);
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

/// The least that a packet of a known flow can cost with these tables.
SEC("xdp") int bench_least_from_client4(xdp_md* context) {
  if (!restore<astil::bench::FromClient4>(context)) return XDP_ABORTED;
  astil::bpf::KernelEngine engine(context);
  return astil::bpf::act(least(engine), context);
}

// Of each kind of frame: the path; restoring alone; and restoring where the packet has grown first, as under tunnel:
// its shrinking belongs to the restoring, its growing does not.
#define BENCH_FRAME(kind, Frame)                                                                          \
  SEC("xdp") int bench_path_##kind(xdp_md* context) {                                                     \
    if (!restore<astil::bench::Frame>(context)) return XDP_ABORTED;                                       \
    astil::bpf::KernelEngine engine(context);                                                             \
    return astil::bpf::act(astil::bpf::run(engine), context);                                             \
  }                                                                                                       \
  SEC("xdp") int bench_restore_##kind(xdp_md* context) {                                                  \
    return restore<astil::bench::Frame>(context) ? XDP_DROP : XDP_ABORTED;                                \
  }                                                                                                       \
  SEC("xdp") int bench_grown_##kind(xdp_md* context) {                                                    \
    if (astil::bpf::adjust_head(context, -static_cast<int>(sizeof(Ipv4Header))) != 0) return XDP_ABORTED; \
    return restore<astil::bench::Frame>(context) ? XDP_DROP : XDP_ABORTED;                                \
  }
BENCH_FRAME(from_client4, FromClient4)
BENCH_FRAME(from_backend4, FromBackend4)
BENCH_FRAME(from_client6, FromClient6)
#undef BENCH_FRAME

// For frames that go over a link: the bench's frame is sent out of the interface that the control names; the path takes
// it on the other side; what comes back is counted.
SEC("xdp") int bench_send(xdp_md* context) {
  Control* bench = control();
  if (bench == nullptr || !restore<astil::bench::FromClient4>(context)) return XDP_ABORTED;
  return static_cast<int>(astil::bpf::redirect(bench->interface, 0));
}

SEC("xdp") int bench_path(xdp_md* context) {
  astil::bpf::KernelEngine engine(context);
  return astil::bpf::act(astil::bpf::run(engine), context);
}

SEC("xdp") int bench_receive([[maybe_unused]] xdp_md* context) {
  Control* bench = control();
  if (bench != nullptr) __sync_fetch_and_add(&bench->received, 1);
  return XDP_DROP;
}
}
