// The agent's parts against the kernel itself, in a network namespace that goes with the process. Needs root.
#include <gtest/gtest.h>
#include <sched.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "agent/held_addresses.hpp"
#include "agent/local_addresses.hpp"

namespace astil::agent {
namespace {

using boost::asio::ip::make_address_v4;

const auto kVip = make_address_v4("192.0.2.20");
const auto kFirst = make_address_v4("198.51.100.21");
const auto kSecond = make_address_v4("198.51.100.22");

class agent_lab : public testing::Test {
 protected:
  static constexpr auto kLimit = std::chrono::seconds(20);  // only a test that fails takes as long

  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root: a network namespace can not be made";
    std::string name = (std::filesystem::temp_directory_path() / "astil-agent-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    run("ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up");
    network_ = net::Network::open(loop_, {}).value();
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }
  [[nodiscard]] static bool on_loopback() {
    return std::system("ip -o address show dev lo | grep -q 192.0.2.20/32") == 0;
  }

  /// One agent's addresses.
  struct Agent {
    Agent(const std::filesystem::path& folder, net::Network& network)
        : shared(SharedState::open(folder, network_namespace().value()).value()), addresses(shared, network) {
      addresses.hold(kVip).value();
    }
    SharedState shared;
    HeldAddresses addresses;
  };

  /// Runs the loop until the addresses are these.
  [[nodiscard]] bool come(const LocalAddresses::Addresses& seen, const LocalAddresses::Addresses& wanted) {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (seen != wanted && std::chrono::steady_clock::now() < end) loop_.run_one_for(kLimit);
    return seen == wanted;
  }

  boost::asio::io_context loop_;
  std::filesystem::path folder_;
  std::unique_ptr<net::Network> network_;
};

TEST_F(agent_lab, an_address_stays_while_an_agent_holds_it) {
  std::optional<Agent> first;
  std::optional<Agent> second;
  first.emplace(folder_, *network_);
  second.emplace(folder_, *network_);
  first.reset();
  EXPECT_TRUE(on_loopback());
  second.reset();
  EXPECT_FALSE(on_loopback());
}

TEST_F(agent_lab, an_address_of_somebody_else_stays) {
  run("ip address add 192.0.2.20/32 dev lo");
  std::optional<Agent> agent;
  agent.emplace(folder_, *network_);
  agent.reset();
  EXPECT_TRUE(on_loopback());
}

TEST_F(agent_lab, a_network_namespace_is_known_by_a_number_of_its_own) {
  const auto here = network_namespace().value();
  EXPECT_EQ(network_namespace().value(), here);
  ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
  EXPECT_NE(network_namespace().value(), here);
}

TEST_F(agent_lab, addresses_are_followed_as_they_come_and_go) {
  run("ip address add 198.51.100.21/24 dev v0");
  LocalAddresses::Addresses seen;
  const auto following = LocalAddresses::follow(loop_, [&](const auto& local) { seen = local; });
  ASSERT_TRUE(following.has_value()) << following.error().text();
  EXPECT_EQ(seen, LocalAddresses::Addresses{kFirst}) << "127.0.0.1 is no place where a tunnel ends";
  run("ip address add 198.51.100.22/32 dev v0");
  EXPECT_TRUE(come(seen, {kFirst, kSecond}));
  run("ip address del 198.51.100.21/24 dev v0");
  EXPECT_TRUE(come(seen, {kSecond}));
}

}  // namespace
}  // namespace astil::agent
