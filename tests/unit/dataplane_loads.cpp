// The counts of active flows that schedulers go by, and their correction by the census: it mends what is wrong, and
// leaves alone what only changed while it walked.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "dataplane/census.hpp"
#include "dataplane/native/native_dataplane.hpp"
#include "tests/packets/loads.hpp"
#include "tests/packets/world.hpp"

namespace astil::dataplane {
namespace {

using core::Load;
using test::counted;
using test::kAck;
using test::kFin;
using test::kRst;
using test::kSyn;
using test::Packet;
using test::Service;

constexpr std::string_view kVip = "198.51.100.1";

TEST(CertainError, of_a_table_at_rest_is_the_difference) {
  const Load ten{.opened = 30, .closed = 20};
  EXPECT_EQ(certain_error(ten, ten, 10), 0);
  EXPECT_EQ(certain_error(ten, ten, 7), 3);
  EXPECT_EQ(certain_error(ten, ten, 14), -4);
}

TEST(CertainError, holds_across_the_wrap_of_both_counts) {
  const Load five{.opened = 2, .closed = ~0U - 2};
  EXPECT_EQ(certain_error(five, five, 5), 0);
  const Load later{.opened = 12, .closed = 4};  // ten opened, seven closed
  EXPECT_EQ(certain_error(five, later, 15), 0);
  EXPECT_EQ(certain_error(five, later, 16), -1);
}

TEST(CertainError, of_a_count_below_nothing_is_known) {
  const Load less{.opened = 3, .closed = 8};
  EXPECT_EQ(certain_error(less, less, 2), -7);
}

TEST(CertainError, is_none_for_whatever_a_walk_can_find_while_flows_come_and_go) {
  const Load before{.opened = 100, .closed = 60};
  const Load now{.opened = 108, .closed = 65};  // eight opened, five closed
  for (std::uint32_t found = 35; found <= 48; ++found) EXPECT_EQ(certain_error(before, now, found), 0) << found;
  EXPECT_EQ(certain_error(before, now, 34), 1);
  EXPECT_EQ(certain_error(before, now, 50), -2);
}

class Loads : public testing::Test {
 protected:
  void SetUp() override {
    numbers_ = world_.publish({Service(kVip, 80).direct().least_connections().backend("10.0.0.1").backend("10.0.0.2")})
                   .services[0]
                   .backends;
    for (std::uint16_t port = 1000; port < 1100; ++port) {
      world_.send(
          Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(test::kClient, kVip).tcp(port, 80, kSyn));
    }
  }
  [[nodiscard]] const Tables& tables() const { return world_.tables(); }
  Load& load(std::size_t backend) { return tables().loads()[numbers_[backend]]; }
  Census audit(const std::function<void()>& wait = [] {}) {
    Census census = take_census(tables(), 0);
    correct_loads(tables(), census, wait);
    return census;
  }

  test::World world_{test::native_engine(test::small_sizes())};
  std::vector<std::uint32_t> numbers_;
};

TEST_F(Loads, that_are_right_are_left_alone_without_a_wait) {
  const auto before = counted(tables());
  EXPECT_EQ(audit([] { ADD_FAILURE() << "nothing to wait for"; }).corrected, 0U);
  EXPECT_EQ(counted(tables()), before);
}

TEST_F(Loads, that_are_wrong_are_mended_at_once_where_nothing_changes) {
  load(0).opened += 1000;
  load(1).closed += 30;
  EXPECT_EQ(audit().corrected, 1030U);
  EXPECT_TRUE_LOADS(tables());
  EXPECT_EQ(audit().corrected, 0U);
}

TEST_F(Loads, of_numbers_without_flows_are_mended_too) {
  tables().loads()[60] = {.opened = 3, .closed = 9};
  EXPECT_EQ(audit().corrected, 6U);
  EXPECT_EQ(counted(tables())[60], 0U);
}

TEST_F(Loads, that_a_packet_under_way_has_not_counted_yet_are_not_wrong) {
  --load(0).opened;
  bool waited = false;
  const Census census = audit([&] {
    ++load(0).opened;  // now it has
    waited = true;
  });
  EXPECT_TRUE(waited);
  EXPECT_EQ(census.corrected, 0U);
  EXPECT_TRUE_LOADS(tables());
}

TEST_F(Loads, move_with_a_flow_that_changes_its_backend) {
  const auto before = counted(tables());
  native::Frame no_frame({});
  native::NativeEngine<> engine(tables(), no_frame, {});
  std::uint64_t entry = core::pack({.tag = 7, .age = 0, .state = core::FlowState::established, .backend = numbers_[0]});
  const std::uint64_t after =
      core::pack({.tag = 7, .age = 0, .state = core::FlowState::half_open, .backend = numbers_[1]});
  EXPECT_TRUE(core::change_entry(engine, &entry, entry, after));
  EXPECT_EQ(counted(tables())[numbers_[0]], before[numbers_[0]] - 1);
  EXPECT_EQ(counted(tables())[numbers_[1]], before[numbers_[1]] + 1);
  EXPECT_FALSE(core::change_entry(engine, &entry, 0, after)) << "another was quicker";
  EXPECT_EQ(counted(tables())[numbers_[1]], before[numbers_[1]] + 1);
}

/// Packet paths on several threads that open and close flows all the time, while a census walks again and again.
class LoadsUnderWay : public testing::Test {
 protected:
  static constexpr std::uint32_t kPaths = 3;
  static constexpr std::uint32_t kFlowsEach = 2000;

