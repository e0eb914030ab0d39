// The XDP program: one packet through the packet path.
#include "bpf/xdp_hook.hpp"
// In this order: the engine is over the hook.
#include "bpf/kernel_engine.hpp"

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("xdp.frags") int astil_xdp(xdp_md* context) {
  astil::bpf::KernelEngine engine(context);
  return astil::bpf::act(astil::bpf::run(engine), context);
}

/// For frames that the control plane gives back to an interface whose packet path is at the tc hook. (The kernel takes
/// no function whose parameter has no name.)
SEC("xdp") int astil_let_pass([[maybe_unused]] xdp_md* context) { return XDP_PASS; }
}
