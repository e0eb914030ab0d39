#include "agent/decapsulator.hpp"

#include <bpf/bpf.h>
#include <linux/if_link.h>

#include <array>
#include <cerrno>

namespace astil::agent {
namespace {

int silent(libbpf_print_level /*level*/, const char* /*format*/, va_list /*arguments*/) { return 0; }

Error load_error(int errno_value) {
  Error error = system_error("load the decapsulation", errno_value);
  if (errno_value == EPERM) error.remedy = "run as root, or with CAP_BPF and CAP_NET_ADMIN";
  return error;
}

Error attach_error(int errno_value) {
  Error error = system_error("attach the decapsulation", errno_value);
  if (errno_value == EBUSY || errno_value == EEXIST) {
    error = {"attach the decapsulation: the interface has another XDP program",
             "remove that one first: 'ip link set dev NAME xdp off', or the program that put it there"};
  }
  return error;
}

}  // namespace

Result<std::unique_ptr<Decapsulator>> Decapsulator::attach(std::span<const std::byte> object, std::uint32_t ifindex,
                                                           std::span<const boost::asio::ip::address_v4> addresses) {
  libbpf_set_print(silent);
  std::unique_ptr<Decapsulator> made(new Decapsulator);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "astil_agent");
  made->object_.reset(bpf_object__open_mem(object.data(), object.size(), &options));
  if (!made->object_) return load_error(errno);
  if (const int failed = bpf_object__load(made->object_.get()); failed != 0) return load_error(-failed);

  const int map = bpf_object__find_map_fd_by_name(made->object_.get(), "service_addresses");
  for (const auto& address : addresses) {
    const std::array<unsigned char, 4> key = address.to_bytes();
    const std::uint64_t none = 0;
    if (::bpf_map_update_elem(map, key.data(), &none, BPF_ANY) != 0)
      return system_error("note " + address.to_string(), errno);
  }
  const int program = bpf_program__fd(bpf_object__find_program_by_name(made->object_.get(), "astil_agent"));
  LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
  made->link_ = base::Descriptor(::bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &native));
  made->hook_ = "xdp native";
  if (!made->link_.valid() && (errno == EOPNOTSUPP || errno == EINVAL)) {
    LIBBPF_OPTS(bpf_link_create_opts, generic, .flags = XDP_FLAGS_SKB_MODE);
    made->link_ = base::Descriptor(::bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &generic));
    made->hook_ = "xdp generic";
  }
  if (!made->link_.valid()) return attach_error(errno);
  return made;
}

}  // namespace astil::agent
