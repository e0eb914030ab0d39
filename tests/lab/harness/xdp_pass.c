// The program that a veth peer needs so that frames sent to it by XDP_TX and redirect arrive: it lets everything pass.
#define SECTION(name) __attribute__((section(name), used))

SECTION("xdp.frags") int pass(void* context) {
  (void)context;
  return 2;  // XDP_PASS
}

SECTION("license") char license_[] = "GPL";
