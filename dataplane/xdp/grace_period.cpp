#include "dataplane/xdp/grace_period.hpp"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstdint>

namespace astil::xdp {
namespace {

Error unavailable(const std::string& action, int errno_value) {
  Error error = system_error(action, errno_value);
  error.remedy = "run as root, or with CAP_BPF; without this wait, tables could not be changed under packets";
  return error;
}

}  // namespace

Result<GracePeriod> GracePeriod::make() {
  GracePeriod made;
  made.inner_ = base::Descriptor(
      ::bpf_map_create(BPF_MAP_TYPE_ARRAY, "astil_grace", sizeof(std::uint32_t), sizeof(std::uint32_t), 1, nullptr));
  if (!made.inner_.valid()) return unavailable("make a map to wait for packets under way", errno);
  LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<std::uint32_t>(made.inner_.get()));
  made.outer_ = base::Descriptor(::bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "astil_grace", sizeof(std::uint32_t),
                                                  sizeof(std::uint32_t), 1, &options));
  if (!made.outer_.valid()) return unavailable("make a map of maps to wait for packets under way", errno);
  if (auto waited = made.wait(); waited.has_error()) return waited.error();
  return made;
}

Result<void> GracePeriod::wait() const {
  const std::uint32_t key = 0;
  const int inner = inner_.get();
  if (::bpf_map_update_elem(outer_.get(), &key, &inner, BPF_ANY) != 0) {
    return unavailable("wait for packets under way", errno);
  }
  return {};
}

}  // namespace astil::xdp
