// The XDP program: one packet through the packet path.
#include "bpf/kernel_engine.hpp"

extern "C" {

SEC("license") const char program_license[] = "GPL";

SEC("xdp.frags") int astil_xdp(xdp_md* context) {
  using namespace astil::core;
  unsigned first = 0;
  const auto* tables = static_cast<const Settings*>(astil::bpf::map_lookup(&settings, &first));
  if (tables == nullptr) return XDP_PASS;
  astil::bpf::KernelEngine engine(context, tables);
  return astil::bpf::take(engine, context);
}
}
