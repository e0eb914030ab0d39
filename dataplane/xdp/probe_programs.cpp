#include "dataplane/xdp/probe_programs.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sys/mman.h>

#include <cerrno>

#include "dataplane/xdp/rtnetlink.hpp"
#include "dataplane/xdp/tc_filter.hpp"

namespace astil::xdp {
namespace {

constexpr std::size_t kBytes = sizeof(core::ProbeWay) * core::kProbePorts;
/// Behind the packet path's own filter.
constexpr std::uint32_t kPriority = 2;

Error probe_error(const std::string& action, int errno_value) {
  Error error = system_error(action, errno_value);
  if (errno_value == EPERM) error.remedy = "run as root, or with CAP_BPF and CAP_NET_ADMIN";
  return error;
}

bpf_tc_hook ingress_of(std::uint32_t ifindex) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = BPF_TC_INGRESS;
  return hook;
}

/// No error where there is none. The qdisc goes where nobody else uses it.
void detach(std::uint32_t ifindex, std::uint32_t handle) {
  bpf_tc_hook hook = ingress_of(ifindex);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = kPriority);
  if (bpf_tc_detach(&hook, &options) != 0) return;
  const auto others = has_tc_filters(ifindex);
  if (others.has_error() || *others) return;
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  bpf_tc_hook_destroy(&hook);
}

bool is_attached(std::uint32_t ifindex, std::uint32_t handle) {
  const bpf_tc_hook hook = ingress_of(ifindex);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = kPriority);
  return bpf_tc_query(&hook, &options) == 0;
}

}  // namespace

void ProbePrograms::Close::operator()(bpf_object* object) const { bpf_object__close(object); }
void ProbePrograms::Unmap::operator()(core::ProbeWay* ways) const { ::munmap(ways, kBytes); }

ProbePrograms::ProbePrograms(std::unique_ptr<bpf_object, Close> object, std::unique_ptr<core::ProbeWay, Unmap> ways,
                             const std::string& instance)
    : object_(std::move(object)), ways_(std::move(ways)), handle_(filter_handle(instance)) {}

ProbePrograms::~ProbePrograms() {
  for (const std::uint32_t ifindex : attached_) detach(ifindex, handle_);
}

Result<ProbePrograms> ProbePrograms::load(std::span<const std::byte> bytes, const std::string& instance) {
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "astil_probe");
  std::unique_ptr<bpf_object, Close> object(bpf_object__open_mem(bytes.data(), bytes.size(), &options));
  if (!object) return probe_error("open the probes' programs", errno);
  if (const int failed = bpf_object__load(object.get()); failed != 0)
    return probe_error("load the probes' programs", -failed);
  const int map = bpf_object__find_map_fd_by_name(object.get(), "probe_ways");
  void* const memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (memory == MAP_FAILED) return probe_error("map the probes' ways", errno);
  return ProbePrograms(std::move(object), std::unique_ptr<core::ProbeWay, Unmap>(static_cast<core::ProbeWay*>(memory)),
                       instance);
}

Result<void> ProbePrograms::attach(std::uint32_t ifindex, const char* program) const {
  bpf_tc_hook hook = ingress_of(ifindex);
  const int made = bpf_tc_hook_create(&hook);
  if (made != 0 && made != -EEXIST)
    return probe_error("make the clsact qdisc of interface " + std::to_string(ifindex), -made);
  const int descriptor = bpf_program__fd(bpf_object__find_program_by_name(object_.get(), program));
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = descriptor, .flags = BPF_TC_F_REPLACE, .handle = handle_,
              .priority = kPriority);
  if (const int failed = bpf_tc_attach(&hook, &options); failed != 0)
    return probe_error("attach the probes' program to interface " + std::to_string(ifindex), -failed);
  return {};
}

Result<void> ProbePrograms::attach_out(std::uint32_t ifindex) const { return attach(ifindex, "astil_probe_out"); }

Result<void> ProbePrograms::follow(const std::set<std::uint32_t>& interfaces) {
  std::erase_if(attached_, [&](std::uint32_t ifindex) {
    if (interfaces.contains(ifindex)) return false;
    detach(ifindex, handle_);
    return true;
  });
  Result<void> first;
  for (const std::uint32_t ifindex : interfaces) {
    const bool known = attached_.contains(ifindex);
    if (known && is_attached(ifindex, handle_)) continue;
    auto done = attach(ifindex, "astil_probe_in");
    if (known && done.has_value()) ++mended_;
    if (done.has_value()) attached_.insert(ifindex);
    if (done.has_error() && first.has_value()) first = std::move(done);
  }
  return first;
}

void remove_probe_filters(const std::string& instance) {
  struct if_nameindex* const all = ::if_nameindex();
  if (all == nullptr) return;
  for (const struct if_nameindex* each = all; each->if_index != 0; ++each)
    detach(each->if_index, filter_handle(instance));
  ::if_freenameindex(all);
}

}  // namespace astil::xdp
