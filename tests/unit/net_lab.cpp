// control/net against the kernel itself: two network namespaces with a veth pair between them, made by each test and
// gone with its process, whatever happens to it. What both versions of IP have, both are tested for. Needs root.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <ostream>
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
using testing::Not;

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

/// The wire's two ends, and what a test needs besides, of one version of IP.
struct Version {
  const char* name;
  const char* ip;       // the command
  const char* here;     // v0's address
  const char* peer;     // v1's, the host that most tests reach for
  const char* network;  // that a test may route to the peer
  const char* behind;   // a host of it
  const char* other;    // another one
  const char* all;      // covers every address a test makes
  const char* vip;
  const char* other_vip;
  unsigned width;  // of an address, in bits
};

constexpr Version kVersions[]{
    {"ipv4", "ip", "10.1.0.1", "10.1.0.2", "10.9.0.0/24", "10.9.0.1", "10.9.0.2", "0.0.0.0/0", "10.7.0.1", "10.7.0.2",
     32},
    {"ipv6", "ip -6", "fd00::1", "fd00::2", "fd00:9::/64", "fd00:9::1", "fd00:9::2", "::/0", "fd00:7::1", "fd00:7::2",
     128},
};

void PrintTo(const Version& version, std::ostream* out) { *out << version.name; }

class net_wire : public testing::Test {
 protected:
  static constexpr auto kLimit = std::chrono::seconds(20);  // only a test that fails takes as long

  void SetUp() override {
    if (!peer_.exists() || !here_.exists()) GTEST_SKIP() << "needs root: a network namespace can not be made";
    for (const Namespace* ns : {&peer_, &here_}) {
      ns->enter();
      write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    }
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
    auto opened = Network::open(loop_, std::move(events), keep_up_interval_);
    ASSERT_TRUE(opened) << opened.error().text();
    network_ = std::move(*opened);
  }

  static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  void there(const std::string& command) {
    peer_.enter();
    run(command);
    here_.enter();
  }

  static std::string output_of(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::string text;
    for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) text += static_cast<char>(c);
    return text;
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

  /// The same of what the network does not tell: asked for again and again.
  template <class Condition>
  [[nodiscard]] bool until_polled(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + kLimit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      loop_.run_one_for(std::chrono::milliseconds(10));
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
  Network::Interval keep_up_interval_ = Network::kKeepUpInterval;
  std::unique_ptr<Network> network_;
  std::set<std::string> link_changes_;
  std::set<address> hop_changes_;
  std::set<std::string> lost_;
};

class net_lab : public net_wire, public testing::WithParamInterface<Version> {
 protected:
  /// "ip" or "ip -6", and the rest.
  static std::string ip(const std::string& command) { return std::string(GetParam().ip) + " " + command; }

