#include "dataplane/dpdk/fence.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>

#include "dataplane/base/descriptor.hpp"

namespace astil::dpdk {
namespace {

/// Nobody else's, one hopes: it stands on a packet only between the tap and the fence.
constexpr std::int32_t kMark = 0x617374;
/// Before the filters of others, and behind those of the tc hook (dataplane/xdp/tc_filter.cpp), which leave to it what
/// they pass while one engine takes over from the other.
constexpr std::uint32_t kPriority = 2;
constexpr std::uint32_t kHandle = 0x6173;

// The instructions of include/uapi/linux/bpf.h that are needed.
using Register = std::uint8_t;
constexpr bpf_insn instruction(std::uint8_t code, Register to, Register from, std::size_t offset, std::int32_t value) {
  bpf_insn made{};
  made.code = code;
  made.dst_reg = to & 0xfU;
  made.src_reg = from & 0xfU;
  made.off = static_cast<std::int16_t>(offset);
  made.imm = value;
  return made;
}
constexpr bpf_insn load_word(Register to, Register from, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, to, from, offset, 0);
}
constexpr bpf_insn store_word(Register to, std::size_t offset, Register from) {
  return instruction(BPF_STX | BPF_MEM | BPF_W, to, from, offset, 0);
}
constexpr bpf_insn set(Register to, std::int32_t value) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}
constexpr bpf_insn skip_if_equal(Register what, std::int32_t value, std::size_t instructions) {
  return instruction(BPF_JMP | BPF_JEQ | BPF_K, what, 0, instructions, value);
}
constexpr bpf_insn call(std::int32_t function) { return instruction(BPF_JMP | BPF_CALL, 0, 0, 0, function); }
constexpr bpf_insn leave() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

Error failure(const std::string& action, std::uint32_t ifindex, int errno_value) {
  Error error = system_error(action + " interface " + std::to_string(ifindex), errno_value);
  if (errno_value == EPERM) error.remedy = "run as root, or with CAP_BPF and CAP_NET_ADMIN";
  if (errno_value == EOPNOTSUPP || errno_value == ENOENT)
    error.remedy = "Astil needs a kernel with CONFIG_NET_CLS_ACT, CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF";
  return error;
}

/// What fails is returned, and some of it is no failure here.
void hush_library() { (void)::libbpf_set_print(nullptr); }

Result<void> attach(std::uint32_t ifindex, const char* name, std::span<const bpf_insn> program) {
  hush_library();
  const base::Descriptor loaded(
      ::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name, "GPL", program.data(), program.size(), nullptr));
  if (!loaded.valid()) return failure("load the filter of", ifindex, errno);
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex), .attach_point = BPF_TC_INGRESS);
  if (const int made = bpf_tc_hook_create(&hook); made != 0 && made != -EEXIST)
    return failure("make the clsact qdisc of", ifindex, -made);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = loaded.get(), .flags = BPF_TC_F_REPLACE, .handle = kHandle,
              .priority = kPriority);
  if (const int failed = bpf_tc_attach(&hook, &options); failed != 0)
    return failure("attach a filter to", ifindex, -failed);
  return {};
}

}  // namespace

Result<void> raise_fence(std::uint32_t ifindex) {
  const std::array program{
      load_word(BPF_REG_2, BPF_REG_1, offsetof(__sk_buff, mark)),
      skip_if_equal(BPF_REG_2, kMark, 2),
      set(BPF_REG_0, TC_ACT_SHOT),
      leave(),
      set(BPF_REG_2, 0),
      store_word(BPF_REG_1, offsetof(__sk_buff, mark), BPF_REG_2),
      set(BPF_REG_0, TC_ACT_UNSPEC),  // others' filters come next
      leave(),
  };
  return attach(ifindex, "astil_fence", program);
}

Result<void> hand_over(std::uint32_t tap, std::uint32_t ifindex) {
  const std::array program{
      set(BPF_REG_2, kMark),
      store_word(BPF_REG_1, offsetof(__sk_buff, mark), BPF_REG_2),
      set(BPF_REG_1, static_cast<std::int32_t>(ifindex)),
      set(BPF_REG_2, BPF_F_INGRESS),
      call(BPF_FUNC_redirect),
      leave(),
  };
  return attach(tap, "astil_hand_over", program);
}

bool has_fence(std::uint32_t ifindex) {
  hush_library();
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex), .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = kHandle, .priority = kPriority);
  return bpf_tc_query(&hook, &options) == 0;
}

Result<void> remove_fence(std::uint32_t ifindex) {
  hush_library();
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex), .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = kHandle, .priority = kPriority);
  const int failed = bpf_tc_detach(&hook, &options);
  if (failed != 0 && failed != -ENOENT && failed != -EINVAL && failed != -ENODEV)
    return failure("remove the filter of", ifindex, -failed);
  return {};
}

void give_back(std::uint32_t ifindex) {
  (void)remove_socket_program(ifindex);
  (void)remove_fence(ifindex);
}

Result<void> remove_socket_program(std::uint32_t ifindex) {
  std::uint32_t id = 0;
  if (::bpf_xdp_query_id(static_cast<int>(ifindex), 0, &id) != 0 || id == 0) return {};
  const base::Descriptor program(::bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (!program.valid() || ::bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) return {};
  // What libxdp and libbpf name theirs.
  const std::string name(info.name);
  if (name != "xsk_def_prog" && name != "xdp_sock_prog") return {};
  if (const int failed = ::bpf_xdp_detach(static_cast<int>(ifindex), 0, nullptr); failed != 0)
    return failure("take the program of AF_XDP sockets off", ifindex, -failed);
  return {};
}

}  // namespace astil::dpdk
