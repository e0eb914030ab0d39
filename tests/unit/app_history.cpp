// What the history of configurations keeps, over restarts and full disks, and what a daemon starts with.
#include "control/app/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "control/app/confirmation.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::app {
namespace {

using api::ChangeResult;
using std::chrono::seconds;
using testing::HasSubstr;

class HandAlarm final : public health::Alarm {
 public:
  [[nodiscard]] health::Clock::time_point now() const override { return now_; }
  void set(health::Clock::time_point at, std::function<void()> wake) override { order = {at, std::move(wake)}; }
  void clear() override { order.reset(); }
  void pass(health::Clock::duration span) {
    now_ += span;
    if (!order || order->first > now_) return;
    const auto wake = std::exchange(order, std::nullopt)->second;
    wake();
  }
  std::optional<std::pair<health::Clock::time_point, std::function<void()>>> order;

 private:
  health::Clock::time_point now_{};
};

class AHistory : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<History> open() { return std::make_unique<History>(loop, alarm, folder / "main"); }
  static std::uint64_t add(History& history, const std::string& text, ChangeResult result = ChangeResult::applied) {
    return history.add({.file = "a.yaml", .result = result}, text);
  }

  test::TemporaryFolder folder;
  boost::asio::io_context loop;
  HandAlarm alarm;
};

TEST_F(AHistory, outlives_its_daemon_texts_and_all) {
  auto first = open();
  EXPECT_EQ(first->running(), 0U);
  add(*first, "one");
  first->add({.by = api::ChangedBy::rollback, .uid = 7, .file = "b.yaml"}, "two");
  ASSERT_TRUE(first->flush());
  first.reset();
  const auto again = open();
  ASSERT_EQ(again->entries().size(), 2U);
  const api::HistoryEntry& last = again->entries().back();
  EXPECT_EQ(last.number, 2U);
  EXPECT_EQ(last.before, 1U);
  EXPECT_EQ(last.uid, 7U);
  EXPECT_EQ(last.by, api::ChangedBy::rollback);
  EXPECT_EQ(last.file, "b.yaml");
  EXPECT_EQ(last.digest, "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3");
  EXPECT_EQ(again->text(1).value(), "one");
  EXPECT_EQ(again->text(2).value(), "two");
  EXPECT_EQ(add(*again, "three"), 3U);
}

TEST_F(AHistory, says_when_all_is_on_the_disk_without_anybody_waiting) {
  const auto history = open();
  add(*history, "one");
  const auto written = history->begin_flush();
  std::optional<Result<>> outcome;
  while (!(outcome = written())) std::this_thread::yield();
  EXPECT_TRUE(outcome->has_value());
  EXPECT_EQ(open()->text(1).value(), "one");
}

TEST_F(AHistory, tells_of_a_number_that_it_has_not) {
  const auto history = open();
  EXPECT_THAT(history->text(9).error().what, HasSubstr("no configuration 9"));
}

TEST_F(AHistory, does_not_go_back_to_a_text_that_somebody_has_changed) {
  const auto history = open();
  add(*history, "one");
  ASSERT_TRUE(history->flush());
  std::ofstream(folder / "main/1.yaml") << "another";
  EXPECT_THAT(history->text(1).error().what, HasSubstr("digest is another"));
}

TEST_F(AHistory, forgets_the_oldest_beyond_its_number_and_its_files) {
  const auto history = open();
  for (std::size_t i = 0; i < History::kMostEntries + 3; ++i) add(*history, std::to_string(i));
  ASSERT_TRUE(history->flush());
  EXPECT_EQ(history->entries().size(), History::kMostEntries);
  EXPECT_EQ(history->entries().front().number, 4U);
  EXPECT_FALSE(std::filesystem::exists(folder / "main/3.yaml"));
  EXPECT_TRUE(std::filesystem::exists(folder / "main/4.yaml"));
}

TEST_F(AHistory, forgets_the_oldest_beyond_its_size_but_never_the_newest_two) {
  const auto history = open();
  const std::string large(History::kMostBytes / 2 + 1, '#');
  for (const char* name : {"1", "2", "3"}) add(*history, large + name);
  EXPECT_EQ(history->entries().size(), 2U);
  EXPECT_EQ(history->text(2).value(), large + "2");
}

