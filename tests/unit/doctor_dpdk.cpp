// What `astil doctor` makes of hosts for the DPDK engine: each thing that is missing, with the command that mends it.
#include "control/doctor/dpdk.hpp"

#include <gmock/gmock.h>

#include <functional>

#include "control/config/load.hpp"

namespace astil::doctor {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kAfXdp = R"("net_af_xdp0,iface=eth0")";
constexpr const char* kPci = R"("0000:03:00.1")";

config::Model model(const std::string& device, const std::string& more = "") {
  return config::load("interfaces: [eth0]\ndataplane: {engine: dpdk, dpdk: {" + more +
                          "ports: {eth0: {device: " + device +
                          "}}}}\nservices:\n  web:\n    address: 192.0.2.10\n    port: 80\n    forwarding: nat\n"
                          "    health: {type: tcp}\n    backends:\n      b1: {address: 198.51.100.1}\n",
                      "test.yaml")
      .value();
}

/// A host with which all is well, for one port.
Facts sound(bool is_pci = false) {
  Facts facts;
  facts.kernel = "6.1.0-18-amd64";
  facts.bpf_filesystem = true;
  facts.open_files = 1024;
  facts.interfaces = {{.name = "eth0", .exists = true, .up = true, .mtu = 1500, .driver = "virtio_net"}};
  facts.dpdk.free_huge_bytes = 256U << 20U;
  facts.dpdk.has_hugetlbfs = true;
  facts.dpdk.memory = 1U << 30U;
  facts.dpdk.cores = {0, 1, 2, 3};
  facts.dpdk.has_af_xdp = true;
  facts.dpdk.program = "/usr/bin/astil-dpdk";
  dpdk::DeviceFacts device;
  device.exists = true;
  device.is_other = !is_pci;
  if (is_pci) {
    device.driver = "vfio-pci";
    device.has_group = true;
    facts.interfaces[0] = {.name = "eth0"};  // the tap is the daemon's to make
  }
  facts.dpdk.devices = {device};
  return facts;
}

auto is_wrong(const std::string& about, const std::string& next) {
  return AllOf(Field(&Finding::about, about), Field(&Finding::right, false), Field(&Finding::next, HasSubstr(next)));
}

void expect_wrong(const std::function<void(Facts&)>& change, const std::string& about, const std::string& next,
                  const std::string& device = kAfXdp, const std::string& more = "") {
  Facts facts = sound(device == kPci);
  change(facts);
  EXPECT_THAT(examine_balancer(facts, model(device, more)), Contains(is_wrong(about, next))) << next;
}

TEST(DoctorForDpdk, finds_nothing_wrong_with_a_sound_host) {
  EXPECT_THAT(examine_balancer(sound(), model(kAfXdp)), Each(Field(&Finding::right, true)));
  EXPECT_THAT(examine_balancer(sound(true), model(kPci)), Each(Field(&Finding::right, true)));
}

TEST(DoctorForDpdk, of_the_kernels_engine_asks_for_none_of_this) {
  config::Model kernel = model(kAfXdp);
  kernel.engine = config::EngineKind::kernel;
  const auto findings = examine_balancer(Facts{}, kernel);
  EXPECT_THAT(findings, Not(Contains(Field(&Finding::about, "huge pages"))));
  EXPECT_THAT(findings, Not(Contains(Field(&Finding::about, "astil-dpdk"))));
}

TEST(DoctorForDpdk, names_each_thing_that_is_missing_with_the_command_that_mends_it) {
  expect_wrong([](Facts& f) { f.dpdk.program.clear(); }, "astil-dpdk", "ASTIL_DPDK=ON");
  expect_wrong([](Facts& f) { f.dpdk.free_huge_bytes = 2U << 20U; }, "huge pages", "sysctl -w vm.nr_hugepages=128");
  expect_wrong([](Facts& f) { f.dpdk.has_hugetlbfs = false; }, "hugetlbfs", "mount -t hugetlbfs");
  expect_wrong([](Facts& f) { f.dpdk.cores = {0, 1}; }, "cores", "name others", kAfXdp, "cores: 2, ");
  expect_wrong([](Facts& f) { f.dpdk.has_af_xdp = false; }, "AF_XDP", "apt install librte-net-af-xdp23");
  expect_wrong([](Facts& f) { f.dpdk.tap_refusal = "No such file or directory"; }, "taps", "modprobe tun");
  expect_wrong([](Facts& f) { f.dpdk.lockable = 8U << 20U; }, "locked memory", "LimitMEMLOCK=infinity");
  expect_wrong([](Facts& f) { f.interfaces[0].mtu = 9000; }, "interface eth0: MTU", "mtu 1500");
}

TEST(DoctorForDpdk, asks_for_no_huge_pages_where_none_are_wanted) {
  Facts facts = sound();
  facts.dpdk.free_huge_bytes = 0;
  facts.dpdk.has_hugetlbfs = false;
  EXPECT_THAT(examine_balancer(facts, model(kAfXdp, "hugepages: false, ")), Each(Field(&Finding::right, true)));
}

TEST(DoctorForDpdk, takes_what_the_engine_that_runs_has_for_no_want) {
  Facts facts = sound(true);
  facts.dpdk.runs = true;
  facts.dpdk.free_huge_bytes = 0;
  facts.dpdk.devices[0].node_refusal = "Device or resource busy";
  EXPECT_THAT(examine_balancer(facts, model(kPci)), Each(Field(&Finding::right, true)));
}

TEST(DoctorForDpdk, looks_at_the_interface_that_a_device_takes_and_at_its_queues) {
  expect_wrong([](Facts& f) { f.dpdk.devices[0].exists = false; }, "device net_af_xdp0", "ip link");
  expect_wrong([](Facts& f) { f.dpdk.devices[0].taken_by = "other"; }, "device net_af_xdp0",
               "astil detach --instance other");
  const std::string two = R"("net_af_xdp0,iface=eth0,queue_count=2")";
  const auto receives_by = [](std::uint32_t queues, std::uint32_t combined) {
    return [=](Facts& facts) {
      facts.dpdk.devices[0].queues = queues;
      facts.dpdk.devices[0].combined = combined;
    };
  };
  expect_wrong(receives_by(1, 1), "device net_af_xdp0", "ethtool -L eth0 combined 2", two, "cores: 0-1, ");
  expect_wrong(receives_by(2, 0), "device net_af_xdp0", "name one core", two, "cores: 0-1, ");
  expect_wrong([](Facts&) {}, "device net_af_xdp0", "give the device ,queue_count=2", kAfXdp, "cores: 0-1, ");
}

TEST(DoctorForDpdk, finds_queues_that_no_worker_would_poll) {
  const auto two_queues = [](std::uint32_t combined) {
    return [combined](Facts& facts) {
      facts.dpdk.devices[0].queues = 2;
      facts.dpdk.devices[0].combined = combined;
    };
  };
  expect_wrong(two_queues(2), "device net_af_xdp0", "ethtool -L eth0 combined 1");
  expect_wrong(two_queues(0), "device net_af_xdp0", "ethtool -L eth0 rx 1");
  const auto nothing = [](Facts&) {};
  expect_wrong(nothing, "device net_af_xdp0", ",queue_count=1", R"("net_af_xdp0,iface=eth0,queue_count=2")");
  expect_wrong(nothing, "device net_af_xdp0", ",queue_count=1", R"("net_af_xdp0,iface=eth0,queue_count=x")");
  expect_wrong(nothing, "device net_af_xdp0", "leave start_queue out", R"("net_af_xdp0,iface=eth0,start_queue=1")");
}

TEST(DoctorForDpdk, finds_too_little_memory_and_missing_capabilities) {
  const std::string small_pages = "hugepages: false, ";
  expect_wrong([](Facts& f) { f.dpdk.memory = 255U << 20U; }, "memory", "dataplane.dpdk.memory", kAfXdp, small_pages);
  expect_wrong([](Facts& f) { f.dpdk.missing_capabilities = "CAP_NET_RAW"; }, "capabilities", "run as root");
}

TEST(DoctorForDpdk, knows_the_longest_frames_of_each_device) {
  Facts facts = sound(true);
  facts.interfaces[0] = {.name = "eth0", .exists = true, .up = true, .mtu = 2030};
  EXPECT_THAT(examine_balancer(facts, model(kPci)), Not(Contains(is_wrong("interface eth0: MTU", ""))));
  expect_wrong([](Facts& f) { f.interfaces[0].mtu = 1775; }, "interface eth0: MTU", "mtu 1500");
  facts = sound();
  facts.interfaces[0].mtu = 1774;
  EXPECT_THAT(examine_balancer(facts, model(kAfXdp)), Each(Field(&Finding::right, true)));
}

TEST(DoctorForDpdk, looks_at_the_driver_and_the_group_of_a_pci_device) {
  const std::string about = "PCI device 0000:03:00.1";
  const auto device = [](const auto& change) { return [change](Facts& facts) { change(facts.dpdk.devices[0]); }; };
  expect_wrong(device([](auto& d) { d.exists = false; }), about, "dpdk-devbind.py --status", kPci);
  expect_wrong(device([](auto& d) { d.driver = "ixgbe"; }), about, "--bind=vfio-pci 0000:03:00.1", kPci);
  expect_wrong(device([](auto& d) { d.driver.clear(); }), about, "--bind=vfio-pci 0000:03:00.1", kPci);
  expect_wrong(device([](auto& d) { d.has_group = false; }), about, "intel_iommu=on", kPci);
  expect_wrong(device([](auto& d) { d.node_refusal = "Permission denied"; }), about, "run as root", kPci);
  Facts facts = sound(true);
  facts.dpdk.devices[0].driver = "mlx5_core";
  EXPECT_THAT(examine_balancer(facts, model(kPci)), Each(Field(&Finding::right, true)));
}

TEST(DoctorForDpdk, finds_an_interface_that_stands_where_a_tap_shall_be) {
  expect_wrong([](Facts& f) { f.dpdk.devices[0].is_other = true; }, "interface eth0", "ip link delete eth0", kPci);
}

TEST(DoctorForDpdk, reads_this_host) {
  const auto facts = dpdk::gather(
      {.devices = {{"lo", "net_af_xdp0,iface=no-such-one"}, {"lo", "ffff:ff:1f.7"}}, .instance = "no-such-one"});
  EXPECT_FALSE(facts.cores.empty());
  EXPECT_GE(facts.huge_page_bytes, 1U << 20U);
  ASSERT_EQ(facts.devices.size(), 2U);
  EXPECT_FALSE(facts.devices[0].exists);
  EXPECT_TRUE(facts.devices[0].is_other);
  EXPECT_FALSE(facts.devices[1].exists);
}

}  // namespace
}  // namespace astil::doctor
