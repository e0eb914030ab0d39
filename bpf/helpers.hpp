// The kernel's helper functions that the programs call, declared for C++ (libbpf's bpf_helper_defs.h is C only).
// Numbers are those of enum bpf_func_id in linux/bpf.h.
#pragma once

#include <linux/bpf.h>

#include "dataplane/core/bytes.hpp"

#define SEC(name) __attribute__((section(name), used))
#define MAP_UINT(name, value) int(*name)[value]
#define MAP_TYPE(name, type) type* name

namespace astil::bpf {

// NOLINTBEGIN(performance-no-int-to-ptr): this is how a helper is called
template <class Function>
[[gnu::always_inline]] inline Function* helper(bpf_func_id id) {
  return reinterpret_cast<Function*>(static_cast<unsigned long>(id));
}
// NOLINTEND(performance-no-int-to-ptr)

/// A context's fields for the packet's begin and end are numbers of 32 bits, in place of which the kernel loads
/// pointers: the compiler must not make use of the 32 bits.
[[gnu::always_inline]] inline core::u8* pointer_of(core::u64 field) {
  core::u8* pointer = core::as_one_pointer(reinterpret_cast<core::u8*>(field));
  if (pointer == nullptr) __builtin_unreachable();  // so that nobody asks for it
  return pointer;
}

[[gnu::always_inline]] inline void* map_lookup(void* map, const void* key) {
  return helper<void*(void*, const void*)>(BPF_FUNC_map_lookup_elem)(map, key);
}
[[gnu::always_inline]] inline unsigned current_cpu() { return helper<unsigned()>(BPF_FUNC_get_smp_processor_id)(); }
[[gnu::always_inline]] inline unsigned long long jiffies() {
  return helper<unsigned long long()>(BPF_FUNC_jiffies64)();
}
[[gnu::always_inline]] inline unsigned long long monotonic_ns() {
  return helper<unsigned long long()>(BPF_FUNC_ktime_get_ns)();
}
[[gnu::always_inline]] inline long adjust_head(xdp_md* context, int delta) {
  return helper<long(xdp_md*, int)>(BPF_FUNC_xdp_adjust_head)(context, delta);
}
[[gnu::always_inline]] inline long adjust_tail(xdp_md* context, int delta) {
  return helper<long(xdp_md*, int)>(BPF_FUNC_xdp_adjust_tail)(context, delta);
}
[[gnu::always_inline]] inline unsigned long long buffer_length(xdp_md* context) {
  return helper<unsigned long long(xdp_md*)>(BPF_FUNC_xdp_get_buff_len)(context);
}
[[gnu::always_inline]] inline long load_bytes(xdp_md* context, unsigned offset, void* to, unsigned length) {
  return helper<long(xdp_md*, unsigned, void*, unsigned)>(BPF_FUNC_xdp_load_bytes)(context, offset, to, length);
}
[[gnu::always_inline]] inline long load_bytes(__sk_buff* context, unsigned offset, void* to, unsigned length) {
  return helper<long(__sk_buff*, unsigned, void*, unsigned)>(BPF_FUNC_skb_load_bytes)(context, offset, to, length);
}
[[gnu::always_inline]] inline long pull_data(__sk_buff* context, unsigned length) {
  return helper<long(__sk_buff*, unsigned)>(BPF_FUNC_skb_pull_data)(context, length);
}
[[gnu::always_inline]] inline long change_tail(__sk_buff* context, unsigned length) {
  return helper<long(__sk_buff*, unsigned, unsigned long long)>(BPF_FUNC_skb_change_tail)(context, length, 0);
}
[[gnu::always_inline]] inline long adjust_room(__sk_buff* context, int delta, unsigned mode, unsigned long long flags) {
  return helper<long(__sk_buff*, int, unsigned, unsigned long long)>(BPF_FUNC_skb_adjust_room)(context, delta, mode,
                                                                                               flags);
}
[[gnu::always_inline]] inline long replace_checksum(__sk_buff* context, unsigned offset, unsigned long long from,
                                                    unsigned long long to, unsigned long long flags) {
  return helper<long(__sk_buff*, unsigned, unsigned long long, unsigned long long, unsigned long long)>(
      BPF_FUNC_l4_csum_replace)(context, offset, from, to, flags);
}
[[gnu::always_inline]] inline long push_vlan(__sk_buff* context, unsigned short type, unsigned short control) {
  return helper<long(__sk_buff*, unsigned short, unsigned short)>(BPF_FUNC_skb_vlan_push)(context, type, control);
}
[[gnu::always_inline]] inline long pop_vlan(__sk_buff* context) {
  return helper<long(__sk_buff*)>(BPF_FUNC_skb_vlan_pop)(context);
}
[[gnu::always_inline]] inline long redirect(unsigned interface, unsigned long long flags) {
  return helper<long(unsigned, unsigned long long)>(BPF_FUNC_redirect)(interface, flags);
}
[[gnu::always_inline]] inline long fib_lookup(void* context, ::bpf_fib_lookup* parameters, int size, unsigned flags) {
  return helper<long(void*, ::bpf_fib_lookup*, int, unsigned)>(BPF_FUNC_fib_lookup)(context, parameters, size, flags);
}
[[gnu::always_inline]] inline long ringbuf_output(void* ring, void* data, unsigned long long size,
                                                  unsigned long long flags) {
  return helper<long(void*, void*, unsigned long long, unsigned long long)>(BPF_FUNC_ringbuf_output)(ring, data, size,
                                                                                                     flags);
}

[[gnu::always_inline]] inline void* ringbuf_reserve(void* ring, unsigned long long size, unsigned long long flags) {
  return helper<void*(void*, unsigned long long, unsigned long long)>(BPF_FUNC_ringbuf_reserve)(ring, size, flags);
}
[[gnu::always_inline]] inline void ringbuf_submit(void* record, unsigned long long flags) {
  helper<void(void*, unsigned long long)>(BPF_FUNC_ringbuf_submit)(record, flags);
}
[[gnu::always_inline]] inline void ringbuf_discard(void* record, unsigned long long flags) {
  helper<void(void*, unsigned long long)>(BPF_FUNC_ringbuf_discard)(record, flags);
}

}  // namespace astil::bpf