  /// Makes the peer pass packets for `network_behind_` on, to a link that takes smaller ones than the wire.
  void make_narrow_path() {
    there("ip link add n0 mtu 1300 type veth peer name n1 mtu 1300 && ip link set n0 up && ip link set n1 up");
    there(ip("route add " + network_behind_ + " dev n0"));
    there("echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    run(ip("route add " + network_behind_ + " via " + peer_name_));
  }

  /// A datagram that is too large for the narrow path: the peer's answer is what the kernel learns the MTU from.
  void send_large() {
    boost::asio::ip::udp::socket socket(loop_);
    socket.connect({behind_, 9});
    boost::system::error_code refused;  // once the kernel knows
    socket.send(boost::asio::buffer(std::string(1400, 'x')), 0, refused);
  }

  Result<AddressOutcome> add(const address& host) { return network_->add_address("v0", host, GetParam().width); }
  Result<> remove(const address& host) { return network_->remove_address("v0", host, GetParam().width); }

  const address host_ = make_address(GetParam().peer);
  const address behind_ = make_address(GetParam().behind);
  const address other_ = make_address(GetParam().other);
  const address vip_ = make_address(GetParam().vip);
  const address other_vip_ = make_address(GetParam().other_vip);
  const std::string peer_name_ = GetParam().peer;
  const std::string network_behind_ = GetParam().network;
  const std::string vip_with_length_ = GetParam().vip + ("/" + std::to_string(GetParam().width));
};

std::string name_of(const testing::TestParamInfo<Version>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(versions, net_lab, testing::ValuesIn(kVersions), name_of);

TEST_F(net_wire, interfaces_are_known_when_it_opens) {
  const auto link = network_->link("v0");
  ASSERT_TRUE(link);
  EXPECT_EQ(to_string(*link->mac), "02:00:00:00:00:01");
  EXPECT_EQ(link->mtu, 1500U);
  EXPECT_TRUE(link->up);
  EXPECT_FALSE(network_->link("v1"));
}

TEST_P(net_lab, a_neighbour_on_the_link_is_resolved_at_once) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  const auto hop = network_->next_hop(host_);
  EXPECT_EQ(hop->ifindex, network_->link("v0")->ifindex);
  EXPECT_EQ(to_string(hop->source_mac), "02:00:00:00:00:01");
  EXPECT_EQ(to_string(hop->neighbour_mac), "02:00:00:00:00:02");
  EXPECT_EQ(hop->source_address, make_address(GetParam().here));
  EXPECT_EQ(hop->mtu, 1500U);
  EXPECT_THAT(hop_changes_, ElementsAre(host_));
}

TEST_P(net_lab, addresses_behind_one_gateway_share_its_mac) {
  run(ip("route add " + network_behind_ + " via " + peer_name_));
  network_->track({behind_, other_});
  ASSERT_TRUE(resolved(behind_));
  ASSERT_TRUE(resolved(other_));
  EXPECT_EQ(to_string(network_->next_hop(other_)->neighbour_mac), "02:00:00:00:00:02");
}

TEST_P(net_lab, a_route_by_a_link_local_gateway_leads_to_its_mac) {
  run(ip("route add " + network_behind_ + " via inet6 fe80::ff:fe00:2 dev v0"));
  network_->track({behind_});
  ASSERT_TRUE(resolved(behind_));
  EXPECT_EQ(to_string(network_->next_hop(behind_)->neighbour_mac), "02:00:00:00:00:02");
  EXPECT_EQ(network_->next_hop(behind_)->source_address, make_address(GetParam().here));
}

TEST_P(net_lab, gateways_of_all_routes_are_known_before_a_packet_needs_them) {
  std::string second = peer_name_;
  second.back() = '3';
  there(ip("address add " + second + " dev v1"));
  run(ip("route add " + network_behind_ + " nexthop via " + peer_name_ + " dev v0 nexthop via " + second + " dev v0"));
  network_->keep_gateways(true);
  const auto known = [this](const std::string& gateway) {
    const auto entry = entry_of(make_address(gateway));
    return entry && entry->valid();
  };
  EXPECT_TRUE(until_polled([&] { return known(peer_name_) && known(second); }));
}

TEST_P(net_lab, a_gateway_of_a_route_that_comes_later_is_known_too) {
  network_->keep_gateways(true);
  run(ip("route add " + network_behind_ + " via " + peer_name_));
  EXPECT_TRUE(until_polled([&] {
    const auto entry = entry_of(host_);
    return entry && entry->valid();
  }));
}

TEST_F(net_wire, an_ipv4_route_by_an_ipv6_gateway_leads_to_its_mac) {
  run("ip route add 10.9.0.0/24 via inet6 fd00::2 dev v0");
  const address behind = make_address("10.9.0.1");
  network_->track({behind});
  ASSERT_TRUE(resolved(behind));
  EXPECT_EQ(to_string(network_->next_hop(behind)->neighbour_mac), "02:00:00:00:00:02");
}

TEST_F(net_wire, a_link_local_address_is_no_source_for_what_is_beyond_the_link) {
  run("ip -6 addr del fd00::1/64 dev v0 && ip -6 route add fd00:9::/64 via fe80::ff:fe00:2 dev v0");
  const address behind = make_address("fd00:9::1");
  network_->track({behind});
  ASSERT_TRUE(resolved(behind));
  EXPECT_TRUE(network_->next_hop(behind)->source_address.is_unspecified());
}

TEST_P(net_lab, a_new_mac_of_a_neighbour_is_noticed) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  hop_changes_.clear();
  write("/proc/sys/net/ipv4/conf/v0/arp_accept", "1");
  there("echo 1 > /proc/sys/net/ipv4/conf/v1/arp_notify && echo 1 > /proc/sys/net/ipv6/conf/v1/ndisc_notify");
  there("ip link set v1 address 02:00:00:00:00:22");
  ASSERT_TRUE(until([&] { return hop_changes_.contains(host_); }));
  EXPECT_EQ(to_string(network_->next_hop(host_)->neighbour_mac), "02:00:00:00:00:22");
}

TEST_P(net_lab, a_route_that_changes_or_goes_is_noticed) {
  run(ip("route add " + network_behind_ + " via " + peer_name_));
  network_->track({behind_});
  ASSERT_TRUE(resolved(behind_));
  run(ip("route replace " + network_behind_ + " via " + peer_name_ + " mtu 1400"));
  ASSERT_TRUE(until([&] { return network_->next_hop(behind_) && network_->next_hop(behind_)->mtu == 1400; }));
  hop_changes_.clear();
  run(ip("route del " + network_behind_));
  ASSERT_TRUE(until([&] { return !network_->next_hop(behind_); }));
  EXPECT_THAT(hop_changes_, ElementsAre(behind_));
  EXPECT_THAT(network_->next_hop(behind_).error().what, HasSubstr("no route to " + behind_.to_string()));
}

TEST_P(net_lab, a_default_route_that_comes_covers_every_address) {
  network_->track({behind_});
  EXPECT_FALSE(network_->next_hop(behind_));
  run(ip(std::string("route add ") + GetParam().all + " via " + peer_name_));
  EXPECT_TRUE(resolved(behind_));
}

TEST_P(net_lab, the_mtu_of_a_path_is_followed_though_the_kernel_does_not_tell_of_it) {
  keep_up_interval_ = std::chrono::milliseconds(20);
  open();
  make_narrow_path();
  network_->track({behind_});
  ASSERT_TRUE(resolved(behind_));
  ASSERT_TRUE(until([&] {
    send_large();  // the peer may not forward yet
    return network_->next_hop(behind_)->mtu == 1300;
  }));
  EXPECT_THAT(hop_changes_, Contains(behind_));
  run(ip("route flush cache"));
  EXPECT_TRUE(until([&] { return network_->next_hop(behind_)->mtu == 1500; }));
}

TEST_P(net_lab, what_is_not_forwarded_is_no_next_hop) {
  network_->track({behind_, make_address(GetParam().here)});
  EXPECT_THAT(network_->next_hop(make_address(GetParam().here)).error().what,
              HasSubstr("is an address of this machine"));
  run(ip("route add unreachable " + network_behind_));
  EXPECT_FALSE(network_->next_hop(behind_));
}

TEST_P(net_lab, a_policy_rule_that_diverts_an_address_is_noticed) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  run(ip("rule add to " + peer_name_ + " blackhole"));
  ASSERT_TRUE(until([&] { return !network_->next_hop(host_); }));
  run(ip("rule del to " + peer_name_ + " blackhole"));
  EXPECT_TRUE(resolved(host_));
}

