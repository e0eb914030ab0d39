// The control plane's half of the DPDK engine: tables in shared memory, the plan, the wait for workers, events. The
// part of astil-dpdk is played by the test; the real one is in the lab.
#include "dataplane/dpdk/dpdk_dataplane.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <barrier>
#include <cstring>
#include <deque>
#include <future>
#include <thread>

#include "dataplane/dpdk/instance.hpp"
#include "dataplane/publisher.hpp"
#include "tests/packets/world.hpp"

namespace astil::dpdk {
namespace {

using test::Service;

Service web() { return Service("198.51.100.1", 80).nat().backend("10.0.0.1").backend("10.0.0.2"); }

class Dpdk : public testing::Test {
 protected:
  void SetUp() override {
    struct stat root {};
    const bool is_there = ::stat(folder_of(options_.instance).parent_path().c_str(), &root) == 0;
    if (is_there && root.st_uid != ::geteuid()) GTEST_SKIP() << "the folder of instances is another user's";
  }
  void TearDown() override { (void)remove_instance(options_.instance); }

  [[nodiscard]] std::unique_ptr<DpdkDataplane> open() const {
    auto engine = DpdkDataplane::open(options_);
    if (engine.has_error()) throw std::runtime_error(engine.error().text());
    return std::move(*engine);
  }
  [[nodiscard]] MappedShare share() const { return MappedShare::make(options_.instance).value(); }

  /// As the worker has it in a turn, or outside.
  static void set_turn(MappedShare& share, std::uint64_t turn) {
    __atomic_store_n(&share->workers[0].turn, turn, __ATOMIC_RELEASE);
  }

