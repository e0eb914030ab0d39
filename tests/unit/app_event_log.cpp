// What the log of events remembers, what followers hear of it, and what is left of it after a restart.
#include "control/app/event_log.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "control/app/event_file.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::app {
namespace {

using api::EventKind;

class Events : public testing::Test {
 protected:
  static constexpr std::size_t kSmall = 100;

  void health(const std::string& backend, const std::string& state, const std::string& reason = {}) {
    log.change(EventKind::health, {.service = "web", .backend = backend, .after = state, .reason = reason}, "unknown");
  }
  void flap(int times) {
    for (int i = 0; i < times; ++i) health("b1", i % 2 == 0 ? "down" : "up");
  }

  api::TimePoint now{std::chrono::microseconds(1'000'000'000'123'456)};
  std::vector<api::EventView> kept;
  EventLog log{[this] { return now; }, [this](const api::EventView& event) { kept.push_back(event); }, kSmall};
};

TEST_F(Events, a_change_is_told_once_with_time_and_what_was_before) {
  health("b1", "up");
  health("b1", "up");
  health("b1", "down", "connect: Connection refused");
  const auto events = log.of_backend({"web", "b1"});
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].before, "unknown");
  EXPECT_EQ(events[1].number, 2U);
  EXPECT_EQ(events[1].time, "2001-09-09T01:46:40.123456Z");
  EXPECT_EQ(events[1].before, "up");
  EXPECT_EQ(events[1].after, "down");
  EXPECT_EQ(events[1].reason, "connect: Connection refused");
  EXPECT_EQ(kept.size(), 2U);
}

TEST_F(Events, what_is_as_usual_is_not_told_at_first) {
  log.change(EventKind::interface, {.interface = "eth0", .after = "up"}, "up");
  EXPECT_EQ(log.number(), 0U);
  log.change(EventKind::interface, {.interface = "eth0", .after = "down"}, "up");
  EXPECT_EQ(log.number(), 1U);
}

TEST_F(Events, a_backend_that_flaps_pushes_out_its_own_events_only) {
  health("b2", "down", "the only one");
  flap(1000);
  EXPECT_EQ(log.of_backend({"web", "b1"}).size(), EventLog::kHeldOfBackend);
  EXPECT_EQ(log.of_backend({"web", "b1"}).back().number, 1001U);
  ASSERT_EQ(log.of_backend({"web", "b2"}).size(), 1U);
  EXPECT_EQ(log.last({}, 100'000).size(), kSmall);
}

TEST_F(Events, removed_backends_are_remembered_to_a_limit) {
  for (int i = 0; i < static_cast<int>(EventLog::kMostRemoved) + 10; ++i) health("r" + std::to_string(i), "up");
  health("b1", "up");
  log.keep_only({{"web", "b1"}});
  EXPECT_EQ(log.backends().size(), EventLog::kMostRemoved + 1);
  EXPECT_EQ(log.of_backend({"web", "r999"}).back().after, "removed");
  const std::uint64_t number = log.number();
  log.keep_only({{"web", "b1"}});
  EXPECT_EQ(log.number(), number) << "told twice";
}

TEST_F(Events, a_removed_backend_that_comes_back_is_not_forgotten) {
  health("b1", "up");
  log.keep_only({});
  log.change(EventKind::rotation, {.service = "web", .backend = "b1", .after = "in"});
  EXPECT_EQ(log.of_backend({"web", "b1"}).back().before, "removed");
  log.keep_only({{"web", "b1"}});
  EXPECT_EQ(log.of_backend({"web", "b1"}).size(), 3U);
}

TEST_F(Events, a_follower_hears_what_it_asked_for_from_then_on) {
  health("b1", "up");
  auto all = *log.follow({}, std::nullopt);
  auto of_b2 = *log.follow({.service = {}, .backend = "b2"}, std::nullopt);
  int woken = 0;
  of_b2->on_ready([&] { ++woken; });
  health("b1", "down");
  EXPECT_EQ(woken, 0);
  health("b2", "down");
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(all->take().size(), 2U);
  EXPECT_TRUE(all->take().empty());
  ASSERT_EQ(of_b2->take().size(), 1U);
  EXPECT_EQ(log.followers(), 2U);
}

TEST_F(Events, a_follower_that_comes_again_goes_on_where_it_was) {
  flap(10);
  auto again = *log.follow({}, 7);
  const auto events = again->take();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].number, 8U);
  EXPECT_EQ(again->missing(), 0U);
}

TEST_F(Events, a_follower_is_told_how_many_are_gone_that_it_wanted) {
  flap(150);
  auto late = *log.follow({}, 10);
  EXPECT_EQ(late->missing(), 40U);
  EXPECT_EQ(late->take().front().number, 51U);
  auto ahead = *log.follow({}, 1'000'000);  // of another history: it hears of what comes
  flap(1);
  EXPECT_EQ(ahead->take().size(), 1U);
}

TEST_F(Events, a_follower_that_falls_behind_is_dropped_and_counted_once) {
  auto slow = *log.follow({}, std::nullopt);
  auto quick = *log.follow({}, std::nullopt);
  int woken = 0;
  for (std::size_t i = 0; i < kSmall; ++i) {
    flap(2);
    while (!quick->take().empty()) {
    }
  }
  slow->on_ready([&] { ++woken; });
  EXPECT_TRUE(slow->fell_behind());
  EXPECT_TRUE(slow->take().empty());
  slow->give_up();
  EXPECT_FALSE(quick->fell_behind());
  EXPECT_EQ(log.slow(), 1U);
}

TEST_F(Events, there_is_a_limit_of_followers) {
  std::vector<std::unique_ptr<api::EventFollower>> followers;
  for (std::size_t i = 0; i < EventLog::kMostFollowers; ++i) followers.push_back(*log.follow({}, std::nullopt));
  EXPECT_TRUE(log.follow({}, std::nullopt).has_error());
  followers.pop_back();
  EXPECT_TRUE(log.follow({}, std::nullopt).has_value());
}

TEST_F(Events, a_restart_goes_on_with_numbers_and_states) {
  test::TemporaryFolder folder;
  {
    EventFile file(folder / "main.events");
    health("b1", "up");
    health("b1", "down", "a \"quoted\"\nreason");
    for (const auto& event : kept) file.append(event);
  }
  EventLog after([this] { return now; }, [](const api::EventView&) {});
  EventFile(folder / "main.events").read([&](api::EventView event) { after.restore(std::move(event)); });
  EXPECT_EQ(after.number(), 2U);
  EXPECT_EQ(after.of_backend({"web", "b1"}).back().reason, "a \"quoted\"\nreason");
  after.change(EventKind::health, {.service = "web", .backend = "b1", .after = "down"}, "unknown");
  EXPECT_EQ(after.number(), 2U) << "it was down before the restart";
}

TEST_F(Events, a_torn_line_costs_itself_alone) {
  test::TemporaryFolder folder;
  const std::string path = folder / "main.events";
  health("b1", "up");
  health("b1", "down");
  { EventFile(path).append(kept[0]); }
  std::ofstream(path, std::ios::app) << R"({"number":7,"time)";
  { EventFile(path).append(kept[1]); }
  std::vector<std::uint64_t> numbers;
  EventFile(path).read([&](const api::EventView& event) { numbers.push_back(event.number); });
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(Events, the_files_stay_small_and_hold_the_last_events) {
  test::TemporaryFolder folder;
  const std::string path = folder / "main.events";
  constexpr std::size_t kMost = 4096;
  flap(200);
  for (const auto& event : kept) EventFile(path, kMost).append(event);
  std::size_t read = 0;
  std::uint64_t last = 0;
  EventFile(path, kMost).read([&](const api::EventView& event) {
    EXPECT_TRUE(last == 0 || event.number == last + 1);
    last = event.number;
    ++read;
  });
  EXPECT_EQ(last, 200U);
  EXPECT_GT(read, 20U);
  EXPECT_LT(std::filesystem::file_size(path + ".old"), 2 * kMost);
}

TEST_F(Events, what_can_not_be_written_is_counted_and_told) {
  test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "main.events");  // no file can be there
  std::uint64_t unkept = 0;
  std::string failure;
  {
    EventFile file(folder / "main.events");
    health("b1", "up");
    file.append(kept[0]);
    while (file.unkept() == 0) std::this_thread::yield();
    while (file.failure().empty()) std::this_thread::yield();
    unkept = file.unkept();
    failure = file.failure();
  }
  EXPECT_EQ(unkept, 1U);
  EXPECT_NE(failure.find("Is a directory"), std::string::npos) << failure;
}

}  // namespace
}  // namespace astil::app