  LoadsUnderWay() : native_(sizes()), publisher_(native_) {
    EXPECT_TRUE(publisher_
                    .publish(test::desired({Service(kVip, 80)
                                                .direct()
                                                .least_connections()
                                                .backend("10.0.0.1")
                                                .backend("10.0.0.2", {.weight = 3})
                                                .backend("10.0.0.3")}))
                    .has_value());
  }
  ~LoadsUnderWay() override { stop(); }

  static core::Sizes sizes() {
    core::Sizes sizes = test::small_sizes();
    sizes.cpus = kPaths;
    sizes.flow_lines = 512;  // so few that flows push each other out
    return sizes;
  }

  void start() {
    for (std::uint32_t path = 0; path < kPaths; ++path) threads_.emplace_back([this, path] { send_packets(path); });
  }
  void stop() {
    done_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void send_packets(std::uint32_t path) {
    std::mt19937 random(path + 1);
    const std::string from = "10.1.0." + std::to_string(path);
    const native::Surroundings around{.ingress = test::kIngress, .tick = 10, .row = path};
    constexpr std::array<std::uint8_t, 4> kFlags{kSyn, kSyn, kFin | kAck, kRst};
    while (!done_) {
      const auto port = static_cast<std::uint16_t>(1024 + random() % kFlowsEach);
      const auto bytes = Packet()
                             .ethernet(test::kBalancerMac, test::kClientMac)
                             .ipv4(from, kVip)
                             .tcp(port, 80, kFlags.at(random() % kFlags.size()))
                             .bytes();
      native::Frame frame(bytes);
      native::NativeEngine<> engine(native_.tables(), frame, around);
      core::run(engine);
      packets_.at(path).fetch_add(1, std::memory_order_release);
    }
  }

  /// Until each path has come to the end of a packet.
  void wait_for_readers() {
    for (const std::atomic<std::uint64_t>& packets : packets_) {
      const std::uint64_t before = packets.load();
      while (packets.load(std::memory_order_acquire) == before && !done_) std::this_thread::yield();
    }
  }

  /// Census after census, until the paths have sent so many packets more. Returns what was corrected.
  std::uint64_t audit(std::uint64_t packets) {
    std::uint64_t corrected = 0;
    const auto sent = [&] { return packets_[0] + packets_[1] + packets_[2]; };
    const std::uint64_t end = sent() + packets;
    while (sent() < end) {
      Census census = take_census(native_.tables(), 10);
      correct_loads(native_.tables(), census, [&] { wait_for_readers(); });
      corrected += census.corrected;
    }
    return corrected;
  }

  native::NativeDataplane native_;
  Publisher publisher_;
  std::atomic<bool> done_ = false;
  std::array<std::atomic<std::uint64_t>, kPaths> packets_{};
  std::vector<std::thread> threads_;
};

TEST_F(LoadsUnderWay, are_never_corrected_while_they_are_right) {
  start();
  EXPECT_EQ(audit(100'000), 0U);
  stop();
  EXPECT_TRUE_LOADS(native_.tables());
}

TEST_F(LoadsUnderWay, are_corrected_by_what_is_wrong_and_no_more) {
  start();
  audit(10'000);
  constexpr std::uint32_t kWrong = 100'000;
  const std::uint32_t number = publisher_
                                   .publish(test::desired({Service(kVip, 80)
                                                               .direct()
                                                               .least_connections()
                                                               .backend("10.0.0.1")
                                                               .backend("10.0.0.2", {.weight = 3})
                                                               .backend("10.0.0.3")}))
                                   ->services[0]
                                   .backends[1];
  __atomic_fetch_add(&native_.tables().loads()[number].opened, kWrong, __ATOMIC_RELAXED);
  std::uint64_t corrected = audit(50'000);
  EXPECT_GT(corrected, 9 * std::uint64_t{kWrong} / 10) << "all but what may have changed in a walk";
  stop();
  Census census = take_census(native_.tables(), 10);
  correct_loads(native_.tables(), census, [] {});
  corrected += census.corrected;
  EXPECT_EQ(corrected, kWrong);
  EXPECT_TRUE_LOADS(native_.tables());
}

}  // namespace
}  // namespace astil::dataplane