TEST_P(net_lab, an_interface_that_is_made_anew_is_used_with_its_new_index) {
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

TEST_F(net_wire, a_rename_is_told_of_both_names) {
  run("ip link set v0 down && ip link set v0 name w0");
  ASSERT_TRUE(until([&] { return link_changes_.contains("w0"); }));
  EXPECT_THAT(link_changes_, Contains("v0"));
  EXPECT_FALSE(network_->link("v0"));
}

TEST_P(net_lab, a_lost_carrier_is_no_next_hop_until_it_is_back) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  there("ip link set v1 down");
  ASSERT_TRUE(until([&] { return !network_->next_hop(host_); }));
  EXPECT_EQ(network_->next_hop(host_).error().what, "interface v0 has no carrier");
  there("ip link set v1 up");
  EXPECT_TRUE(resolved(host_));
}

TEST_P(net_lab, the_kernel_keeps_a_neighbour_fresh_until_it_is_untracked) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  EXPECT_TRUE(entry_of(host_)->managed);
  EXPECT_EQ(entry_of(host_)->originator, kOriginator);
  network_->track({});
  EXPECT_FALSE(entry_of(host_)->managed);
  EXPECT_TRUE(entry_of(host_)->valid());
}

TEST_P(net_lab, neighbours_are_given_back_at_the_end) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  const NeighbourKey key{network_->link("v0")->ifindex, host_};
  network_.reset();
  auto socket = NetlinkSocket::open({});
  EXPECT_FALSE(KernelTables(*socket).neighbour(key)->managed);
}

TEST_P(net_lab, neighbours_of_a_run_that_crashed_are_given_back_by_the_next) {
  auto socket = NetlinkSocket::open({});
  KernelTables(*socket).keep({network_->link("v0")->ifindex, host_});
  ASSERT_TRUE(entry_of(host_)->managed);
  open();
  network_->track({});
  EXPECT_FALSE(entry_of(host_)->managed);
}

