// From the configuration to what astil-vrrp is told.
#include "control/app/pair_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "control/config/load.hpp"

namespace astil::app {
namespace {

using boost::asio::ip::make_address;
using ::testing::HasSubstr;
using ::testing::SizeIs;

config::Ha ha() {
  const auto model = config::load(R"(interfaces: [eth0]
ha:
  node: lb1
  hold: 3s
  groups:
    web: {virtual_router_id: 51, addresses: [192.0.2.10, 192.0.2.11], advert_interval: 100ms,
          adverts: unicast, peers: [192.0.2.3], track: {a: {type: interface, interface: eth1, subtract: 7}}}
    six: {virtual_router_id: 51, addresses: ["2001:db8::10"], link_local: "fe80::51", virtual_mac: true}
services: {}
)",
                                  "f");
  return model.has_value() ? *model->ha : config::Ha{};
}

std::string file_with(const std::string& text, mode_t mode) {
  const std::string path = ::testing::TempDir() + "pair.key." + std::to_string(::getpid());
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
  return path;
}

TEST(app_pair_plan, each_setting_has_its_place) {
  const ha::Configuration plan = plan_pair(ha(), {}, {});
  EXPECT_EQ(plan.settings.hold, 3000U);
  ASSERT_THAT(plan.groups, SizeIs(2));
  EXPECT_EQ(plan.groups[0].name.view(), "web");
  EXPECT_EQ(plan.groups[0].interface.view(), "eth0");
  EXPECT_EQ(plan.groups[0].advert_interval, 10);
  EXPECT_EQ(plan.groups[0].address_count, 2);
  EXPECT_EQ(plan.groups[0].unicast, 1);
  EXPECT_EQ(plan.groups[0].peer_count, 1);
  EXPECT_EQ(plan.groups[0].tracks[0].subtract, 7);
  EXPECT_EQ(plan.groups[0].virtual_mac, 0);
  EXPECT_EQ(plan.groups[1].virtual_mac, 1);
  ASSERT_EQ(plan.groups[1].address_count, 2);
  EXPECT_EQ(from_record(plan.groups[1].addresses[0]), make_address("fe80::51"));
  EXPECT_EQ(from_record(plan.groups[1].addresses[1]), make_address("2001:db8::10"));
  EXPECT_TRUE(ha::parse_configuration(ha::message_of(1, plan)).has_value());
}

TEST(app_pair_plan, a_group_without_addresses_is_left_out) {
  const ha::Configuration plan = plan_pair(ha(), {}, {make_address("2001:db8::10"), make_address("192.0.2.11")});
  ASSERT_THAT(plan.groups, SizeIs(1));
  EXPECT_EQ(plan.groups[0].address_count, 1);
}

TEST(app_pair_plan, a_key_is_64_digits_that_only_its_owner_can_read) {
  const std::string digits(64, 'a');
  const auto key = read_key(file_with(digits + "\n", 0600));
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->secret[31], 0xaa);
  EXPECT_THAT(read_key(file_with(digits, 0644)).error().remedy, HasSubstr("chmod 600"));
  for (const std::string& wrong :
       {std::string(63, 'a'), std::string(65, 'a'), std::string(63, 'a') + "g", std::string()})
    EXPECT_THAT(read_key(file_with(wrong, 0600)).error().what, HasSubstr("64 hexadecimal digits")) << wrong;
  EXPECT_TRUE(read_key("/nonexistent").has_error());
}

}  // namespace
}  // namespace astil::app
