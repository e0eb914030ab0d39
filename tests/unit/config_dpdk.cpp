// dataplane.dpdk: its kinds, and what contradicts itself there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/dpdk_kinds.hpp"
#include "control/config/load.hpp"
#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Cores = std::vector<std::uint32_t>;

/// The smallest configuration with that section; line 9 begins it.
std::string with_dataplane(const std::string& section) { return kSmallest + "dataplane:\n" + section; }

std::vector<std::string> with_ports(const std::string& ports) {
  return mistakes_in(with_dataplane("  engine: dpdk\n  dpdk:\n    ports: {" + ports + "}\n"));
}

TEST(config_dpdk, cores_are_numbers_and_ranges) {
  EXPECT_EQ(CoreList{}.read({"3"}).value(), Cores{3});
  EXPECT_EQ(CoreList{}.read({"2-4,7"}).value(), (Cores{2, 3, 4, 7}));
  for (const char* wrong : {"", "a", "4-2", "1,,2", "1-", "-1", "1, 2", "0-32", "1024", "99999999999999999999"})
    EXPECT_TRUE(CoreList{}.read({wrong}).has_error()) << wrong;
  EXPECT_THAT(CoreList{}.read({"1-3,2"}).error().remedy, HasSubstr("core 2 stands twice"));
}

TEST(config_dpdk, devices_are_those_of_the_eal) {
  for (const char* right : {"0000:03:00.0", "0000:af:1f.7,num_queues=4", "net_af_xdp0,iface=eth0,queue_count=2",
                            "net_memif1,role=client,socket=/run/memif.sock", "net_null0"})
    EXPECT_TRUE(DpdkDevice{}.read({right}).has_value()) << right;
  for (const char* wrong : {"", "eth0", "03:00.0", "net_af_xdp,iface=eth0", "net_null0 --no-huge", "net_null0,a",
                            "crypto_null0", "net_null0,a=b c"})
    EXPECT_TRUE(DpdkDevice{}.read({wrong}).has_error()) << wrong;
}

#ifdef ASTIL_WITHOUT_DPDK

TEST(config_dpdk, a_build_without_it_says_so) {
  EXPECT_THAT(with_ports("eth0: {device: net_null0}"),
              ElementsAre(HasSubstr("this astild is built without the DPDK engine [use engine: kernel")));
}

#else

TEST(config_dpdk, each_interface_has_a_device_of_its_own) {
  EXPECT_THAT(with_ports("eth0: {device: net_null0}"), IsEmpty());
  EXPECT_THAT(with_ports("eth0: {device: net_null0}, eth7: {device: net_null1}"),
              ElementsAre(HasSubstr("\"eth7\" is none of the interfaces")));
  EXPECT_THAT(with_ports("eth7: {device: net_null0}"),
              ElementsAre(HasSubstr("interface \"eth0\" has no device"), HasSubstr("\"eth7\" is none")));
  EXPECT_THAT(
      with_ports("eth0: {device: net_null0}, eth7: {device: net_null0}"),
      ElementsAre(HasSubstr("none of the interfaces"), HasSubstr("\"net_null0\" is the device of \"eth0\" already")));
}

TEST(config_dpdk, no_two_ports_take_the_frames_of_one_interface) {
  EXPECT_THAT(with_ports(R"(eth0: {device: "net_af_xdp0,iface=eth0"}, eth7: {device: "net_af_packet1,iface=eth0"})"),
              ElementsAre(HasSubstr("none of the interfaces"),
                          HasSubstr("the frames of interface \"eth0\" are taken by \"eth0\" already")));
}

TEST(config_dpdk, devices_that_take_an_interfaces_frames_name_it) {
  EXPECT_THAT(with_ports("eth0: {device: \"net_af_xdp0,iface=eth0\"}"), IsEmpty());
  EXPECT_THAT(with_ports("eth0: {device: net_af_xdp0}"), ElementsAre(HasSubstr("add ,iface=NAME to the device")));
  EXPECT_THAT(with_ports("eth0: {device: \"net_af_packet0,iface=eth0\"}"),
              ElementsAre(HasSubstr("the kernel has them too [name the port otherwise")));
}

TEST(config_dpdk, the_engine_needs_ports_and_has_no_hook) {
  EXPECT_THAT(mistakes_in(with_dataplane("  engine: dpdk\n")),
              ElementsAre(HasSubstr("engine: dpdk needs dataplane.dpdk.ports")));
  EXPECT_THAT(mistakes_in(with_dataplane("  engine: dpdk\n  dpdk: {burst: 8}\n")), ElementsAre(HasSubstr("ports")));
  EXPECT_THAT(
      mistakes_in(with_dataplane("  engine: dpdk\n  hook: xdp\n  dpdk: {ports: {eth0: {device: net_null0}}}\n")),
      ElementsAre(HasSubstr("\"hook\" applies only with engine: kernel")));
  EXPECT_THAT(mistakes_in(with_dataplane("  dpdk: {ports: {eth0: {device: net_null0}}}\n")),
              ElementsAre(HasSubstr("\"dpdk\" applies only with engine: dpdk")));
}

#endif

}  // namespace
}  // namespace astil::config::test