TEST_P(net_lab, a_static_neighbour_stays_static) {
  run(ip("neigh add " + peer_name_ + " lladdr 02:00:00:00:00:99 dev v0 nud permanent"));
  network_->resolve(host_, network_->link("v0")->ifindex);
  EXPECT_TRUE(entry_of(host_)->foreign());
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  EXPECT_EQ(to_string(network_->next_hop(host_)->neighbour_mac), "02:00:00:00:00:99");
  network_->resolve(host_, network_->link("v0")->ifindex);
  network_->track({});
  EXPECT_TRUE(entry_of(host_)->foreign());
}

TEST_P(net_lab, a_flushed_neighbour_table_costs_no_next_hop) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  hop_changes_.clear();
  run(ip("neigh del " + peer_name_ + " dev v0"));
  ASSERT_TRUE(until([&] {
    const auto entry = entry_of(host_);
    return entry && entry->managed && network_->next_hop(host_)->neighbour_answers;
  }));
  EXPECT_EQ(to_string(network_->next_hop(host_)->neighbour_mac), "02:00:00:00:00:02");
}

TEST_P(net_lab, an_unknown_client_neighbour_is_resolved_on_demand) {
  EXPECT_FALSE(entry_of(host_));
  network_->resolve(host_, network_->link("v0")->ifindex);
  ASSERT_TRUE(until([&] {
    loop_.poll();
    return entry_of(host_)->valid();
  }));
  EXPECT_FALSE(entry_of(host_)->managed);
}

TEST_P(net_lab, an_address_is_added_once_and_known_to_the_next_run) {
  ASSERT_EQ(add(vip_).value(), AddressOutcome::added);
  EXPECT_EQ(add(vip_).value(), AddressOutcome::already_ours);
  open();
  const auto width = static_cast<std::uint8_t>(GetParam().width);
  EXPECT_THAT(network_->list_own_addresses().value(),
              ElementsAre(InterfaceAddress{network_->link("v0")->ifindex, vip_, width}));
  EXPECT_TRUE(remove(vip_));
  EXPECT_TRUE(remove(vip_));
  EXPECT_THAT(network_->list_own_addresses().value(), IsEmpty());
}

// The kernel gives an IPv6 address its route by a thread of its own, a moment later.
TEST_P(net_lab, an_address_has_no_route_but_its_own_and_waits_for_no_duplicates) {
  write("/proc/sys/net/ipv6/conf/v0/accept_dad", "1");
  ASSERT_TRUE(add(vip_));
  EXPECT_EQ(output_of(ip("route show table main " + vip_with_length_)), "");
  EXPECT_TRUE(until([&] { return !output_of(ip("route show table local " + vip_with_length_)).empty(); }));
  EXPECT_THAT(output_of(ip("addr show dev v0 to " + vip_with_length_)), Not(HasSubstr("tentative")));
}

TEST_P(net_lab, an_address_added_is_no_source_of_the_machines_own) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  // Nearer to the peer's by its bits than the interface's own (RFC 6724, section 5, rule 8), but deprecated (rule 3).
  const address near = make_address(host_.is_v4() ? "10.1.0.3" : "fd00::3");
  ASSERT_TRUE(add(near));
  run("ip link set v0 mtu 1480");
  ASSERT_TRUE(until([&] { return network_->next_hop(host_)->mtu == 1480; }));
  EXPECT_EQ(network_->next_hop(host_)->source_address, make_address(GetParam().here));
}

TEST_P(net_lab, an_address_of_somebody_else_is_told_from_ours) {
  run(ip("addr add " + vip_with_length_ + " dev v0"));
  EXPECT_EQ(add(vip_).value(), AddressOutcome::foreign);
  EXPECT_THAT(network_->list_own_addresses().value(), IsEmpty());
}

TEST_P(net_lab, an_address_that_somebody_takes_away_is_told_of) {
  ASSERT_TRUE(add(vip_));
  ASSERT_TRUE(add(other_vip_));
  ASSERT_TRUE(remove(other_vip_));
  run(ip("addr del " + vip_with_length_ + " dev v0"));
  ASSERT_TRUE(until([&] { return !lost_.empty(); }));
  EXPECT_THAT(lost_, ElementsAre(vip_.to_string() + " v0"));
}

