// control/net against the kernel itself: two network namespaces with a veth pair between them, made by each test and
// gone with its process, whatever happens to it. Needs root.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "control/net/kernel_tables.hpp"
#include "control/net/network.hpp"
#include "control/net/sysctl.hpp"

namespace astil::net {
namespace {

using boost::asio::ip::make_address;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A network namespace that lives as long as its descriptor.
class Namespace {
 public:
  Namespace() {
    if (unshare(CLONE_NEWNET) == 0) descriptor_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  }
  ~Namespace() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  [[nodiscard]] bool exists() const { return descriptor_ >= 0; }
  [[nodiscard]] std::string path() const {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(descriptor_);
  }
  void enter() const { ASSERT_EQ(setns(descriptor_, CLONE_NEWNET), 0); }

 private:
  int descriptor_ = -1;
};

class net_lab : public testing::Test {
 protected:
  static constexpr auto kLimit = std::chrono::seconds(20);  // only a test that fails takes as long

  void SetUp() override {
    if (!peer_.exists() || !here_.exists()) GTEST_SKIP() << "needs root: a network namespace can not be made";
    here_.enter();
    write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    make_wire();
    open();
  }

  void make_wire() {
    run("ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02");
    run("ip link set v1 netns " + peer_.path());
    run("ip addr add 10.1.0.1/24 dev v0 && ip -6 addr add fd00::1/64 dev v0 nodad && ip link set v0 up");
    there("ip addr add 10.1.0.2/24 dev v1 && ip -6 addr add fd00::2/64 dev v1 nodad && ip link set v1 up");
  }

  void open() {
    Events events;
    events.on_link_change = [this](const std::string& name) { link_changes_.insert(name); };
    events.on_next_hop_change = [this](const address& host) { hop_changes_.insert(host); };
    events.on_address_lost = [this](const std::string& interface, const InterfaceAddress& gone) {
      lost_.insert(gone.host.to_string() + " " + interface);
    };
    auto opened = Network::open(loop_, std::move(events));
    ASSERT_TRUE(opened) << opened.error().text();
    network_ = std::move(*opened);
  }

  static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  void there(const std::string& command) {
    peer_.enter();
    run(command);
    here_.enter();
  }

  static void write(const std::string& path, const std::string& value) { std::ofstream(path) << value; }

  /// Lets the loop take what the kernel tells, until the condition holds.
  template <class Condition>
  [[nodiscard]] bool until(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + kLimit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      loop_.run_one_until(limit);
    }
    return true;
  }

  [[nodiscard]] bool resolved(const address& host) {
    return until([&] { return network_->next_hop(host).has_value(); });
  }

  std::optional<Neighbour> entry_of(const address& host) {
    auto socket = NetlinkSocket::open({});
    return KernelTables(*socket).neighbour({network_->link("v0")->ifindex, host});
  }

  // The peer's first: the process is left in the last one made.
  Namespace peer_;
  Namespace here_;
  boost::asio::io_context loop_;
  std::unique_ptr<Network> network_;
  std::set<std::string> link_changes_;
  std::set<address> hop_changes_;
  std::set<std::string> lost_;
  const address host_ = make_address("10.1.0.2");
};

TEST_F(net_lab, interfaces_are_known_when_it_opens) {
  const auto link = network_->link("v0");
  ASSERT_TRUE(link);
  EXPECT_EQ(to_string(*link->mac), "02:00:00:00:00:01");
  EXPECT_EQ(link->mtu, 1500U);
  EXPECT_TRUE(link->up);
  EXPECT_FALSE(network_->link("v1"));
}

TEST_F(net_lab, a_neighbour_on_the_link_is_resolved_at_once) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  const auto hop = network_->next_hop(host_);
  EXPECT_EQ(hop->ifindex, network_->link("v0")->ifindex);
  EXPECT_EQ(to_string(hop->source_mac), "02:00:00:00:00:01");
  EXPECT_EQ(to_string(hop->neighbour_mac), "02:00:00:00:00:02");
  EXPECT_EQ(hop->source_address, make_address("10.1.0.1"));
  EXPECT_EQ(hop->mtu, 1500U);
  EXPECT_THAT(hop_changes_, ElementsAre(host_));
}

