// Sources that are followed: files that change, names whose answers run out, answers that are not followed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "control/discovery/discoveries.hpp"

namespace astil::discovery {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class Sources : public testing::Test {
 protected:
  Sources() : folder_(std::filesystem::temp_directory_path() / ("astil-found-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    begin();
  }
  ~Sources() override {
    set_disk_hangs(false);
    discoveries_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// As a daemon that starts.
  void begin() {
    discoveries_.reset();
    discoveries_.emplace(
        loop_, (folder_ / "kept").string(), [this](const config::DnsDiscovery& /*how*/) { return answer(); },
        [this](const std::string& service) -> Result<void> {
          told_.push_back(service);
          return refusal_.what.empty() ? Result<void>() : Result<void>(refusal_);
        },
        [disk = disk_](const std::string& path) {
          std::unique_lock lock(disk->mutex);
          disk->answers.wait(lock, [&] { return !disk->hangs; });
          lock.unlock();
          return read_set(path);
        });
  }
  void configure(const std::vector<Wanted>& wanted) {
    discoveries_->configure(wanted, [this](const std::string& /*service*/, const Set& set) -> Result<void> {
      if (set.size() > most_) return Error{"too many", {}};
      return {};
    });
  }
  void set_disk_hangs(bool hangs) {
    const std::lock_guard lock(disk_->mutex);
    disk_->hangs = hangs;
    disk_->answers.notify_all();
  }
  Result<Answer> answer() {
    const std::lock_guard lock(mutex_);
    ++asked_;
    return answer_;
  }
  void set_answer(Result<Answer> answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

  void run_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + 20s;  // only a test that fails takes as long
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      loop_.restart();
      loop_.run_one_for(50ms);
    }
  }

  /// As careful writers do it.
  void write(const std::string& text) const {
    std::ofstream(folder_ / "new") << text;
    std::filesystem::rename(folder_ / "new", folder_ / "web.json");
  }
  [[nodiscard]] Wanted file(unsigned at_least = 1) const {
    return {.service = "web", .how = {.path = (folder_ / "web.json").string(), .at_least = at_least}};
  }
  static Wanted name(unsigned at_least = 1) {
    return {.service = "web",
            .how = {.from = config::DiscoveryFrom::dns, .dns = {.name = "web.example.org"}, .at_least = at_least}};
  }
  [[nodiscard]] const Report& report() const { return *discoveries_->report("web"); }
  static Set set_of(std::initializer_list<const char*> hosts) {
    std::vector<Found> all;
    for (const char* host : hosts) all.push_back({.host = boost::asio::ip::make_address(host)});
    return made_set(std::move(all));
  }

  std::filesystem::path folder_;
  boost::asio::io_context loop_;
  std::mutex mutex_;
  /// Threads that read may be there longer than the test.
  struct Disk {
    std::mutex mutex;
    std::condition_variable answers;
    bool hangs = false;
  };
  std::shared_ptr<Disk> disk_ = std::make_shared<Disk>();
  Result<Answer> answer_ = Answer{};
  unsigned asked_ = 0;
  std::vector<std::string> told_;
  Error refusal_;
  std::size_t most_ = 100;  ///< backends that fit, for who configures
  std::optional<Discoveries> discoveries_;
};

TEST_F(Sources, a_file_is_read_at_once_and_again_as_it_changes) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  configure({file()});
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
  EXPECT_TRUE(told_.empty()) << "who configures reads it himself";
  write(R"([{"targets": ["10.0.0.1", "10.0.0.2"]}])");
  run_until([&] { return report().set == set_of({"10.0.0.1", "10.0.0.2"}); });
  EXPECT_EQ(told_, std::vector<std::string>{"web"});
}

TEST_F(Sources, a_file_that_is_wrong_or_gone_keeps_the_last_good_set) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  configure({file()});
  write("[{");
  run_until([&] { return !report().error.empty(); });
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
  EXPECT_THAT(report().error, HasSubstr("not JSON"));
  std::filesystem::remove(folder_ / "web.json");
  run_until([&] { return report().error.find("No such file") != std::string::npos; });
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
  EXPECT_TRUE(told_.empty());
  write(R"([{"targets": ["10.0.0.3"]}])");
  run_until([&] { return report().set == set_of({"10.0.0.3"}); });
  EXPECT_EQ(report().error, "");
}

TEST_F(Sources, a_set_that_does_not_fit_leaves_the_one_before_for_who_configures_too) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  configure({file()});
  most_ = 1;
  write(R"([{"targets": ["10.0.0.1", "10.0.0.2"]}])");
  configure({file()});
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
  EXPECT_EQ(report().error, "too many");
  EXPECT_EQ(report().refused, 1U);
}

TEST_F(Sources, what_could_not_be_used_after_all_is_put_back) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  configure({file()});
  const auto before = discoveries_->sets();
  write(R"([{"targets": ["10.0.0.1", "10.0.0.2"]}])");
  configure({file()});
  ASSERT_EQ(report().set, set_of({"10.0.0.1", "10.0.0.2"}));
  discoveries_->put_back(before, "the table is full");
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
  EXPECT_EQ(report().error, "the table is full");
  EXPECT_EQ(discoveries_->known("web", file().how), set_of({"10.0.0.1"}));
}

