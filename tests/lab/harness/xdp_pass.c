// The program that a veth peer needs so that frames sent to it by XDP_TX and redirect arrive: it lets everything pass.
// And another one, which loses some.
#define SECTION(name) __attribute__((section(name), used))

SECTION("xdp.frags") int pass(void* context) {
  (void)context;
  return 2;  // XDP_PASS
}

// What a bad line does: one packet in twenty is lost.
static unsigned int (*const random_number)(void) = (void*)7;  // bpf_get_prandom_u32

SECTION("xdp.lossy") int lose(void* context) {
  (void)context;
  return random_number() % 20 == 0 ? 1 : 2;  // XDP_DROP, XDP_PASS
}

SECTION("license") char license_[] = "GPL";
