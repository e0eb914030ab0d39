// The XDP program while a capture runs: the packet path of xdp.bpf.cpp, watched.
#include "bpf/xdp_hook.hpp"
// In this order: the engine is over the hook, and says what it sees to the notes.
#include "bpf/notes.hpp"
// And what is captured is around the engine.
#include "bpf/capture.hpp"

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("xdp.frags") int astil_xdp(xdp_md* context) {
  using namespace astil::bpf;
  (void)astil_capture_arrival(context);
  KernelEngine engine(context);
  const Verdict verdict = run(engine);
  (void)astil_capture_exit(context, static_cast<u32>(verdict.reason), verdict.interface);
  return act(verdict, context);
}
}
