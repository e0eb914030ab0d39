// The section dns: what contradicts itself there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The smallest configuration with a zone; the section's first line is line 8, the zone's first record stands in
/// line 13.
const std::string kNamed = kSmallest + R"(dns:
  listen: ["192.0.2.53:53"]
  zones:
    example.org:
      records:
        - "@ SOA ns1 hostmaster 1 3600 600 604800 60"
        - "@ NS ns1"
        - "www A 192.0.2.10"
)";

std::vector<std::string> changed(std::string_view from, std::string_view to) {
  return mistakes_in(replaced(kNamed, from, to));
}

TEST(config_dns, a_zone_is_read) {
  const auto model = load(kNamed, "astil.yaml");
  ASSERT_TRUE(model.has_value());
  ASSERT_TRUE(model->dns);
  EXPECT_EQ(model->dns->zones.front().records.size(), 3U);
  EXPECT_EQ(model->dns->udp_size, 1232);
}

TEST(config_dns, a_record_that_is_none_is_told_with_its_place) {
  EXPECT_THAT(changed("www A 192.0.2.10", "www A 192.0.2"), ElementsAre(HasSubstr("15:11: \"www A 192.0.2\": ")));
  EXPECT_THAT(changed("www A 192.0.2.10", "www DNAME example.net."),
              ElementsAre(HasSubstr("records of type DNAME can not stand here [leave it out]")));
}

TEST(config_dns, a_zone_is_whole) {
  EXPECT_THAT(changed("@ NS ns1", "a NS ns1"), ElementsAre(HasSubstr("11:5: zone example.org has no NS record [")));
  EXPECT_THAT(changed("www A 192.0.2.10", "www.example.net. A 192.0.2.1"),
              ElementsAre(HasSubstr("www.example.net is not within example.org")));
  EXPECT_THAT(changed("      records:", "      file: /etc/zone\n      records:"), IsEmpty());
  EXPECT_THAT(changed("        - \"@ NS ns1\"\n", ""), ElementsAre(HasSubstr("no NS record")));
}

TEST(config_dns, a_zone_stands_once) {
  EXPECT_THAT(mistakes_in(kNamed + "    Example.org.: {file: /etc/zone}\n"),
              ElementsAre(HasSubstr("zone \"Example.org.\" stands twice (line 11)")));
  EXPECT_THAT(changed("example.org", "example..org"), ElementsAre(HasSubstr("'example..org' is not a domain name")));
}

TEST(config_dns, where_it_listens_nobody_else_does) {
  EXPECT_THAT(changed("192.0.2.53:53", "192.0.2.10:80"),
              ElementsAre(HasSubstr("9:12: 192.0.2.10:80 is taken by service \"web\" (line 4)")));
  EXPECT_THAT(mistakes_in(kNamed + "api: {metrics: \"192.0.2.53:53\"}\n"),
              ElementsAre(HasSubstr("192.0.2.53:53 is api.metrics too")));
}

TEST(config_dns, how_long_a_record_is_kept_is_in_whole_seconds) {
  EXPECT_THAT(changed("      records:", "      ttl: 1500ms\n      records:"),
              ElementsAre(HasSubstr("ttl must be a duration of whole seconds, at most 168h, not \"1500ms\"")));
  EXPECT_THAT(changed("      records:", "      ttl: 2m\n      records:"), IsEmpty());
}

}  // namespace
}  // namespace astil::config::test