TEST_F(net_lab, an_ipv6_neighbour_is_resolved_as_well) {
  const address host = make_address("fd00::2");
  network_->track({host});
  ASSERT_TRUE(resolved(host));
  EXPECT_EQ(to_string(network_->next_hop(host)->neighbour_mac), "02:00:00:00:00:02");
  EXPECT_EQ(network_->next_hop(host)->source_address, make_address("fd00::1"));
}

TEST_F(net_lab, addresses_behind_one_gateway_share_its_mac) {
  run("ip route add 10.9.0.0/24 via 10.1.0.2");
  const address a = make_address("10.9.0.1");
  const address b = make_address("10.9.0.2");
  network_->track({a, b});
  ASSERT_TRUE(resolved(a));
  ASSERT_TRUE(resolved(b));
  EXPECT_EQ(to_string(network_->next_hop(b)->neighbour_mac), "02:00:00:00:00:02");
}

TEST_F(net_lab, an_ipv4_route_by_an_ipv6_gateway_leads_to_its_mac) {
  run("ip route add 10.9.0.0/24 via inet6 fd00::2 dev v0");
  const address behind = make_address("10.9.0.1");
  network_->track({behind});
  ASSERT_TRUE(resolved(behind));
  EXPECT_EQ(to_string(network_->next_hop(behind)->neighbour_mac), "02:00:00:00:00:02");
}

TEST_F(net_lab, a_new_mac_of_a_neighbour_is_noticed) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  hop_changes_.clear();
  write("/proc/sys/net/ipv4/conf/v0/arp_accept", "1");
  there("echo 1 > /proc/sys/net/ipv4/conf/v1/arp_notify");
  there("ip link set v1 address 02:00:00:00:00:22");
  ASSERT_TRUE(until([&] { return hop_changes_.contains(host_); }));
  EXPECT_EQ(to_string(network_->next_hop(host_)->neighbour_mac), "02:00:00:00:00:22");
}

TEST_F(net_lab, a_route_that_changes_or_goes_is_noticed) {
  run("ip route add 10.9.0.0/24 via 10.1.0.2");
  const address behind = make_address("10.9.0.1");
  network_->track({behind});
  ASSERT_TRUE(resolved(behind));
  run("ip route replace 10.9.0.0/24 via 10.1.0.2 mtu 1400");
  ASSERT_TRUE(until([&] { return network_->next_hop(behind) && network_->next_hop(behind)->mtu == 1400; }));
  hop_changes_.clear();
  run("ip route del 10.9.0.0/24");
  ASSERT_TRUE(until([&] { return !network_->next_hop(behind); }));
  EXPECT_THAT(hop_changes_, ElementsAre(behind));
  EXPECT_THAT(network_->next_hop(behind).error().what, HasSubstr("no route to 10.9.0.1"));
}

TEST_F(net_lab, a_policy_rule_that_diverts_an_address_is_noticed) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  run("ip rule add to 10.1.0.2 blackhole");
  ASSERT_TRUE(until([&] { return !network_->next_hop(host_); }));
  run("ip rule del to 10.1.0.2 blackhole");
  EXPECT_TRUE(resolved(host_));
}

TEST_F(net_lab, an_interface_that_is_made_anew_is_used_with_its_new_index) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  const std::uint32_t before = network_->link("v0")->ifindex;
  run("ip link del v0");
  ASSERT_TRUE(until([&] { return !network_->link("v0"); }));
  EXPECT_FALSE(network_->next_hop(host_));
  make_wire();
  ASSERT_TRUE(resolved(host_));
  EXPECT_NE(network_->next_hop(host_)->ifindex, before);
  EXPECT_EQ(network_->next_hop(host_)->ifindex, network_->link("v0")->ifindex);
}

TEST_F(net_lab, a_rename_is_told_of_both_names) {
  run("ip link set v0 down && ip link set v0 name w0");
  ASSERT_TRUE(until([&] { return link_changes_.contains("w0"); }));
  EXPECT_THAT(link_changes_, Contains("v0"));
  EXPECT_FALSE(network_->link("v0"));
}

