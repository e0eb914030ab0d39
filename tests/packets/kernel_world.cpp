// The kernel's program as tests need it: loaded, its tables mapped, single frames through it by test runs. Nothing is
// pinned and nothing attached. The calling thread gets a network namespace of its own, in which one link leads to
// clients.
#include <bpf/bpf.h>
#include <net/if.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "dataplane/xdp/embedded_program.hpp"
#include "dataplane/xdp/kernel_object.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

/// The secret of the native engine's tables, so that both have the same hashes.
constexpr std::array<std::uint64_t, core::kHashKeys> kSameKey{
    0x0123456789abcdefULL, 0xfedcba9876543210ULL, 0x0f1e2d3c4b5a6978ULL, 0x8796a5b4c3d2e1f0ULL,
    0x13579bdf02468aceULL, 0xeca86420fdb97531ULL, 0x1032547698badcfeULL, 0xefcdab8967452301ULL};

/// A clock that stands still: no tick can fall into a test (World::let_pass lets time go by).
constexpr std::uint32_t kNoTicks = 0;

bool write_file(const char* path, const char* text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

Result<void> build_network() {
  if (::unshare(CLONE_NEWNET) != 0) return system_error("make a network namespace", errno);
  const std::string commands =
      "ip link set lo up && ip link add out index 100 address 02:00:00:00:00:02 type veth peer name far && "
      "ip link set far up && ip link set out up && ip addr add 192.0.2.1/24 dev out && "
      "ip neigh add 192.0.2.10 lladdr 02:00:00:00:00:c1 nud permanent dev out && "
      "ip addr add 2001:db8:1::1/64 dev out nodad && "
      "ip neigh add 2001:db8:1::10 lladdr 02:00:00:00:00:c1 nud permanent dev out";
  if (std::system(commands.c_str()) != 0) return Error{"set up a link in a new network namespace", {}};
  if (!write_file("/proc/sys/net/ipv4/ip_forward", "1") || !write_file("/proc/sys/net/ipv6/conf/all/forwarding", "1"))
    return Error{"let a new network namespace forward", {}};
  return {};
}

/// One namespace for all cases of a process; it goes with the process.
Result<void> enter_network() {
  static const Result<void> built = build_network();
  return built;
}

class Kernel final : public TestEngine {
 public:
  Kernel(xdp::KernelObject object, xdp::MappedTables mapped)
      : object_(std::move(object)), mapped_(std::move(mapped)), program_(object_.program("astil_xdp")) {}

  [[nodiscard]] const dataplane::Tables& tables() const override { return mapped_.tables(); }

  std::vector<core::DropEvent> take_drops() override {
    std::vector<core::DropEvent> drops;
    const auto take = [](void* list, void* record, std::size_t /*size*/) {
      static_cast<std::vector<core::DropEvent>*>(list)->push_back(*static_cast<const core::DropEvent*>(record));
      return 0;
    };
    ring_buffer* ring = ring_buffer__new(object_.map_descriptor("drop_events"), take, &drops, nullptr);
    if (ring == nullptr) throw std::runtime_error("no ring of drops");
    ring_buffer__consume(ring);
    ring_buffer__free(ring);
    return drops;
  }

  Exit run(Bytes& bytes) override {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = bytes.data(), .data_out = out_.data(),
                .data_size_in = static_cast<std::uint32_t>(bytes.size()),
                .data_size_out = static_cast<std::uint32_t>(out_.size()));
    if (const int failed = ::bpf_prog_test_run_opts(program_, &options); failed != 0) {
      throw std::runtime_error("test run: " + std::string(std::strerror(-failed)));
    }
    bytes.assign(out_.begin(), out_.begin() + options.data_size_out);
    switch (options.retval) {
      case XDP_PASS:
        return Exit::pass;
      case XDP_DROP:
        return Exit::drop;
      case XDP_TX:
        return Exit::back_out;
      case XDP_REDIRECT:
        return Exit::other_interface;
      default:
        throw std::runtime_error("test run: XDP action " + std::to_string(options.retval));
    }
  }

 private:
  xdp::KernelObject object_;
  xdp::MappedTables mapped_;
  int program_;
  std::array<std::byte, 65536> out_{};
};

}  // namespace

Result<std::unique_ptr<TestEngine>> kernel_engine(const core::Sizes& sizes) {
  if (::geteuid() != 0) return Error{"loading a program and making a network namespace need root", {}};
  if (auto entered = enter_network(); entered.has_error()) return entered.error();
  auto object = xdp::KernelObject::with_new_tables(xdp::embedded_program().object, sizes);
  if (object.has_error()) return object.error();
  auto mapped = object->map(sizes);
  if (mapped.has_error()) return mapped.error();
  dataplane::initialise(mapped->tables(), kSameKey, kNoTicks);
  return std::unique_ptr<TestEngine>(new Kernel(std::move(*object), std::move(*mapped)));
}

}  // namespace astil::test
