// What `astil doctor` makes of hosts, and that it can look at this one.
#include "control/doctor/doctor.hpp"

#include <gmock/gmock.h>

#include "control/config/load.hpp"

namespace astil::doctor {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

config::Model model(const std::string& forwarding, const std::string& more = "") {
  return config::load("interfaces: [eth0, eth1]\n" + more +
                          "services:\n  web:\n    address: 192.0.2.10\n    port: 80\n    forwarding: " + forwarding +
                          "\n    health: {type: tcp}\n    backends:\n      b1: {address: 198.51.100.1}\n",
                      "test.yaml")
      .value();
}

InterfaceFacts interface(const std::string& name) {
  return {.name = name,
          .exists = true,
          .up = true,
          .mtu = 1500,
          .driver = "virtio_net",
          .lro = false,
          .forwarding_ipv4 = 1,
          .forwarding_ipv6 = 1,
          .send_redirects = 0,
          .rp_filter = 0,
          .arp_ignore = 1,
          .arp_announce = 2};
}

/// A host with which all is well.
Facts sound() {
  Facts facts;
  facts.kernel = "6.1.0-18-amd64";
  facts.bpf_filesystem = true;
  facts.jit = 1;
  facts.open_files = 1024;
  facts.all = interface("all");
  facts.interfaces = {interface("eth0"), interface("eth1")};
  facts.addresses = {boost::asio::ip::make_address("192.0.2.10")};
  return facts;
}

auto is_wrong(const std::string& about, const std::string& next) {
  return AllOf(Field(&Finding::about, about), Field(&Finding::right, false), Field(&Finding::next, HasSubstr(next)));
}

TEST(Doctor, finds_nothing_wrong_with_a_sound_host) {
  EXPECT_THAT(examine_balancer(sound(), model("nat")),
              Each(AllOf(Field(&Finding::right, true), Field(&Finding::next, ""))));
  EXPECT_THAT(examine_backend(sound(), boost::asio::ip::make_address("192.0.2.10")),
              Each(Field(&Finding::right, true)));
}

TEST(Doctor, names_an_old_kernel) {
  Facts facts = sound();
  for (const char* release : {"5.15.0", "6.0.19-generic", "3.10", "", "six"}) {
    facts.kernel = release;
    EXPECT_THAT(examine_balancer(facts, model("nat")), Contains(is_wrong("kernel", "Linux 6.1"))) << release;
  }
  for (const char* release : {"6.1", "6.10.2", "7.0-rc1"}) {
    facts.kernel = release;
    EXPECT_THAT(examine_balancer(facts, model("nat")), Not(Contains(is_wrong("kernel", "")))) << release;
  }
}

TEST(Doctor, tells_what_bpf_lacks) {
  Facts facts = sound();
  facts.bpf_refusal = "Operation not permitted";
  facts.missing_capabilities = "CAP_BPF";
  facts.jit = 0;
  const auto findings = examine_balancer(facts, model("nat"));
  EXPECT_THAT(findings, Contains(is_wrong("BPF", "the privileges above")));
  EXPECT_THAT(findings, Contains(is_wrong("privileges", "run as root")));
  EXPECT_THAT(findings, Contains(is_wrong("BPF compiler", "bpf_jit_enable=1")));
}

TEST(Doctor, looks_at_each_interface) {
  Facts facts = sound();
  facts.interfaces[0].up = false;
  facts.interfaces[1] = {.name = "eth1"};
  auto findings = examine_balancer(facts, model("nat"));
  EXPECT_THAT(findings, Contains(is_wrong("interface eth0", "ip link set eth0 up")));
  EXPECT_THAT(findings, Contains(is_wrong("interface eth1", "ip link")));
}

TEST(Doctor, minds_large_receive_offload_only_where_xdp_is_wanted) {
  Facts facts = sound();
  facts.interfaces[1].lro = true;
  EXPECT_THAT(examine_balancer(facts, model("nat")), Contains(is_wrong("interface eth1: offloads", "lro off")));
  EXPECT_THAT(examine_balancer(facts, model("nat", "dataplane: {hook: tc}\n")),
              Not(Contains(is_wrong("interface eth1: offloads", ""))));
}

TEST(Doctor, wants_forwarding_where_replies_are_routed) {
  Facts facts = sound();
  facts.interfaces[1].forwarding_ipv4 = 0;
  facts.interfaces[1].forwarding_ipv6 = 0;
  const std::string setting = "net.ipv4.conf.eth1.forwarding";
  EXPECT_THAT(examine_balancer(facts, model("nat")), Contains(is_wrong(setting, "sysctl -w " + setting + "=1")));
  EXPECT_THAT(examine_balancer(facts, model("direct")), Not(Contains(is_wrong(setting, ""))));
  EXPECT_THAT(examine_balancer(facts, model("nat")), Not(Contains(is_wrong("net.ipv6.conf.eth1.forwarding", ""))));
}

TEST(Doctor, minds_redirects_where_there_is_one_interface) {
  Facts facts = sound();
  facts.all.send_redirects = 1;
  auto one = model("nat");
  EXPECT_THAT(examine_balancer(facts, one), Not(Contains(is_wrong("net.ipv4.conf.eth0.send_redirects", ""))));
  one.interfaces = {"eth0"};
  facts.interfaces.pop_back();
  EXPECT_THAT(examine_balancer(facts, one), Contains(is_wrong("net.ipv4.conf.eth0.send_redirects", "=0")));
}

TEST(Doctor, counts_the_tunnels_header) {
  Facts facts = sound();
  EXPECT_THAT(examine_balancer(facts, model("tunnel")), Contains(is_wrong("MTU of eth1", "mtu 1520")));
  facts.interfaces[1].mtu = 1520;
  EXPECT_THAT(examine_balancer(facts, model("tunnel")), Contains(Field(&Finding::about, "MTU of eth1")));
  EXPECT_THAT(examine_balancer(facts, model("tunnel")), Each(Field(&Finding::right, true)));
}

TEST(Doctor, counts_the_files_that_probes_take) {
  Facts facts = sound();
  facts.open_files = 256;
  EXPECT_THAT(examine_balancer(facts, model("nat")), Contains(is_wrong("open files", "LimitNOFILE=257")));
}

TEST(Doctor, of_a_backend_wants_the_address_and_silence_about_it) {
  Facts facts = sound();
  facts.addresses.clear();
  facts.all = {.name = "all"};
  facts.interfaces[0].arp_ignore = 0;
  facts.interfaces[0].arp_announce = 0;
  facts.interfaces[1].rp_filter = 1;
  const auto findings = examine_backend(facts, boost::asio::ip::make_address("192.0.2.10"));
  EXPECT_THAT(findings, Contains(is_wrong("address 192.0.2.10", "ip address add 192.0.2.10/32 dev lo")));
  EXPECT_THAT(findings, Contains(is_wrong("net.ipv4.conf.eth0.arp_ignore", "arp_ignore=1")));
  EXPECT_THAT(findings, Contains(is_wrong("net.ipv4.conf.eth0.arp_announce", "arp_announce=2")));
  EXPECT_THAT(findings, Contains(is_wrong("net.ipv4.conf.eth1.rp_filter", "rp_filter=2")));
  const auto ipv6 = examine_backend(facts, boost::asio::ip::make_address("2001:db8::10"));
  EXPECT_THAT(ipv6, testing::ElementsAre(is_wrong("address 2001:db8::10", "nodad")));
}

TEST(Doctor, reads_this_host) {
  const auto facts = gather({"lo", "no-such-one"});
  EXPECT_FALSE(facts.kernel.empty());
  EXPECT_GT(facts.open_files, 0U);
  ASSERT_EQ(facts.interfaces.size(), 2U);
  EXPECT_TRUE(facts.interfaces[0].exists);
  EXPECT_GE(facts.interfaces[0].mtu, 1280U);
  EXPECT_TRUE(facts.interfaces[0].rp_filter.has_value());
  EXPECT_FALSE(facts.interfaces[1].exists);
}

}  // namespace
}  // namespace astil::doctor
