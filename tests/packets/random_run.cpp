// A million random, truncated and bit-flipped frames through the native engine and through the kernel's program, from
// equal tables: the same verdict and the same bytes for each, and equal tables at the end.
#include <sched.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

#include "dataplane/census.hpp"
#include "tests/packets/judge.hpp"
#include "tests/packets/mutator.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using dataplane::Rotation;
using dataplane::TableId;
using dataplane::Tables;

constexpr std::uint64_t kSeed = 20250101;
constexpr std::size_t kFrames = 1'000'000;
constexpr std::size_t kLeastForKernel = 14;  ///< a test run takes no frame without an Ethernet header

/// Every forwarding, both schedulers, a service without a backend, one whose next hop is not known; and what an
/// operator changes from time to time.
std::vector<Service> services_at(std::size_t stage) {
  constexpr std::string_view kVip = "198.51.100.1";
  const std::uint32_t weight = 1 + static_cast<std::uint32_t>(stage % 3);
  const Rotation second = stage % 2 == 0 ? Rotation::in : Rotation::out;
  return {
      Service(kVip, 80)
          .nat()
          .backend("10.0.0.1", {.port = 8080, .weight = weight})
          .backend("10.0.0.2", {.port = 8080, .mac = mac(0xb2), .interface = kOutside, .rotation = second}),
      Service(kVip, 81).tunnel().backend("10.0.0.1").backend("10.0.0.2", {.weight = weight, .rotation = second}),
      Service(kVip, 82).direct().round_robin().backend("10.0.0.1", {.weight = 3}).backend("10.0.0.2"),
      Service(kVip, 83).nat().round_robin().backend("10.0.0.3", {.port = 8080, .mac = stage % 4 == 3 ? 0 : mac(0xb3)}),
      Service(kVip, 84).tunnel().backend("10.0.0.1", {.rotation = Rotation::out}),
      Service(kVip, 80)
          .udp()
          .nat()
          .backend("10.0.0.1", {.port = 8080})
          .backend("10.0.0.2", {.port = 8080, .rotation = stage % 2 == 0 ? Rotation::in : Rotation::down}),
      Service(kVip, 81).udp().tunnel().round_robin().backend("10.0.0.1").backend("10.0.0.2")};
}

class Pair {
 public:
  Pair(std::unique_ptr<TestEngine> native, std::unique_ptr<TestEngine> kernel)
      : native_(std::move(native)), kernel_(std::move(kernel)) {}

  void change_to(std::size_t stage) {
    for (World* world : {&native_, &kernel_}) {
      world->publish(services_at(stage));
      world->let_pass(static_cast<std::uint32_t>(stage % 5));
      const auto census = dataplane::take_census(world->tables(), 0);
      world->publisher().release([&](std::uint32_t number) { return census.active[number] != 0; });
    }
  }

  /// Both engines' word on a frame is the same.
  [[nodiscard]] bool agree_on(const Bytes& frame) {
    Bytes by_native = frame;
    const Exit native_exit = native_.engine().run(by_native);
    if (native_exit != Exit::drop && ++seen_ % 16 == 0) judge().saw(name_of_test(), by_native, how_made(frame));
    if (frame.size() < kLeastForKernel) return native_exit == Exit::pass && by_native == frame;
    Bytes by_kernel = frame;
    return kernel_.engine().run(by_kernel) == native_exit && by_kernel == by_native;
  }

  void expect_equal_tables(std::uint64_t for_native_alone) const {
    for (const TableId id : {TableId::service_index, TableId::services, TableId::backends, TableId::rings,
                             TableId::members, TableId::flows, TableId::clients, TableId::cursors}) {
      const auto index = static_cast<std::size_t>(id);
      const dataplane::TableSpec& spec = dataplane::kTableSpecs[index];
      EXPECT_EQ(std::memcmp(native_.tables().memory[index], kernel_.tables().memory[index],
                            spec.record_bytes * spec.records(native_.tables().sizes)),
                0)
          << spec.name;
    }
    for (std::size_t slot = 0; slot < native_.tables().counter_stride(); ++slot) {
      const core::Counter a = native_.tables().sum_counter(slot);
      const core::Counter b = kernel_.tables().sum_counter(slot);
      EXPECT_EQ(std::tie(a.packets, a.bytes, a.connections), std::tie(b.packets, b.bytes, b.connections)) << slot;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(core::Reason::count); ++i) {
      const auto reason = static_cast<core::Reason>(i);
      // The kernel's ring of held fragments is full at some time; the native engine's is not.
      if (reason == core::Reason::fragment_held || reason == core::Reason::fragment_refused) continue;
      const std::uint64_t extra = reason == core::Reason::not_ip ? for_native_alone : 0;
      EXPECT_EQ(native_.counted(reason), kernel_.counted(reason) + extra) << core::kReasons[i].name;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(core::FlowEvent::count); ++i) {
      const auto event = static_cast<core::FlowEvent>(i);
      EXPECT_EQ(native_.tables().sum_event(event), kernel_.tables().sum_event(event)) << i;
    }
  }

  /// Every way through the packet path that a frame can take was taken.
  void expect_all_ways_taken() const {
    using core::Reason;
    for (std::size_t i = 0; i < static_cast<std::size_t>(Reason::count); ++i) {
      const auto reason = static_cast<Reason>(i);
      const bool uncounted = core::action_of(reason) == core::Action::transmit || reason == Reason::unready ||
                             reason == Reason::no_headroom || reason == Reason::fragment_refused ||
                             reason == Reason::fragment_lost || reason == Reason::icmp_limit ||
                             reason == Reason::internal;
      if (reason == Reason::told_too_big) continue;
      EXPECT_EQ(native_.counted(reason) == 0, uncounted) << core::kReasons[i].name;
    }
  }

 private:
  World native_;
  World kernel_;
  std::size_t seen_ = 0;
};

/// Limits are each CPU's: the kernel's program must be on one, as the native engine is.
void stay_on_this_cpu() {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &here);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(here), &here), 0);
}

TEST(RandomRun, of_a_million_frames_ends_alike_in_both_engines) {
  auto kernel = kernel_engine(small_sizes());
  if (kernel.has_error()) GTEST_SKIP() << "no kernel engine here: " << kernel.error().text();
  stay_on_this_cpu();
  std::cout << "seed " << kSeed << ", " << kFrames << " frames\n";
  Pair engines(native_engine(small_sizes()), std::move(*kernel));
  Mutator mutator(kSeed);
  std::uint64_t for_native_alone = 0;
  for (std::size_t i = 0; i < kFrames; ++i) {
    if (i % 10'000 == 0) engines.change_to(i / 10'000);
    const Bytes frame = mutator.next();
    for_native_alone += frame.size() < kLeastForKernel ? 1 : 0;
    ASSERT_TRUE(engines.agree_on(frame)) << "frame " << i << " of seed " << kSeed << ": "
                                         << testing::PrintToString(frame);
  }
  engines.expect_equal_tables(for_native_alone);
  engines.expect_all_ways_taken();
}

}  // namespace
}  // namespace astil::test
