// The tc hook's program for test runs, which know frames alone: tags that stand in a frame are put beside it first, as
// the kernel does with what it receives, and into it at the end; the mark tells by which interface the packet leaves.
// With ASTIL_TEST_CAPTURE it is the one of the build that captures.
#include "bpf/tc_hook.hpp"
// In this order: the engine is over the hook.
#ifdef ASTIL_TEST_CAPTURE
#include "bpf/notes.hpp"
// What is captured is around the engine.
#include "bpf/capture.hpp"
#else
#include "bpf/kernel_engine.hpp"
#endif

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("tc") int astil_tc_frames(__sk_buff* context) {
  using namespace astil::bpf;
  constexpr unsigned short kAnyTag = raw(kEtherTypeVlan);
  // Taking one off brings the next out of the frame, and putting one on pushes the last one in.
  push_vlan(context, kAnyTag, 0);
  pop_vlan(context);
#ifdef ASTIL_TEST_CAPTURE
  (void)astil_capture_arrival(context);
#endif
  KernelEngine engine(context);
  const Verdict verdict = run_untagged(engine, context);
#ifdef ASTIL_TEST_CAPTURE
  (void)astil_capture_exit(context, static_cast<u32>(verdict.reason), verdict.interface);
#endif
  if (context->vlan_present != 0) push_vlan(context, kAnyTag, 0);
  context->mark = verdict.interface;
  return act(verdict);
}
}