TEST_F(Sources, what_is_no_file_is_not_waited_for) {
  ASSERT_EQ(::mkfifo((folder_ / "web.json").c_str(), 0600), 0);
  configure({file()});
  EXPECT_THAT(report().error, HasSubstr("no regular file"));
  std::filesystem::remove(folder_ / "web.json");
  std::filesystem::create_directory(folder_ / "web.json");
  configure({file()});
  EXPECT_THAT(report().error, HasSubstr("no regular file"));
}

TEST_F(Sources, a_file_that_is_too_long_is_not_read) {
  write("[]");
  std::filesystem::resize_file(folder_ / "web.json", kLongestFile + 1);
  configure({file()});
  EXPECT_THAT(report().error, HasSubstr("longer than 8 MiB"));
  std::filesystem::resize_file(folder_ / "web.json", kLongestFile);
  configure({file()});
  EXPECT_THAT(report().error, HasSubstr("not JSON"));
}

TEST_F(Sources, a_disk_that_does_not_answer_holds_the_loop_up_once_and_not_for_long) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  configure({file()});
  set_disk_hangs(true);
  write(R"([{"targets": ["10.0.0.2"]}])");
  configure({file()});  // comes back, or this test does not end
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
  EXPECT_EQ(discoveries_->would_be({file()}).at("web"), set_of({"10.0.0.1"}));
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) configure({file()});
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 100 * Discoveries::kFilesWithin) << "it was waited for each time";
  EXPECT_TRUE(told_.empty());
  set_disk_hangs(false);
  run_until([&] { return report().set == set_of({"10.0.0.2"}); });
  EXPECT_EQ(told_, std::vector<std::string>{"web"});
}

TEST_F(Sources, the_end_does_not_wait_for_a_disk_or_a_name_server) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  set_disk_hangs(true);
  configure({file()});
  discoveries_.reset();  // comes back, or this test does not end
  set_disk_hangs(false);
  loop_.restart();
  loop_.run_for(50ms);
  EXPECT_TRUE(told_.empty());
}

TEST_F(Sources, an_empty_file_empties_no_pool_unless_told_to) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  configure({file()});
  write("[]");
  run_until([&] { return report().refused == 1; });
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
  EXPECT_EQ(report().error, "it names 0 backends, and at_least is 1");
  configure({file(0)});
  EXPECT_EQ(report().set, Set{});
}

TEST_F(Sources, what_can_not_be_used_leaves_the_set_before) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  configure({file()});
  refusal_ = Error{"the table of backends is full", {}};
  write(R"([{"targets": ["10.0.0.2"]}])");
  run_until([&] { return report().refused == 1; });
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
  EXPECT_EQ(report().error, "the table of backends is full");
}

TEST_F(Sources, a_name_is_asked_for_again_when_its_answer_has_run_out) {
  set_answer(Answer{.set = set_of({"10.0.0.1"}), .keep = 1s});
  configure({name()});
  run_until([&] { return report().set == set_of({"10.0.0.1"}); });
  set_answer(Answer{.set = set_of({"10.0.0.9"}), .keep = 1s});
  run_until([&] { return report().set == set_of({"10.0.0.9"}); });
  EXPECT_EQ(told_, (std::vector<std::string>{"web", "web"}));
}

TEST_F(Sources, an_answer_without_records_empties_no_pool) {
  set_answer(Answer{.set = set_of({"10.0.0.1"}), .keep = 1s});
  configure({name()});
  run_until([&] { return report().set.has_value(); });
  set_answer(Answer{});
  run_until([&] { return report().refused == 1; });
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
}

TEST_F(Sources, a_daemon_that_starts_while_the_name_server_is_away_has_the_last_set) {
  set_answer(Answer{.set = set_of({"10.0.0.1", "2001:db8::1"}), .keep = 1s});
  configure({name()});
  run_until([&] { return report().set.has_value(); });
  set_answer(Error{"no answer", {}});
  begin();
  configure({name()});
  EXPECT_EQ(report().set, set_of({"10.0.0.1", "2001:db8::1"}));
  run_until([&] { return report().failed == 1; });
  EXPECT_EQ(report().set, set_of({"10.0.0.1", "2001:db8::1"}));
}

TEST_F(Sources, a_change_that_is_taken_back_finds_what_was_known) {
  set_answer(Answer{.set = set_of({"10.0.0.1"}), .keep = 100s});
  configure({name()});
  run_until([&] { return report().set.has_value(); });
  configure({});
  EXPECT_EQ(discoveries_->report("web"), nullptr);
  set_answer(Error{"no answer", {}});
  configure({name()});
  EXPECT_EQ(report().set, set_of({"10.0.0.1"}));
}

TEST_F(Sources, a_plan_reads_a_file_that_is_not_followed_yet) {
  write(R"([{"targets": ["10.0.0.1"]}])");
  EXPECT_EQ(discoveries_->would_be({file()}), (std::map<std::string, Set>{{"web", set_of({"10.0.0.1"})}}));
  EXPECT_THAT(discoveries_->would_be({name()}), testing::IsEmpty());
}

}  // namespace
}  // namespace astil::discovery
