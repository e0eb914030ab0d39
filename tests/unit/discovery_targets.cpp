// Files of targets, and what is kept of them.
#include "control/discovery/targets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/discovery/kept_sets.hpp"

namespace astil::discovery {
namespace {

using testing::HasSubstr;

Found found(const char* host, unsigned port, unsigned weight = 1) {
  return {.host = boost::asio::ip::make_address(host),
          .port = config::Port{static_cast<std::uint16_t>(port)},
          .weight = config::Weight{static_cast<std::uint16_t>(weight)}};
}

const Set kThree{found("10.0.0.1", 8080, 3), found("10.0.0.2", 8080, 3), found("2001:db8::1", 80)};

TEST(DiscoveryTargets, yaml_of_lists_without_end_is_refused_before_it_takes_the_memory) {
  const auto read = read_targets(std::string(8U << 20U, '['), "a.yaml");
  ASSERT_TRUE(read.has_error());
  EXPECT_EQ(read.error().what, "lists within lists without end");
}

TEST(DiscoveryTargets, json_and_yaml_say_the_same) {
  const std::string json = R"([{"targets": ["10.0.0.2:8080", "10.0.0.1:8080"], "labels": {"weight": "3", "job": "web"}},
                               {"targets": ["[2001:db8::1]:80"]}])";
  EXPECT_EQ(read_targets(json, "/etc/web.json").value(), kThree);
  const std::string yaml =
      "- targets: ['10.0.0.2:8080', '10.0.0.1:8080']\n  labels:\n    weight: '3'\n    job: web\n"
      "- targets:\n    - '[2001:db8::1]:80'\n";
  EXPECT_EQ(read_targets(yaml, "/etc/web.yml").value(), kThree);
}

TEST(DiscoveryTargets, a_target_that_stands_twice_is_one) {
  const auto set =
      read_targets(R"([{"targets": ["10.0.0.1:80", "10.0.0.1:80"]}, {"targets": ["10.0.0.1:80"]}])", "a.json");
  EXPECT_EQ(set.value(), Set{found("10.0.0.1", 80)});
}

TEST(DiscoveryTargets, a_list_without_groups_is_an_empty_set) {
  EXPECT_TRUE(read_targets("[]", "a.json").value().empty());
  EXPECT_TRUE(read_targets("[]", "a.yaml").value().empty());
}

TEST(DiscoveryTargets, a_target_may_leave_its_port_to_the_service) {
  EXPECT_EQ(read_target("10.0.0.1").value(), found("10.0.0.1", 0));
  EXPECT_EQ(read_target("2001:db8::1").value(), found("2001:db8::1", 0));
  EXPECT_EQ(read_target("[2001:db8::1]").value(), found("2001:db8::1", 0));
}

TEST(DiscoveryTargets, what_is_no_target_makes_all_of_it_wrong) {
  for (const char* const wrong : {"web1:80", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:", "127.0.0.1:80", "[::1]:80",
                                  "[2001:db8::1]80", "[2001:db8::1", "", "10.0.0.1:80:90", "10.0.0.1:8o"}) {
    const auto set = read_targets("[{\"targets\": [\"10.0.0.9:80\", \"" + std::string(wrong) + "\"]}]", "a.json");
    ASSERT_TRUE(set.has_error()) << wrong;
    EXPECT_THAT(set.error().text(), HasSubstr("no address with a port")) << wrong;
  }
}

TEST(DiscoveryTargets, another_form_is_named) {
  for (const char* const wrong :
       {"{}", "[1]", "[{}]", "[{\"targets\": 1}]", "[{\"targets\": [1]}]", "", "[",
        "[{\"targets\": [], \"labels\": 1}]", "[{\"targets\": [], \"labels\": {\"weight\": 1}}]",
        "[{\"targets\": [], \"labels\": {\"weight\": \"1001\"}}]"}) {
    EXPECT_TRUE(read_targets(wrong, "a.json").has_error()) << wrong;
  }
  for (const char* const wrong :
       {"{}", "- 1", "- {}", "- targets: 1", "- targets: [[]]", "", "- targets: [", "a: &b 1"})
    EXPECT_TRUE(read_targets(wrong, "a.yaml").has_error()) << wrong;
}

TEST(DiscoveryTargets, a_name_is_one_of_a_backend) {
  EXPECT_EQ(name_of(found("10.0.0.1", 0), config::Port{80}), "10.0.0.1-80");
  EXPECT_EQ(name_of(found("2001:db8::1", 0), config::Port{80}), "2001-db8--1-80");
}

TEST(DiscoveryTargets, what_is_kept_is_read_back) {
  const KeptSets sets{{"web", {.source = "file /etc/web.json", .set = kThree}},
                      {"mail", {.source = "A of b", .set = {}}}};
  const KeptSets read = kept_sets_of(text_of(sets));
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read.at("web").source, "file /etc/web.json");
  EXPECT_EQ(read.at("web").set, kThree);
  EXPECT_TRUE(kept_sets_of("[").empty());
  EXPECT_TRUE(kept_sets_of(R"({"services": {"web": {"source": 1}}})").empty());
}

}  // namespace
}  // namespace astil::discovery