  Options options_{.instance = "unit-" + std::to_string(::getpid()), .sizes = test::small_sizes(), .drive = {}};
};

dataplane::EventTaker nobody() {
  return {.neighbour = [](const auto&) {}, .fragment = [](auto, auto) {}, .drop = [](const auto&) {}};
}

void write_flow(const dataplane::Tables& tables, std::uint64_t entry) { tables.flows()[3].entries[0] = entry; }

TEST_F(Dpdk, another_daemon_takes_over_the_tables_as_they_are) {
  {
    const auto first = open();
    EXPECT_EQ(first->origin().kind, dataplane::Origin::Kind::fresh);
    write_flow(first->tables(), 42);
  }
  const auto second = open();
  EXPECT_EQ(second->origin().kind, dataplane::Origin::Kind::adopted);
  EXPECT_EQ(second->tables().flows()[3].entries[0], 42U);
}

TEST_F(Dpdk, tables_of_other_sizes_get_the_services_and_the_secret_of_those_before) {
  std::array<std::uint64_t, core::kHashKeys> key{};
  {
    const auto first = open();
    dataplane::Publisher publisher(*first);
    ASSERT_TRUE(publisher.publish(test::desired({web()})).has_value());
    std::memcpy(key.data(), first->tables().settings().hash_key, sizeof(key));
  }
  options_.sizes.flow_lines *= 2;
  if (options_.sizes.client_lines != 0) options_.sizes.client_lines = options_.sizes.flow_lines;
  const auto second = open();
  EXPECT_EQ(second->origin().kind, dataplane::Origin::Kind::carried);
  EXPECT_EQ(second->tables().sizes.flow_lines, options_.sizes.flow_lines);
  EXPECT_EQ(std::memcmp(key.data(), second->tables().settings().hash_key, sizeof(key)), 0);
  EXPECT_EQ(dataplane::read_state(second->tables()).services.size(), 1U);
  EXPECT_EQ(share()->tables_number, 2U);
  EXPECT_FALSE(std::filesystem::exists(share().tables(1)));
}

TEST_F(Dpdk, tables_that_workers_did_not_go_over_to_leave_their_number_unused) {
  { const auto first = open(); }
  options_.sizes.flow_lines *= 2;
  if (options_.sizes.client_lines != 0) options_.sizes.client_lines = options_.sizes.flow_lines;
  auto shared = share();
  {
    const auto lock = lock_engine(shared.folder());  // a process that is stopped
    shared->running_workers = 1;
    EXPECT_TRUE(DpdkDataplane::open(options_).has_error());
  }
  EXPECT_EQ(shared->tables_number, 1U);
  shared->running_workers = 0;
  const auto engine = open();
  EXPECT_EQ(shared->tables_number, 3U);
  EXPECT_FALSE(std::filesystem::exists(shared.tables(1)));
  EXPECT_FALSE(std::filesystem::exists(shared.tables(2)));
}

TEST_F(Dpdk, a_worker_in_its_turn_is_waited_for) {
  const auto engine = open();
  auto shared = share();
  const auto lock = lock_engine(shared.folder());
  ASSERT_TRUE(lock.has_value());
  shared->running_workers = 1;
  set_turn(shared, 7);
  auto waiting = std::async(std::launch::async, [&] { engine->wait_for_readers(); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  set_turn(shared, 8);
  waiting.get();
  engine->wait_for_readers();  // outside of a turn nobody is waited for
}

TEST_F(Dpdk, a_worker_that_was_killed_in_its_turn_is_not_waited_for) {
  const auto engine = open();
  auto shared = share();
  shared->running_workers = 1;
  set_turn(shared, 7);
  engine->wait_for_readers();
}

TEST_F(Dpdk, one_process_at_a_time_is_the_engine) {
  const auto shared = share();
  EXPECT_FALSE(is_engine_running(shared.folder()));
  {
    const auto lock = lock_engine(shared.folder());
    EXPECT_TRUE(is_engine_running(shared.folder()));
    EXPECT_TRUE(lock_engine(shared.folder()).has_error());
  }
  EXPECT_FALSE(is_engine_running(shared.folder()));
}

TEST_F(Dpdk, a_plan_whose_writer_was_killed_can_be_written_again) {
  auto shared = share();
  shared->plan_number = 5;
  Plan plan{};
  plan.burst = 17;
  write_plan(*shared, plan);
  const auto read = read_plan(*shared);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->number % 2, 0U);
  EXPECT_NE(read->number, 4U);
  EXPECT_TRUE(read->plan == plan);
}

TEST_F(Dpdk, a_plan_whose_writer_was_killed_is_not_waited_for_and_those_that_forward_go_on) {
  auto shared = share();
  write_plan(*shared, Plan{});
  const std::uint32_t before = shared->plan_number;
  EXPECT_FALSE(is_other_plan(*shared, before));
  shared->plan_number = before + 1;
  EXPECT_FALSE(read_plan(*shared).has_value());
  EXPECT_FALSE(is_other_plan(*shared, before));
  write_plan(*shared, Plan{});
  EXPECT_TRUE(is_other_plan(*shared, before));
}

TEST_F(Dpdk, what_workers_tell_arrives_whole_and_what_is_no_message_is_not_taken) {
  const auto engine = open();
  struct {
    MessageHeader header;
    core::DropEvent drop;
  } message{};
  message.header.kind = MessageKind::drop;
  message.drop.length = 99;
  const auto shared = share();
  const auto bytes = std::as_bytes(std::span(&message, 1));
  ASSERT_TRUE(shared.events().write(bytes));
  ASSERT_TRUE(shared.events().write(bytes.first(bytes.size() - 1)));
  ASSERT_TRUE(shared.events().write(bytes.first(1)));
  std::vector<std::uint32_t> lengths;
  const dataplane::EventTaker take{.neighbour = [](const auto&) { FAIL(); },
                                   .fragment = [](auto, auto) { FAIL(); },
                                   .drop = [&](const auto& drop) { lengths.push_back(drop.length); }};
  engine->take_events(take);
  EXPECT_EQ(lengths, std::vector<std::uint32_t>{99});
}

TEST_F(Dpdk, who_tells_something_wakes_the_daemon_once_until_it_has_taken_all) {
  const auto engine = open();
  const auto shared = share();
  const auto sender = open_sender();
  const auto is_awake = [&] {
    pollfd descriptor{.fd = engine->event_descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&descriptor, 1, 0) == 1;
  };
  engine->take_events(nobody());
  EXPECT_FALSE(is_awake());
  constexpr std::size_t kMany = 600;  // more than are taken at once, and than a socket holds
  const std::array<std::byte, 100> message{};
  for (std::size_t i = 0; i < kMany; ++i) {
    ASSERT_TRUE(shared.events().write(message));
    wake_daemon(shared, *sender);
  }
  for (int turns = 0; is_awake() && turns < 10; ++turns) engine->take_events(nobody());
  EXPECT_FALSE(is_awake());
  EXPECT_TRUE(shared.events().empty());
  ASSERT_TRUE(shared.events().write(message));
  wake_daemon(shared, *sender);
  EXPECT_TRUE(is_awake());
}

TEST_F(Dpdk, a_frame_that_nobody_takes_is_an_error) {
  const auto engine = open();
  const std::array<std::byte, 60> frame{};
  EXPECT_TRUE(engine->inject(1, frame).has_error());
  const auto lock = lock_engine(share().folder());
  EXPECT_TRUE(engine->inject(1, frame).has_value());
  while (engine->inject(1, frame).has_value()) continue;
  EXPECT_NE(engine->inject(1, frame).error().text().find("behind"), std::string::npos);
}

TEST_F(Dpdk, a_capture_gives_out_what_workers_wrote_the_oldest_first) {
  options_.drive.cores = {0, 1};
  options_.drive.devices = {{"lo", "net_null0"}};
  const auto engine = open();
  ASSERT_TRUE(engine->attach(1, dataplane::Hook::automatic).has_value());
  std::vector<std::uint64_t> times;
  core::CaptureFilter filter{};
  filter.snap = 99;
  const auto take = [&](const dataplane::CapturedFrames& captured) {
    EXPECT_EQ(captured.arrived.size(), 20U);
    times.push_back(captured.packet.time);
  };
  ASSERT_TRUE(engine->start_capture(filter, take).has_value());
  EXPECT_TRUE(engine->start_capture(filter, take).has_error());
  const auto shared = share();
  const auto file = shared.capture(shared->capture_number);
  {
    const auto capture = MappedCapture::open(file);
    ASSERT_TRUE(capture.has_value()) << capture.error().text();
    EXPECT_EQ((*capture)->filter.snap, 99U);
    EXPECT_EQ((*capture)->rings, 2U);
    const auto write = [&](std::uint32_t worker, std::uint64_t time) {
      core::CapturedPacket packet{};
      packet.time = time;
      packet.bytes = 20;
      const std::span bytes(reinterpret_cast<const std::byte*>(&packet), core::kCapturedHeader + packet.bytes);
      return capture->ring(worker).write(bytes);
    };
    for (const std::uint64_t time : {1, 4, 5}) EXPECT_TRUE(write(0, time));
    for (const std::uint64_t time : {2, 3}) EXPECT_TRUE(write(1, time));
    EXPECT_FALSE(write(2, 6)) << "a worker that came later has no room, and counts it";
    (*capture)->counts.captured = 5;
  }
  const auto counts = engine->stop_capture();
  ASSERT_TRUE(counts.has_value());
  EXPECT_EQ(counts->captured, 5U);
  EXPECT_EQ(times, (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(shared->capture_number, 0U);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Dpdk, a_capture_does_not_outlive_its_daemon) {
  {
    const auto engine = open();
    ASSERT_TRUE(engine->start_capture({}, [](const auto&) {}).has_value());
    std::filesystem::copy_file(share().capture(1), share().capture(7));  // as if it had been killed
    share()->capture_number = 7;
  }
  const auto engine = open();
  EXPECT_EQ(share()->capture_number, 0U);
  EXPECT_FALSE(std::filesystem::exists(share().capture(7)));
}

TEST_F(Dpdk, a_worker_that_does_not_take_up_a_capture_is_named_and_nothing_is_captured) {
  const auto engine = open();
  auto shared = share();
  const auto lock = lock_engine(shared.folder());
  shared->running_workers = 1;
  const auto refused = engine->start_capture({}, [](const auto&) {});
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().text().find("journalctl"), std::string::npos);
  EXPECT_EQ(shared->capture_number, 0U);
  EXPECT_FALSE(std::filesystem::exists(shared.capture(1)));
}

TEST(RecordRing, gives_back_what_was_written_in_order_over_its_end_and_nothing_that_had_no_room) {
  RingPlaces places{};
  alignas(8) std::array<std::byte, 256> room{};
  RecordRing ring(places, room);
  std::deque<std::vector<std::byte>> wanted;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    const std::vector<std::byte> record(i * 7 % 90, static_cast<std::byte>(i));
    if (ring.write(record)) {
      wanted.push_back(record);
    } else {
      ++refused;
    }
    if (i % 3 == 0) continue;
    const auto front = ring.front();
    ASSERT_TRUE(std::equal(front.begin(), front.end(), wanted.front().begin(), wanted.front().end())) << i;
    ring.drop();
    wanted.pop_front();
    ASSERT_EQ(ring.empty(), wanted.empty()) << i;
  }
  EXPECT_GT(refused, 0U);
  EXPECT_FALSE(ring.write(std::vector<std::byte>(256)));
}

TEST(RecordRing, a_length_that_no_writer_left_empties_it) {
  RingPlaces places{};
  alignas(8) std::array<std::byte, 64> room{};
  RecordRing ring(places, room);
  ASSERT_TRUE(ring.write(std::array<std::byte, 8>{}));
  const std::uint64_t wrong = 1000;
  std::memcpy(room.data(), &wrong, sizeof(wrong));
  EXPECT_TRUE(ring.front().empty());
  EXPECT_TRUE(ring.empty());
  ASSERT_TRUE(ring.write(std::array<std::byte, 8>{}));
  EXPECT_EQ(ring.front().size(), 8U);
}

TEST(RecordRing, places_that_no_ring_can_have_empty_it) {
  for (const auto& [written, read] : {std::pair<std::uint64_t, std::uint64_t>{8, 64}, {64, 3}, {1003, 1000}, {5, 0}}) {
    RingPlaces places{.written = written, .read = read};
    alignas(8) std::array<std::byte, 64> room{};
    RecordRing ring(places, room);
    for (int i = 0; i < 100 && !ring.empty(); ++i) {
      const auto record = ring.front();
      ASSERT_LE(record.data() + record.size(), room.data() + room.size()) << written << ", " << read;
      if (record.data() != nullptr) ring.drop();
    }
    EXPECT_TRUE(ring.empty()) << written << ", " << read;
    ASSERT_TRUE(ring.write(std::array<std::byte, 8>{}));
    EXPECT_EQ(ring.front().size(), 8U);
  }
}

TEST_F(Dpdk, an_instance_of_another_network_namespace_is_not_given_up_from_here) {
  share()->network = own_network() + 1;
  const auto refused = remove_instance(options_.instance);
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().text().find("another network namespace"), std::string::npos);
  share()->network = own_network();
}

TEST_F(Dpdk, a_port_that_is_not_given_up_stays_planned) {
  options_.drive.devices = {{"lo", "net_null0"}};
  const auto engine = open();
  ASSERT_TRUE(engine->attach(1, dataplane::Hook::automatic).has_value());
  const auto lock = lock_engine(share().folder());  // as one that is stopped has it
  const auto refused = engine->detach(1);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(engine->attachments().size(), 1U);
}

TEST_F(Dpdk, an_interface_without_a_device_is_refused_by_name) {
  const auto engine = open();
  const auto refused = engine->attach(1, dataplane::Hook::automatic);  // the loopback
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().text().find("lo"), std::string::npos);
  EXPECT_NE(refused.error().text().find("dataplane.dpdk.ports"), std::string::npos);
}

TEST_F(Dpdk, a_folder_that_others_can_write_to_is_refused) {
  { const auto made = open(); }
  const auto folder = folder_of(options_.instance);
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  EXPECT_TRUE(DpdkDataplane::open(options_).has_error());
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
}

TEST_F(Dpdk, processes_that_begin_at_the_same_time_have_the_same_share) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::future<bool>> all;
    std::barrier together(8);
    for (int i = 0; i < 8; ++i) {
      all.push_back(std::async(std::launch::async, [&] {
        together.arrive_and_wait();
        const MappedShare own = share();
        __atomic_add_fetch(&own->last_capture, 1, __ATOMIC_RELAXED);
        together.arrive_and_wait();
        return own.is_current();
      }));
    }
    for (auto& each : all) EXPECT_TRUE(each.get());
    EXPECT_EQ(share()->last_capture, 8U);
    ASSERT_TRUE(remove_instance(options_.instance).has_value());
  }
}

