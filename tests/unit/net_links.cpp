// The table of interfaces: which news is news.
#include "control/net/links.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace astil::net {
namespace {

using testing::ElementsAre;
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

}  // namespace
}  // namespace astil::net