TEST_F(net_lab, a_lost_carrier_is_no_next_hop_until_it_is_back) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  there("ip link set v1 down");
  ASSERT_TRUE(until([&] { return !network_->next_hop(host_); }));
  EXPECT_EQ(network_->next_hop(host_).error().what, "interface v0 has no carrier");
  there("ip link set v1 up");
  EXPECT_TRUE(resolved(host_));
}

TEST_F(net_lab, the_kernel_keeps_a_neighbour_fresh_until_it_is_untracked) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  EXPECT_TRUE(entry_of(host_)->managed);
  EXPECT_EQ(entry_of(host_)->originator, kOriginator);
  network_->track({});
  EXPECT_FALSE(entry_of(host_)->managed);
  EXPECT_TRUE(entry_of(host_)->valid());
}

TEST_F(net_lab, neighbours_are_given_back_at_the_end) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  const NeighbourKey key{network_->link("v0")->ifindex, host_};
  network_.reset();
  auto socket = NetlinkSocket::open({});
  EXPECT_FALSE(KernelTables(*socket).neighbour(key)->managed);
}

TEST_F(net_lab, neighbours_of_a_run_that_crashed_are_given_back_by_the_next) {
  auto socket = NetlinkSocket::open({});
  KernelTables(*socket).keep({network_->link("v0")->ifindex, host_});
  ASSERT_TRUE(entry_of(host_)->managed);
  open();
  network_->track({});
  EXPECT_FALSE(entry_of(host_)->managed);
}

TEST_F(net_lab, a_static_neighbour_stays_static) {
  run("ip neigh add 10.1.0.2 lladdr 02:00:00:00:00:99 dev v0 nud permanent");
  network_->resolve(host_, network_->link("v0")->ifindex);
  EXPECT_TRUE(entry_of(host_)->foreign());
  network_->track({host_});
  EXPECT_EQ(to_string(network_->next_hop(host_)->neighbour_mac), "02:00:00:00:00:99");
  network_->resolve(host_, network_->link("v0")->ifindex);
  network_->track({});
  EXPECT_TRUE(entry_of(host_)->foreign());
}

TEST_F(net_lab, a_flushed_neighbour_table_costs_no_next_hop) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  hop_changes_.clear();
  run("ip neigh del 10.1.0.2 dev v0");
  ASSERT_TRUE(until([&] {
    const auto entry = entry_of(host_);
    return entry && entry->managed && network_->next_hop(host_)->neighbour_answers;
  }));
  EXPECT_EQ(to_string(network_->next_hop(host_)->neighbour_mac), "02:00:00:00:00:02");
}

TEST_F(net_lab, an_unknown_client_neighbour_is_resolved_on_demand) {
  EXPECT_FALSE(entry_of(host_));
  network_->resolve(host_, network_->link("v0")->ifindex);
  ASSERT_TRUE(until([&] {
    loop_.poll();
    return entry_of(host_)->valid();
  }));
  EXPECT_FALSE(entry_of(host_)->managed);
}

TEST_F(net_lab, an_address_is_added_once_and_known_to_the_next_run) {
  const address vip = make_address("10.7.0.1");
  ASSERT_EQ(network_->add_address("v0", vip, 32).value(), AddressOutcome::added);
  EXPECT_EQ(network_->add_address("v0", vip, 32).value(), AddressOutcome::already_ours);
  open();
  EXPECT_THAT(network_->list_own_addresses().value(),
              ElementsAre(InterfaceAddress{network_->link("v0")->ifindex, vip, 32}));
  EXPECT_TRUE(network_->remove_address("v0", vip, 32));
  EXPECT_TRUE(network_->remove_address("v0", vip, 32));
  EXPECT_THAT(network_->list_own_addresses().value(), IsEmpty());
}

