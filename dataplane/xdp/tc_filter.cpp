#include "dataplane/xdp/tc_filter.hpp"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "dataplane/xdp/rtnetlink.hpp"

namespace astil::xdp {
namespace {

constexpr std::string_view kMark = "tc-";
/// In the mark of an interface whose qdisc we made.
constexpr std::string_view kMadeQdisc = "made-qdisc";
/// Before the filters of others that name no priority: those begin at 49152.
constexpr std::uint32_t kPriority = 1;

std::filesystem::path mark_of(const std::filesystem::path& instance_folder, std::uint32_t ifindex) {
  return instance_folder / (std::string(kMark) + std::to_string(ifindex));
}

Error filter_error(const std::string& action, std::uint32_t ifindex, int errno_value) {
  Error error = system_error(action + " interface " + std::to_string(ifindex), errno_value);
  if (errno_value == EPERM) error.remedy = "run as root, or with CAP_BPF and CAP_NET_ADMIN";
  if (errno_value == EOPNOTSUPP || errno_value == ENOENT)
    error.remedy = "Astil needs a kernel with CONFIG_NET_CLS_ACT, CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF";
  return error;
}

}  // namespace

/// FNV-1a, folded to the 16 bits that people write handles in; not 0.
std::uint32_t filter_handle(const std::string& instance) {
  std::uint32_t hash = 2166136261U;
  for (const char letter : instance) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
  const std::uint32_t folded = (hash ^ (hash >> 16U)) & 0xffffU;
  return folded == 0 ? 1 : folded;
}

TcFilter::TcFilter(const std::string& instance, std::uint32_t ifindex)
    : ifindex_(ifindex), handle_(filter_handle(instance)) {}

Result<void> TcFilter::attach(int program, const std::filesystem::path& instance_folder) const {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex_), .attach_point = BPF_TC_INGRESS);
  const int made = bpf_tc_hook_create(&hook);
  if (made != 0 && made != -EEXIST) return filter_error("make the clsact qdisc of", ifindex_, -made);
  const std::filesystem::path mark = mark_of(instance_folder, ifindex_);
  std::error_code error;
  std::filesystem::create_directories(made == 0 ? mark / std::string(kMadeQdisc) : mark, error);
  if (error) return Error{"make " + mark.string() + ": " + error.message(), {}};
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE, .handle = handle_,
              .priority = kPriority);
  if (const int failed = bpf_tc_attach(&hook, &options); failed != 0)
    return filter_error("attach to the tc hook of", ifindex_, -failed);
  return {};
}

std::uint32_t TcFilter::program_id() const {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex_), .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle_, .priority = kPriority);
  return bpf_tc_query(&hook, &options) == 0 ? options.prog_id : 0;
}

Result<void> TcFilter::remove(const std::filesystem::path& instance_folder) const {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex_), .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle_, .priority = kPriority);
  const int failed = bpf_tc_detach(&hook, &options);
  // ENOENT: no such filter; EINVAL: no such qdisc; ENODEV: no such interface.
  if (failed != 0 && failed != -ENOENT && failed != -EINVAL && failed != -ENODEV)
    return filter_error("detach from the tc hook of", ifindex_, -failed);
  const std::filesystem::path mark = mark_of(instance_folder, ifindex_);
  std::error_code error;
  if (std::filesystem::exists(mark / std::string(kMadeQdisc), error)) {
    const auto others = has_tc_filters(ifindex_);
    if (failed == 0 && others.has_value() && !*others) {
      LIBBPF_OPTS(bpf_tc_hook, qdisc, .ifindex = static_cast<int>(ifindex_),
                  .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
      bpf_tc_hook_destroy(&qdisc);
    }
    std::filesystem::remove(mark / std::string(kMadeQdisc), error);
  }
  std::filesystem::remove(mark, error);
  if (error) return Error{"remove " + mark.string() + ": " + error.message(), {}};
  return {};
}

std::vector<std::uint32_t> marked_interfaces(const std::filesystem::path& instance_folder) {
  std::vector<std::uint32_t> interfaces;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(instance_folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kMark)) continue;
    std::uint32_t ifindex = 0;
    const char* const end = name.data() + name.size();
    const auto [stop, failed] = std::from_chars(name.data() + kMark.size(), end, ifindex);
    if (failed == std::errc() && stop == end) interfaces.push_back(ifindex);
  }
  std::sort(interfaces.begin(), interfaces.end());
  return interfaces;
}

}  // namespace astil::xdp
