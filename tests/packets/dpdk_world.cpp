// The DPDK engine as tests need it: a worker over real packet buffers, from an EAL without huge pages and devices. Each
// frame is a burst of its own; bursts of many are compared with it in dpdk_bursts.cpp. Tables and routes are those of
// the native engine's world, so that the two differ in nothing else.
#include "tests/packets/dpdk_world.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "dataplane/dpdk/capture_sink.hpp"
#include "dataplane/dpdk/worker.hpp"
#include "dataplane/native/native_dataplane.hpp"

namespace astil::test {
namespace {

constexpr unsigned kBuffers = 255;
constexpr std::uint16_t kRoom = 16384;

std::string all_cpus() { return "0@(0-" + std::to_string(::sysconf(_SC_NPROCESSORS_CONF) - 1) + ")"; }

/// One for all cases of a process, since an EAL can not be started twice.
rte_mempool* buffers() {
  static rte_mempool* const pool = [] {
    std::array<std::string, 10> words{"test",           "--no-huge",   "-m",       "64",       "--no-pci",
                                      "--no-telemetry", "--no-shconf", "--lcores", all_cpus(), "--log-level=error"};
    std::array<char*, words.size()> arguments{};
    std::transform(words.begin(), words.end(), arguments.begin(), [](std::string& word) { return word.data(); });
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0)
      throw std::runtime_error(std::string("start the EAL: ") + rte_strerror(rte_errno));
    rte_mempool* made = rte_pktmbuf_pool_create("frames", kBuffers, 0, 0, kRoom + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    if (made == nullptr) throw std::runtime_error(std::string("make a pool of frames: ") + rte_strerror(rte_errno));
    return made;
  }();
  return pool;
}

struct Free {
  void operator()(rte_mbuf* frame) const { rte_pktmbuf_free(frame); }
};
using Buffer = std::unique_ptr<rte_mbuf, Free>;

Buffer buffer_of(const Bytes& bytes) {
  Buffer buffer(rte_pktmbuf_alloc(buffers()));
  if (!buffer || bytes.size() > kRoom) throw std::runtime_error("no buffer for a frame");
  // Packet buffers are used again; the frame alone may tell what comes out.
  std::fill_n(static_cast<std::byte*>(buffer->buf_addr), buffer->buf_len, std::byte{0xa5});
  std::copy(bytes.begin(), bytes.end(), rte_pktmbuf_mtod(buffer.get(), std::byte*));
  buffer->data_len = static_cast<std::uint16_t>(bytes.size());
  buffer->pkt_len = buffer->data_len;
  return buffer;
}

class Dpdk final : public DpdkTestEngine, private dpdk::Outside {
 public:
  explicit Dpdk(const core::Sizes& sizes) : native_(sizes), worker_(native_.tables(), 0, *this) { (void)buffers(); }

  [[nodiscard]] const dataplane::Tables& tables() const override { return native_.tables(); }
  std::vector<core::DropEvent> take_drops() override { return std::exchange(drops_, {}); }

  Exit run(Bytes& bytes) override { return run_burst({&bytes, 1}).front(); }

  void capture(const core::CaptureFilter& filter) override {
    if (!captured_) captured_ = std::make_unique<Captured>();
    captured_->filter = filter;
  }
  std::vector<Bytes> take_captured() override {
    std::vector<Bytes> records;
    for (dpdk::RecordRing ring = captured_->ring(); !ring.empty(); ring.drop()) {
      const auto record = ring.front();
      records.emplace_back(record.begin(), record.end());
    }
    return records;
  }
  core::CaptureCounts capture_counts() override { return captured_->counts; }

  std::vector<Exit> run_burst(std::span<Bytes> frames) override {
    std::vector<Buffer> buffers;
    std::vector<rte_mbuf*> burst;
    for (const Bytes& frame : frames) {
      buffers.push_back(buffer_of(frame));
      burst.push_back(buffers.back().get());
    }
    std::vector<core::Verdict> verdicts(frames.size());
    if (captured_) {
      worker_.run_captured(burst, kIngress, verdicts, captured_->sink);
    } else {
      worker_.run(burst, kIngress, verdicts);
    }
    std::vector<Exit> exits;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto* begin = rte_pktmbuf_mtod(burst[i], const std::byte*);
      frames[i].assign(begin, begin + burst[i]->data_len);
      exits.push_back(exit_of(verdicts[i]));
    }
    return exits;
  }

 private:
  struct Captured {
    core::CaptureFilter filter{};
    core::CaptureCounts counts{};
    dpdk::RingPlaces places{};
    std::vector<std::byte> room = std::vector<std::byte>(4U << 20U);
    dpdk::CaptureSink sink{filter, counts, ring()};
    dpdk::RecordRing ring() { return {places, room}; }
  };

  static Exit exit_of(const core::Verdict& verdict) {
    if (verdict.interface != 0) return verdict.interface == kIngress ? Exit::back_out : Exit::other_interface;
    return core::action_of(verdict.reason) == core::Action::pass ? Exit::pass : Exit::drop;
  }

  core::NextHop route(const core::Address& to, const core::Address& /*from*/, std::uint32_t length) override {
    return route_in_tests(to, length);
  }
  bool hold(std::uint32_t /*ifindex*/, std::span<const std::byte> /*frame*/) override { return true; }
  void tell_drop(const core::DropEvent& event) override { drops_.push_back(event); }
  [[nodiscard]] std::uint64_t now() override { return 0; }

  native::NativeDataplane native_;
  dpdk::Worker worker_;
  std::unique_ptr<Captured> captured_;  ///< while a capture runs
  std::vector<core::DropEvent> drops_;
};

}  // namespace

std::unique_ptr<TestEngine> dpdk_engine(const core::Sizes& sizes) { return std::make_unique<Dpdk>(sizes); }
std::unique_ptr<DpdkTestEngine> dpdk_burst_engine(const core::Sizes& sizes) { return std::make_unique<Dpdk>(sizes); }

}  // namespace astil::test