TEST_F(Dpdk, a_share_of_another_version_is_refused_with_the_way_out) {
  share()->version = kShareVersion + 1;
  const auto refused = DpdkDataplane::open(options_);
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().text().find("astil detach"), std::string::npos);
  ASSERT_TRUE(remove_instance(options_.instance).has_value());
  EXPECT_TRUE(DpdkDataplane::open(options_).has_value());
}

TEST_F(Dpdk, a_share_that_is_damaged_is_refused_and_not_followed) {
  share()->plan.ports = kMostPorts + 1;
  EXPECT_TRUE(DpdkDataplane::open(options_).has_error());
}

TEST_F(Dpdk, a_problem_is_read_whole_or_not_at_all) {
  auto shared = share();
  EXPECT_TRUE(read_problem(*shared).what.empty());
  write_problem(*shared, Error{"no queue", "make one"});
  EXPECT_EQ(read_problem(*shared).what, "no queue");
  EXPECT_EQ(read_problem(*shared).remedy, "make one");
  ++shared->problem_number;  // its writer was killed while it wrote
  EXPECT_TRUE(read_problem(*shared).what.empty());
  write_problem(*shared, Error{"another one", {}});
  EXPECT_EQ(read_problem(*shared).what, "another one");
  EXPECT_TRUE(read_problem(*shared).remedy.empty());
}