TEST_F(AHistory, that_can_not_be_written_stays_in_memory_is_counted_and_tried_again) {
  std::ofstream(folder / "main") << "a file where the folder should be";
  const auto history = open();
  add(*history, "one");
  EXPECT_FALSE(history->flush());
  ASSERT_TRUE(history->failure());
  EXPECT_EQ(history->failures(), 1U);
  EXPECT_EQ(history->text(1).value(), "one");
  std::filesystem::remove(folder / "main");
  ASSERT_TRUE(alarm.order) << "it is tried again";
  alarm.pass(Retry::kFirst);
  ASSERT_TRUE(history->flush());
  EXPECT_FALSE(history->failure());
  EXPECT_EQ(open()->text(1).value(), "one");
}

TEST_F(AHistory, whose_index_is_damaged_is_put_aside_and_begins_anew_without_using_a_number_twice) {
  {
    const auto history = open();
    add(*history, "one");
    ASSERT_TRUE(history->flush());
  }
  std::ofstream(folder / "main/index.json") << "{";
  const auto history = open();
  EXPECT_EQ(history->running(), 0U);
  EXPECT_EQ(add(*history, "two"), 2U);
  EXPECT_TRUE(std::filesystem::exists(folder / "main/index.json.broken"));
}

TEST_F(AHistory, keeps_a_folder_that_only_its_owner_can_read) {
  const auto history = open();
  add(*history, "one");
  ASSERT_TRUE(history->flush());
  EXPECT_EQ(std::filesystem::status(folder / "main").permissions(), std::filesystem::perms::owner_all);
}

class AStart : public AHistory {
 protected:
  [[nodiscard]] std::optional<std::uint64_t> with_file(const History& history, const std::string& text) {
    return instead_of(history.entries(), digest_of(text));
  }
};

TEST_F(AStart, is_with_the_file_where_nothing_speaks_against_it) {
  const auto history = open();
  EXPECT_EQ(with_file(*history, "one"), std::nullopt);
  add(*history, "one");
  add(*history, "two", ChangeResult::confirmed);
  for (const char* text : {"one", "two", "new"}) EXPECT_EQ(with_file(*history, text), std::nullopt) << text;
}

TEST_F(AStart, is_with_what_ran_before_where_the_file_was_not_confirmed) {
  const auto history = open();
  add(*history, "one");
  const std::uint64_t waiting = add(*history, "two", ChangeResult::awaiting);
  EXPECT_EQ(with_file(*history, "two"), 1U);
  EXPECT_EQ(with_file(*history, "one"), std::nullopt);
  EXPECT_EQ(with_file(*history, "new"), std::nullopt);
  history->settle(waiting, ChangeResult::taken_back);
  add(*history, "one");
  EXPECT_EQ(with_file(*history, "two"), 3U) << "at every start from then on";
  add(*history, "two");
  EXPECT_EQ(with_file(*history, "two"), std::nullopt) << "until somebody applies it for good";
}

TEST(AConfirmation, that_does_not_come_takes_back_at_the_deadline_and_tries_until_it_is_done) {
  HandAlarm alarm;
  int tries = 0;
  bool works = false;
  Confirmation confirmation(alarm, [&] {
    ++tries;
    return works;
  });
  confirmation.await(seconds(60));
  alarm.pass(seconds(59));
  EXPECT_EQ(tries, 0);
  alarm.pass(seconds(1));
  EXPECT_EQ(tries, 1);
  EXPECT_TRUE(confirmation.awaits());
  works = true;
  alarm.pass(Confirmation::kAgain);
  EXPECT_EQ(tries, 2);
  EXPECT_FALSE(confirmation.awaits());
  EXPECT_FALSE(alarm.order);
}

TEST(AConfirmation, that_comes_ends_the_wait) {
  HandAlarm alarm;
  int tries = 0;
  Confirmation confirmation(alarm, [&] { return ++tries > 0; });
  confirmation.await(seconds(60));
  confirmation.end();
  alarm.pass(seconds(100));
  EXPECT_EQ(tries, 0);
}

}  // namespace
}  // namespace astil::app
