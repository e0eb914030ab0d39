// The table of interfaces: which news is news.
#include "control/net/links.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace astil::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

LinkMessage added(std::uint32_t ifindex, const std::string& name, std::uint32_t mtu = 1500) {
  return {Change::added, {.ifindex = ifindex, .name = name, .mac = {}, .mtu = mtu, .up = true, .carrier = true}};
}

LinkMessage removed(std::uint32_t ifindex) { return {Change::removed, {.ifindex = ifindex, .name = "any", .mac = {}}}; }

TEST(net_links, a_link_is_found_by_name_and_by_index) {
  Links links;
  EXPECT_THAT(links.apply(added(3, "eth0")), ElementsAre("eth0"));
  ASSERT_NE(links.by_name("eth0"), nullptr);
  EXPECT_EQ(links.by_name("eth0")->ifindex, 3U);
  EXPECT_EQ(links.by_index(3)->name, "eth0");
  EXPECT_EQ(links.by_name("eth1"), nullptr);
}

TEST(net_links, the_same_again_is_no_news) {
  Links links;
  EXPECT_THAT(links.apply(added(3, "eth0")), ElementsAre("eth0"));
  EXPECT_THAT(links.apply(added(3, "eth0")), IsEmpty());
  EXPECT_THAT(links.apply(added(3, "eth0", 9000)), ElementsAre("eth0"));
}

TEST(net_links, a_rename_is_news_of_both_names) {
  Links links;
  EXPECT_THAT(links.apply(added(3, "eth0")), ElementsAre("eth0"));
  EXPECT_THAT(links.apply(added(3, "lan0")), ElementsAre("eth0", "lan0"));
  EXPECT_EQ(links.by_name("eth0"), nullptr);
}

TEST(net_links, a_link_made_anew_has_its_new_index) {
  Links links;
  EXPECT_THAT(links.apply(added(3, "eth0")), ElementsAre("eth0"));
  EXPECT_THAT(links.apply(removed(3)), ElementsAre("eth0"));
  EXPECT_THAT(links.apply(removed(3)), IsEmpty());
  EXPECT_THAT(links.apply(added(7, "eth0")), ElementsAre("eth0"));
  EXPECT_EQ(links.by_name("eth0")->ifindex, 7U);
}

TEST(net_links, a_new_list_tells_what_came_went_and_changed) {
  Links links;
  EXPECT_THAT(links.replace({added(1, "same").link, added(2, "gone").link, added(3, "other").link}),
              ElementsAre("gone", "other", "same"));
  EXPECT_THAT(links.replace({added(1, "same").link, added(3, "other", 9000).link, added(4, "new").link}),
              ElementsAre("gone", "new", "other"));
  EXPECT_EQ(links.by_name("gone"), nullptr);
}

class net_vlan_devices : public testing::Test {
 protected:
  void add(std::uint32_t ifindex, const std::string& name, std::optional<Vlan> vlan = {}) {
    LinkMessage message = added(ifindex, name);
    message.link.vlan = vlan;
    static_cast<void>(links_.apply(message));
  }
  [[nodiscard]] Result<Exit> exit_of(std::uint32_t ifindex) const { return links_.exit_of(*links_.by_index(ifindex)); }
  [[nodiscard]] std::string refusal_of(std::uint32_t ifindex) const {
    const auto exit = exit_of(ifindex);
    return exit ? "" : exit.error().what;
  }

  Links links_;
};

TEST_F(net_vlan_devices, leave_by_what_carries_them) {
  add(3, "eth0");
  add(4, "eth0.42", Vlan{.parent = 3, .id = 42});
  EXPECT_EQ(exit_of(3).value(), Exit{.ifindex = 3});
  EXPECT_EQ(exit_of(4).value(), (Exit{.ifindex = 3, .inner_tag = 42}));
}

TEST_F(net_vlan_devices, over_another_have_two_tags) {
  add(3, "eth0");
  add(4, "eth0.7", Vlan{.parent = 3, .id = 7, .protocol = 0x88a8});
  add(5, "eth0.7.42", Vlan{.parent = 4, .id = 42});
  EXPECT_EQ(exit_of(5).value(), (Exit{.ifindex = 3, .outer_tag = 7, .inner_tag = 42}));
}

TEST_F(net_vlan_devices, that_the_packet_path_has_no_tags_for_are_refused_with_the_reason) {
  add(3, "eth0");
  add(4, "eth0.7", Vlan{.parent = 3, .id = 7, .protocol = 0x88a8});
  add(5, "eth0.0", Vlan{.parent = 3, .id = 0});
  add(6, "far.9", Vlan{.parent = 0, .id = 9});
  add(7, "eth0.1", Vlan{.parent = 3, .id = 1});
  add(8, "eth0.1.2", Vlan{.parent = 7, .id = 2});
  add(9, "eth0.7.1", Vlan{.parent = 4, .id = 1, .protocol = 0x88a8});
  add(10, "eth0.7.1.2", Vlan{.parent = 9, .id = 2});
  EXPECT_THAT(refusal_of(4), HasSubstr("VLAN device eth0.7 has a tag of 802.1ad alone"));
  EXPECT_THAT(refusal_of(5), HasSubstr("VLAN id 0"));
  EXPECT_THAT(refusal_of(6), HasSubstr("not in this network namespace"));
  EXPECT_THAT(refusal_of(8), HasSubstr("eth0.1 carries another one, so its tag has to be of 802.1ad"));
  EXPECT_THAT(refusal_of(10), HasSubstr("more than two tags"));
}

}  // namespace
}  // namespace astil::net
