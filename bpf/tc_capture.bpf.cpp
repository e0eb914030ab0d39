// The program of the tc hook while a capture runs: the packet path of tc.bpf.cpp, watched.
#include "bpf/tc_hook.hpp"
// In this order: the engine is over the hook, and says what it sees to the notes.
#include "bpf/notes.hpp"
// And what is captured is around the engine.
#include "bpf/capture.hpp"

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("tc") int astil_tc(__sk_buff* context) {
  using namespace astil::bpf;
  (void)astil_capture_arrival(context);
  KernelEngine engine(context);
  const Verdict verdict = run_untagged(engine, context);
  (void)astil_capture_exit(context, static_cast<u32>(verdict.reason), verdict.interface);
  return act(verdict);
}
}