TEST_P(net_lab, an_address_of_an_earlier_run_that_somebody_takes_away_is_told_of) {
  ASSERT_TRUE(add(vip_));
  open();
  for (const InterfaceAddress& own : network_->list_own_addresses().value()) network_->adopt_address(own);
  run(ip("addr del " + vip_with_length_ + " dev v0"));
  ASSERT_TRUE(until([&] { return !lost_.empty(); }));
  EXPECT_THAT(lost_, ElementsAre(vip_.to_string() + " v0"));
}

// The kernel takes IPv6 addresses away when their interface goes down, and leaves IPv4 ones.
TEST_F(net_wire, an_ipv6_address_that_goes_with_its_interface_is_told_of_and_can_be_put_back_before_it_is_up) {
  const address vip = make_address("fd00:7::1");
  ASSERT_TRUE(network_->add_address("v0", vip, 128));
  ASSERT_TRUE(network_->add_address("v0", make_address("10.7.0.1"), 32));
  run("ip link set v0 down");
  ASSERT_TRUE(until([&] { return !lost_.empty(); }));
  EXPECT_THAT(lost_, ElementsAre("fd00:7::1 v0"));
  lost_.clear();
  ASSERT_EQ(network_->add_address("v0", vip, 128).value(), AddressOutcome::added);
  run("ip link set v0 up");
  ASSERT_TRUE(until([&] { return network_->link("v0")->carrier; }));
  EXPECT_THAT(output_of("ip -6 route show table local fd00:7::1"), HasSubstr("local fd00:7::1 dev v0"));
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(net_wire, an_interface_without_ipv6_is_named_with_its_setting) {
  write("/proc/sys/net/ipv6/conf/v0/disable_ipv6", "1");
  const auto outcome = network_->add_address("v0", make_address("fd00:7::1"), 128);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().what, HasSubstr("add fd00:7::1/128 to v0: "));
  EXPECT_EQ(outcome.error().remedy, "sysctl -w net.ipv6.conf.v0.disable_ipv6=0");
}

TEST_P(net_lab, an_address_that_is_put_back_is_not_lost) {
  ASSERT_TRUE(add(vip_));
  ASSERT_TRUE(remove(vip_));
  ASSERT_TRUE(add(vip_));
  run("ip link set v0 mtu 1480");
  ASSERT_TRUE(until([&] { return network_->link("v0")->mtu == 1480; }));
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(net_wire, an_interface_that_is_not_there_is_named) {
  const auto outcome = network_->add_address("nope0", make_address("10.7.0.1"), 32);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().what, "there is no interface nope0");
}

TEST_P(net_lab, messages_that_were_lost_are_made_up_for) {
  network_->track({host_});
  ASSERT_TRUE(resolved(host_));
  ASSERT_TRUE(add(vip_));
  std::string routes =
      "for i in $(seq 0 255); do for j in $(seq 0 255); do echo route add 10.128.$i.$j/32 dev v0; done; done";
  run("{ " + routes + "; } | ip -batch -");
  run(ip("addr del " + vip_with_length_ + " dev v0 && ip link set v0 mtu 1400 && ip neigh replace " + peer_name_ +
         " lladdr 02:00:00:00:00:99 dev v0"));
  testing::internal::CaptureStderr();
  ASSERT_TRUE(until([&] { return network_->next_hop(host_)->mtu == 1400 && !lost_.empty(); }));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("netlink messages were lost"));
  EXPECT_EQ(to_string(network_->next_hop(host_)->neighbour_mac), "02:00:00:00:00:99");
}

TEST_F(net_wire, settings_of_an_interface_are_read) {
  write("/proc/sys/net/ipv4/conf/v0/rp_filter", "2");
  EXPECT_EQ(sysctl_ipv4("v0", "rp_filter").value(), 2);
  EXPECT_EQ(sysctl_ipv4("nope0", "rp_filter").error().what,
            "read /proc/sys/net/ipv4/conf/nope0/rp_filter: No such file or directory");
  EXPECT_FALSE(sysctl_ipv4("../all", "rp_filter"));
  write("/proc/sys/net/ipv6/conf/v0/forwarding", "1");
  EXPECT_EQ(sysctl_ipv6("v0", "forwarding").value(), 1);
  EXPECT_EQ(sysctl_ipv6("nope0", "forwarding").error().what,
            "read /proc/sys/net/ipv6/conf/nope0/forwarding: No such file or directory");
}

}  // namespace
}  // namespace astil::net