TEST_F(net_lab, an_ipv6_address_is_added_and_removed) {
  const address vip = make_address("fd00:7::1");
  ASSERT_EQ(network_->add_address("v0", vip, 128).value(), AddressOutcome::added);
  EXPECT_EQ(network_->add_address("v0", vip, 128).value(), AddressOutcome::already_ours);
  EXPECT_TRUE(network_->remove_address("v0", vip, 128));
  EXPECT_THAT(network_->list_own_addresses().value(), IsEmpty());
}

TEST_F(net_lab, an_address_of_somebody_else_is_told_from_ours) {
  run("ip addr add 10.7.0.1/32 dev v0");
  EXPECT_EQ(network_->add_address("v0", make_address("10.7.0.1"), 32).value(), AddressOutcome::foreign);
  EXPECT_THAT(network_->list_own_addresses().value(), IsEmpty());
}

TEST_F(net_lab, an_address_that_somebody_takes_away_is_told_of) {
  ASSERT_TRUE(network_->add_address("v0", make_address("10.7.0.1"), 32));
  ASSERT_TRUE(network_->add_address("v0", make_address("10.7.0.2"), 32));
  ASSERT_TRUE(network_->remove_address("v0", make_address("10.7.0.2"), 32));
  run("ip addr del 10.7.0.1/32 dev v0");
  ASSERT_TRUE(until([&] { return !lost_.empty(); }));
  EXPECT_THAT(lost_, ElementsAre("10.7.0.1 v0"));
}

TEST_F(net_lab, an_address_of_an_earlier_run_that_somebody_takes_away_is_told_of) {
  ASSERT_TRUE(network_->add_address("v0", make_address("10.7.0.1"), 32));
  open();
  for (const InterfaceAddress& own : network_->list_own_addresses().value()) network_->adopt_address(own);
  run("ip addr del 10.7.0.1/32 dev v0");
  ASSERT_TRUE(until([&] { return !lost_.empty(); }));
  EXPECT_THAT(lost_, ElementsAre("10.7.0.1 v0"));
}

TEST_F(net_lab, an_address_that_is_put_back_is_not_lost) {
  const address vip = make_address("10.7.0.1");
  ASSERT_TRUE(network_->add_address("v0", vip, 32));
  ASSERT_TRUE(network_->remove_address("v0", vip, 32));
  ASSERT_TRUE(network_->add_address("v0", vip, 32));
  run("ip link set v0 mtu 1480");
  ASSERT_TRUE(until([&] { return network_->link("v0")->mtu == 1480; }));
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(net_lab, an_interface_that_is_not_there_is_named) {
  const auto outcome = network_->add_address("nope0", make_address("10.7.0.1"), 32);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().what, "there is no interface nope0");
}

TEST_F(net_lab, messages_that_were_lost_are_made_up_for) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  ASSERT_TRUE(network_->add_address("v0", make_address("10.7.0.1"), 32));
  std::string routes =
      "for i in $(seq 0 255); do for j in $(seq 0 255); do echo route add 10.128.$i.$j/32 dev v0; done; done";
  run("{ " + routes + "; } | ip -batch -");
  run("ip addr del 10.7.0.1/32 dev v0 && ip link set v0 mtu 1400 && ip neigh replace 10.1.0.2 lladdr 02:00:00:00:00:99 "
      "dev v0");
  testing::internal::CaptureStderr();
  ASSERT_TRUE(until([&] { return network_->next_hop(host_)->mtu == 1400 && !lost_.empty(); }));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("netlink messages were lost"));
  EXPECT_EQ(to_string(network_->next_hop(host_)->neighbour_mac), "02:00:00:00:00:99");
}

TEST_F(net_lab, settings_of_an_interface_are_read) {
  write("/proc/sys/net/ipv4/conf/v0/rp_filter", "2");
  EXPECT_EQ(sysctl_ipv4("v0", "rp_filter").value(), 2);
  EXPECT_EQ(sysctl_ipv4("nope0", "rp_filter").error().what,
            "read /proc/sys/net/ipv4/conf/nope0/rp_filter: No such file or directory");
  EXPECT_FALSE(sysctl_ipv4("../all", "rp_filter"));
}

}  // namespace
}  // namespace astil::net
