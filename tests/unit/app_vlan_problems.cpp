// Which VLAN devices the status warns of.
#include "control/app/vlan_problems.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace astil::app {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

net::Link device(std::uint32_t ifindex, const std::string& name, std::optional<net::Vlan> vlan, std::uint8_t mac = 1) {
  return {.ifindex = ifindex,
          .name = name,
          .mac = net::MacAddress{{2, 0, 0, 0, 0, mac}},
          .mtu = 1500,
          .up = true,
          .carrier = true,
          .vlan = vlan};
}

const net::Link kEth0 = device(3, "eth0", std::nullopt);

TEST(VlanProblems, are_none_of_devices_that_can_be_used) {
  EXPECT_THAT(vlan_problems({kEth0, device(4, "eth0.7", net::Vlan{.parent = 3, .id = 7}),
                             device(5, "outer", net::Vlan{.parent = 3, .id = 8, .protocol = 0x88a8}),
                             device(6, "inner", net::Vlan{.parent = 5, .id = 9})},
                            {"eth0"}),
              IsEmpty());
}

TEST(VlanProblems, tell_of_a_tag_that_can_not_be_put_on) {
  const auto problems =
      vlan_problems({kEth0, device(5, "outer", net::Vlan{.parent = 3, .id = 8, .protocol = 0x88a8})}, {"eth0"});
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_THAT(problems[0].what, HasSubstr("VLAN device outer has a tag of 802.1ad alone"));
}

TEST(VlanProblems, tell_of_another_mac_address_and_how_to_mend_it) {
  const auto problems = vlan_problems({kEth0, device(4, "eth0.7", net::Vlan{.parent = 3, .id = 7}, 2)}, {"eth0"});
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_THAT(problems[0].what, HasSubstr("eth0.7 has another MAC address than eth0"));
  EXPECT_EQ(problems[0].next_step, "ip link set eth0.7 address 02:00:00:00:00:01");
}

TEST(VlanProblems, are_those_of_our_interfaces_and_of_devices_that_are_up) {
  net::Link down = device(4, "eth0.7", net::Vlan{.parent = 3, .id = 7}, 2);
  EXPECT_THAT(vlan_problems({kEth0, down}, {"eth1"}), IsEmpty());
  down.up = false;
  EXPECT_THAT(vlan_problems({kEth0, down}, {"eth0"}), IsEmpty());
}

TEST(VlanProblems, tell_of_more_devices_than_are_known_for_replies) {
  std::vector<net::Link> links{kEth0};
  for (std::uint16_t id = 1; id <= 65; ++id)
    links.push_back(device(10U + id, "v" + std::to_string(id), net::Vlan{.parent = 3, .id = id}));
  const auto problems = vlan_problems(links, {"eth0"});
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_THAT(problems[0].what, HasSubstr("65 VLAN devices are up"));
}

}  // namespace
}  // namespace astil::app
