#include "agent/decapsulator.hpp"

#include <bpf/bpf.h>
#include <linux/if_link.h>

#include <boost/asio/ip/address_v6.hpp>
#include <cerrno>
#include <vector>

namespace astil::agent {
namespace {

using boost::asio::ip::address;
using boost::asio::ip::address_v6;

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

/// As the program's sets have it (core::Address): an IPv4 address as the IPv6 one that stands for it.
address_v6::bytes_type key_of(const address& host) {
  return (host.is_v6() ? host.to_v6() : make_address_v6(boost::asio::ip::v4_mapped, host.to_v4())).to_bytes();
}

/// Makes a set of addresses in the kernel the wanted one; `known` is what it holds.
Result<void> follow(int map, Decapsulator::Addresses& known, const Decapsulator::Addresses& wanted) {
  constexpr std::uint8_t kMember = 1;
  for (auto host = known.begin(); host != known.end();) {
    if (wanted.contains(*host)) {
      ++host;
      continue;
    }
    if (::bpf_map_delete_elem(map, key_of(*host).data()) != 0)
      return system_error("forget " + host->to_string(), errno);
    host = known.erase(host);
  }
  for (const address& host : wanted) {
    if (known.contains(host)) continue;
    if (::bpf_map_update_elem(map, key_of(host).data(), &kMember, BPF_ANY) != 0)
      return system_error("note " + host.to_string(), errno);
    known.insert(host);
  }
  return {};
}

base::Descriptor link_program(int program, std::uint32_t ifindex, std::uint32_t mode) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode);
  return base::Descriptor(::bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options));
}

}  // namespace

Result<std::unique_ptr<Decapsulator>> Decapsulator::load(std::span<const std::byte> object,
                                                         std::optional<std::uint16_t> gue_port) {
  libbpf_set_print(silent);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "astil_agent");
  std::unique_ptr<Decapsulator> made(new Decapsulator(bpf_object__open_mem(object.data(), object.size(), &options)));
  if (!made->object_) return load_error(errno);
  if (gue_port) {
    if (auto set = made->set_gue_port(*gue_port); set.has_error()) return set.error();
  }
  if (const int failed = bpf_object__load(made->object_.get()); failed != 0) return load_error(-failed);
  return made;
}

Result<void> Decapsulator::set_gue_port(std::uint16_t port) {
  bpf_map* settings = bpf_object__find_map_by_name(object_.get(), ".rodata.settings");
  const int failed = settings == nullptr ? -ENOENT : bpf_map__set_initial_value(settings, &port, sizeof port);
  if (failed != 0) return load_error(-failed);
  return {};
}

Result<void> Decapsulator::set_service_addresses(const Addresses& wanted) {
  return follow(map("service_addresses"), service_addresses_, wanted);
}

Result<void> Decapsulator::set_tunnel_ends(const Addresses& wanted) {
  return follow(map("tunnel_ends"), tunnel_ends_, wanted);
}

Result<void> Decapsulator::attach(std::uint32_t ifindex) {
  link_ = link_program(program(), ifindex, XDP_FLAGS_DRV_MODE);
  hook_ = "xdp native";
  if (!link_.valid() && (errno == EOPNOTSUPP || errno == EINVAL)) {
    link_ = link_program(program(), ifindex, XDP_FLAGS_SKB_MODE);
    hook_ = "xdp generic";
  }
  if (!link_.valid()) return attach_error(errno);
  return {};
}

Result<Counts> Decapsulator::counts() const {
  Counts sums{};
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return system_error("count the CPUs", -cpus);
  std::vector<std::uint64_t> of_cpus(static_cast<std::size_t>(cpus));
  for (std::uint32_t outcome = 0; outcome < kOutcomes; ++outcome) {
    if (::bpf_map_lookup_elem(map("outcomes"), &outcome, of_cpus.data()) != 0)
      return system_error("read the counters", errno);
    for (const std::uint64_t count : of_cpus) sums[outcome] += count;
  }
  return sums;
}

int Decapsulator::program() const {
  return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), "astil_agent"));
}

}  // namespace astil::agent
