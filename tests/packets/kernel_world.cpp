// The kernel's program as tests need it: its tables mapped, single frames through it by test runs. Nothing is pinned
// and nothing attached. The calling thread gets a network namespace of its own, in which one link leads to clients.
#include <bpf/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "dataplane/xdp/embedded_program.hpp"
#include "tests/packets/kernel_programs.hpp"
#include "tests/packets/world.hpp"

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): made by the assembler
extern const std::byte astil_embedded_tc_frames[];
extern const std::byte astil_embedded_tc_frames_end[];
extern const std::byte astil_embedded_tc_frames_capture[];
extern const std::byte astil_embedded_tc_frames_capture_end[];
// NOLINTEND(readability-identifier-naming)
}

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

class Kernel : public TestEngine {
 public:
  explicit Kernel(BorrowedProgram program) : program_(std::move(program)) {}

  [[nodiscard]] const dataplane::Tables& tables() const override { return program_->tables(); }

  std::vector<core::DropEvent> take_drops() override {
    std::vector<core::DropEvent> drops;
    const auto take = [](void* list, void* record, std::size_t /*size*/) {
      static_cast<std::vector<core::DropEvent>*>(list)->push_back(*static_cast<const core::DropEvent*>(record));
      return 0;
    };
    ring_buffer* ring = ring_buffer__new(program_->object().map_descriptor("drop_events"), take, &drops, nullptr);
    if (ring == nullptr) throw std::runtime_error("no ring of drops");
    ring_buffer__consume(ring);
    ring_buffer__free(ring);
    return drops;
  }

  void capture(const core::CaptureFilter& filter) override {
    const std::uint32_t key = 0;
    const int map = program_->object().map_descriptor(".data.filter");
    if (::bpf_map_update_elem(map, &key, &filter, BPF_ANY) != 0) throw std::runtime_error("no filter to write");
  }

  std::vector<Bytes> take_captured() override {
    std::vector<Bytes> records;
    const auto take = [](void* list, void* record, std::size_t size) {
      const auto* bytes = static_cast<const std::byte*>(record);
      static_cast<std::vector<Bytes>*>(list)->emplace_back(bytes, bytes + size);
      return 0;
    };
    ring_buffer* ring = ring_buffer__new(program_->object().map_descriptor("captured"), take, &records, nullptr);
    if (ring == nullptr) throw std::runtime_error("no ring of captured packets");
    ring_buffer__consume(ring);
    ring_buffer__free(ring);
    return records;
  }

  core::CaptureCounts capture_counts() override {
    const std::uint32_t key = 0;
    core::CaptureCounts counts{};
    const int map = program_->object().map_descriptor(".data.counts");
    if (::bpf_map_lookup_elem(map, &key, &counts) != 0) throw std::runtime_error("no counts to read");
    return counts;
  }

 protected:
  /// What the program returned; the frame is as it left it.
  std::uint32_t test_run(Bytes& bytes, void* context_after, std::uint32_t context_bytes) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = bytes.data(), .data_out = out_.data(),
                .data_size_in = static_cast<std::uint32_t>(bytes.size()),
                .data_size_out = static_cast<std::uint32_t>(out_.size()), .ctx_out = context_after,
                .ctx_size_out = context_bytes);
    if (const int failed = ::bpf_prog_test_run_opts(program_->descriptor(), &options); failed != 0) {
      throw std::runtime_error("test run: " + std::string(std::strerror(-failed)));
    }
    bytes.assign(out_.begin(), out_.begin() + options.data_size_out);
    return options.retval;
  }

  [[noreturn]] static void throw_unknown(std::uint32_t action) {
    throw std::runtime_error("test run: action " + std::to_string(action));
  }

 private:
  BorrowedProgram program_;
  std::array<std::byte, 65536> out_{};
};

class Xdp final : public Kernel {
 public:
  using Kernel::Kernel;

  [[nodiscard]] bool takes(const Bytes& frame) const override { return frame.size() >= ETH_HLEN; }

  Exit run(Bytes& bytes) override {
    switch (const std::uint32_t action = test_run(bytes, nullptr, 0)) {
      case XDP_PASS:
        return Exit::pass;
      case XDP_DROP:
        return Exit::drop;
      case XDP_TX:
        return Exit::back_out;
      case XDP_REDIRECT:
        return Exit::other_interface;
      default:
        throw_unknown(action);
    }
  }
};

class Tc final : public Kernel {
 public:
  using Kernel::Kernel;

  [[nodiscard]] bool takes(const Bytes& frame) const override {
    if (frame.size() < ETH_HLEN) return false;
    const std::size_t rest = frame.size() - ETH_HLEN;
    const bool ipv4 = frame[12] == std::byte{0x08} && frame[13] == std::byte{0};
    const bool ipv6 = frame[12] == std::byte{0x86} && frame[13] == std::byte{0xdd};
    return (!ipv4 || rest >= sizeof(core::Ipv4Header)) && (!ipv6 || rest >= sizeof(core::Ipv6Header));
  }

  /// The program's mark says where a frame leaves.
  Exit run(Bytes& bytes) override {
    __sk_buff after{};
    const std::uint32_t action = test_run(bytes, &after, sizeof(after));
    if (action == static_cast<std::uint32_t>(TC_ACT_UNSPEC)) return Exit::pass;
    if (action == TC_ACT_SHOT) return Exit::drop;
    if (action != TC_ACT_REDIRECT) throw_unknown(action);
    return after.mark == kIngress ? Exit::back_out : Exit::other_interface;
  }
};

template <class Engine>
Result<std::unique_ptr<TestEngine>> load(std::span<const std::byte> program, const char* name,
                                         const core::Sizes& sizes) {
  if (::geteuid() != 0) return Error{"loading a program and making a network namespace need root", {}};
  if (auto entered = enter_network(); entered.has_error()) return entered.error();
  auto borrowed = borrow_program(program, name, sizes);
  if (borrowed.has_error()) return borrowed.error();
  dataplane::initialise((*borrowed)->tables(), kSameKey, kNoTicks);
  return std::unique_ptr<TestEngine>(new Engine(std::move(*borrowed)));
}

}  // namespace

Result<std::unique_ptr<TestEngine>> xdp_engine(const core::Sizes& sizes) {
  return load<Xdp>(xdp::embedded_program().object, "astil_xdp", sizes);
}

Result<std::unique_ptr<TestEngine>> tc_engine(const core::Sizes& sizes) {
  return load<Tc>({astil_embedded_tc_frames, astil_embedded_tc_frames_end}, "astil_tc_frames", sizes);
}

Result<std::unique_ptr<TestEngine>> capturing_engine(bool tc, const core::Sizes& sizes) {
  if (!tc) return load<Xdp>(xdp::embedded_program().capture_object, "astil_xdp", sizes);
  return load<Tc>({astil_embedded_tc_frames_capture, astil_embedded_tc_frames_capture_end}, "astil_tc_frames", sizes);
}

}  // namespace astil::test