TEST_F(Dpdk, a_worker_that_stands_still_is_told_by_two_looks_and_not_by_one_that_is_overdue) {
  const auto engine = open();
  auto shared = share();
  const auto lock = lock_engine(shared.folder());
  shared->running_workers = 1;
  const auto pass = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1010)); };
  (void)engine->mend();
  pass();
  EXPECT_FALSE(engine->port_report()->stands_still) << "this process may have stood still itself";
  ++shared->workers[0].polls;
  (void)engine->mend();
  EXPECT_FALSE(engine->port_report()->stands_still);
  pass();
  (void)engine->mend();
  EXPECT_EQ(engine->port_report()->stands_still, 0U);
  ++shared->workers[0].polls;
  (void)engine->mend();
  EXPECT_FALSE(engine->port_report()->stands_still);
}

TEST_F(Dpdk, ports_are_reported_as_planned_and_closed_while_nobody_runs) {
  options_.drive.devices = {{"lo", "net_null0"}};
  const auto engine = open();
  ASSERT_TRUE(engine->attach(1, dataplane::Hook::automatic).has_value());
  ASSERT_EQ(engine->attachments().size(), 1U);
  const auto report = engine->port_report();
  ASSERT_TRUE(report.has_value());
  EXPECT_FALSE(report->running);
  ASSERT_EQ(report->ports.size(), 1U);
  EXPECT_EQ(report->ports[0].device, "net_null0");
  EXPECT_FALSE(report->ports[0].open);
  EXPECT_TRUE(is_running(options_.instance));
  ASSERT_TRUE(engine->detach(1).has_value());
  EXPECT_FALSE(is_running(options_.instance));
}

}  // namespace
}  // namespace astil::dpdk
