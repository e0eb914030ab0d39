// Agents of one host leave its settings to each other, and the last one leaves them as the first found them. The
// kernel's files are ordinary ones here.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "agent/arp_settings.hpp"
#include "agent/shared_state.hpp"

namespace astil::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kHere = 1;
constexpr std::uint64_t kOtherNamespace = 2;

class Sharing : public testing::Test {
 protected:
  Sharing() {
    std::string name = (fs::temp_directory_path() / "astil-agent-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    for (const char* interface : {"all", "eth0", "eth1"}) {
      fs::create_directories(conf() / interface);
      for (const char* setting : {"arp_ignore", "arp_announce", "rp_filter"}) write(interface, setting, 0);
    }
  }
  ~Sharing() override { fs::remove_all(root_); }

  [[nodiscard]] fs::path conf() const { return root_ / "conf"; }
  void write(const std::string& interface, const std::string& setting, int value) const {
    std::ofstream(conf() / interface / setting) << value;
  }
  [[nodiscard]] int read(const std::string& interface, const std::string& setting) const {
    int value = -1;
    std::ifstream(conf() / interface / setting) >> value;
    return value;
  }
  [[nodiscard]] SharedState join(std::uint64_t scope = kHere) const {
    return SharedState::open(root_ / "run", scope).value();
  }

  /// Settings of one agent, which end with it.
  struct Agent {
    Agent(SharedState joined, const fs::path& conf, const std::string& interface)
        : shared(std::move(joined)), arp(shared, conf) {
      arp.apply(interface).value();
    }
    SharedState shared;
    ArpSettings arp;
  };
  void start(std::optional<Agent>& agent, const std::string& interface) { agent.emplace(join(), conf(), interface); }
  /// An agent that ends without putting anything back.
  void start_and_kill(const std::string& interface) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::optional<Agent> agent;
      start(agent, interface);
      ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
  }

  fs::path root_;
};

TEST_F(Sharing, an_agent_puts_back_what_it_found) {
  write("eth0", "rp_filter", 1);
  std::optional<Agent> agent;
  start(agent, "eth0");
  EXPECT_EQ(read("all", "arp_ignore"), 1);
  EXPECT_EQ(read("all", "arp_announce"), 2);
  EXPECT_EQ(read("eth0", "rp_filter"), 2);
  agent.reset();
  EXPECT_EQ(read("all", "arp_ignore"), 0);
  EXPECT_EQ(read("all", "arp_announce"), 0);
  EXPECT_EQ(read("eth0", "rp_filter"), 1);
}

TEST_F(Sharing, an_agent_that_ends_leaves_the_settings_to_the_other) {
  std::optional<Agent> first;
  std::optional<Agent> second;
  start(first, "eth0");
  start(second, "eth1");
  first.reset();
  EXPECT_EQ(read("all", "arp_ignore"), 1);
  EXPECT_EQ(read("all", "arp_announce"), 2);
  second.reset();
  EXPECT_EQ(read("all", "arp_ignore"), 0);
  EXPECT_EQ(read("all", "arp_announce"), 0);
}

TEST_F(Sharing, the_agent_after_a_killed_one_puts_back_what_that_one_found) {
  write("eth0", "rp_filter", 1);
  start_and_kill("eth0");
  ASSERT_EQ(read("all", "arp_ignore"), 1);
  ASSERT_EQ(read("eth0", "rp_filter"), 2);
  std::optional<Agent> next;
  start(next, "eth0");
  next.reset();
  EXPECT_EQ(read("all", "arp_ignore"), 0);
  EXPECT_EQ(read("eth0", "rp_filter"), 1);
}

TEST_F(Sharing, a_killed_agent_does_not_keep_the_others_from_putting_back) {
  std::optional<Agent> agent;
  start(agent, "eth0");
  start_and_kill("eth1");
  agent.reset();
  EXPECT_EQ(read("all", "arp_ignore"), 0);
}

TEST_F(Sharing, the_hosts_own_choice_stays) {
  write("all", "arp_ignore", 2);
  write("eth0", "rp_filter", 2);
  std::optional<Agent> agent;
  start(agent, "eth0");
  agent.reset();
  EXPECT_EQ(read("all", "arp_ignore"), 2);
  EXPECT_EQ(read("eth0", "rp_filter"), 2);
}

TEST_F(Sharing, a_setting_that_somebody_changed_meanwhile_stays) {
  std::optional<Agent> agent;
  start(agent, "eth0");
  write("all", "arp_ignore", 8);
  agent.reset();
  EXPECT_EQ(read("all", "arp_ignore"), 8);
}

TEST_F(Sharing, nothing_is_shared_between_network_namespaces) {
  SharedState here = join(kHere);
  SharedState there = join(kOtherNamespace);
  here.turn().value().hold("thing", "before").value();
  EXPECT_FALSE(there.turn().value().found("thing").has_value());
}

TEST_F(Sharing, leaves_no_note_behind) {
  std::optional<Agent> agent;
  start(agent, "eth0");
  agent.reset();
  for (const auto& entry : fs::directory_iterator(root_ / "run")) EXPECT_EQ(entry.path().filename(), "lock");
}

TEST_F(Sharing, says_which_folder_can_not_be_made) {
  std::ofstream(root_ / "file") << "in the way";
  const auto opened = SharedState::open(root_ / "file" / "run", kHere);
  ASSERT_TRUE(opened.has_error());
  EXPECT_NE(opened.error().text().find((root_ / "file" / "run").string()), std::string::npos) << opened.error().text();
}

}  // namespace
}  // namespace astil::agent
