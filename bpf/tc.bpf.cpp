// The program of the tc hook: one packet through the packet path.
#include "bpf/tc_hook.hpp"
// In this order: the engine is over the hook.
#include "bpf/kernel_engine.hpp"

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("tc") int astil_tc(__sk_buff* context) {
  astil::bpf::KernelEngine engine(context);
  return astil::bpf::act(astil::bpf::run_untagged(engine, context));
}
}
