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

TEST(config_dns, a_zone_that_is_signed_names_its_keys) {
  const auto with = [](const std::string& dnssec) {
    return replaced(kNamed, "      records:", "      dnssec: {" + dnssec + "}\n      records:");
  };
  const auto model = load(with("keys: [/etc/K1, /etc/K2], published: [/etc/K3], validity: 48h"), "astil.yaml");
  ASSERT_TRUE(model.has_value());
  const auto& signing = model->dns->zones.front().dnssec;
  ASSERT_TRUE(signing);
  EXPECT_THAT(signing->keys, ElementsAre("/etc/K1", "/etc/K2"));
  EXPECT_THAT(signing->published, ElementsAre("/etc/K3"));
  EXPECT_EQ(signing->validity, std::chrono::hours(48));
  EXPECT_THAT(mistakes_in(with("published: [/etc/K3]")), ElementsAre(HasSubstr("lacks the required key \"keys\"")));
  EXPECT_THAT(mistakes_in(with("keys: [/etc/K1], validity: 1h")), ElementsAre(HasSubstr("validity")));
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

/// The same with a name that has two sites; the name stands in line 17.
const std::string kSites = kNamed + R"(      names:
        app:
          policy: weighted
          sites:
            here: {services: [web]}
            there: {addresses: [203.0.113.1], health: {type: tcp, port: 80}}
)";

std::vector<std::string> sites_changed(std::string_view from, std::string_view to) {
  return mistakes_in(replaced(kSites, from, to));
}

TEST(config_dns, a_name_with_sites_is_read) {
  const auto model = load(kSites, "astil.yaml");
  ASSERT_TRUE(model.has_value());
  const DnsName& name = model->dns->zones.front().names.front();
  EXPECT_EQ(name.policy, DnsPolicy::weighted);
  EXPECT_EQ(name.at_most, 1U);
  EXPECT_EQ(name.sites.size(), 2U);
  EXPECT_EQ(load(replaced(kSites, "weighted", "all"), "a")->dns->zones.front().names.front().at_most, 8U);
}

TEST(config_dns, a_limit_s_burst_is_a_second_s_worth) {
  const auto model = load(replaced(kNamed, "  zones:", "  rate_limit: {per_second: 70}\n  zones:"), "astil.yaml");
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->dns->rate_limit->burst, 70U);
}

TEST(config_dns, a_site_has_services_or_addresses) {
  EXPECT_THAT(sites_changed("{services: [web]}", "{weight: 2}"),
              ElementsAre(HasSubstr("20:13: site \"here\" has neither services nor addresses")));
  EXPECT_THAT(sites_changed("[web]", "[web], addresses: [203.0.113.2]"),
              ElementsAre(HasSubstr("site \"here\" has services and addresses")));
  EXPECT_THAT(sites_changed("services: [web]", "services: [wbe]"),
              ElementsAre(HasSubstr("20:31: there is no service \"wbe\" [did you mean \"web\"?]")));
}

TEST(config_dns, a_probe_of_a_site_names_its_port_and_ends_in_time) {
  EXPECT_THAT(sites_changed("{type: tcp, port: 80}", "{type: tcp}"),
              ElementsAre(HasSubstr("the health of site \"there\" lacks the key \"port\"")));
  EXPECT_THAT(sites_changed("{type: tcp, port: 80}", "{type: icmp}"), IsEmpty());
  EXPECT_THAT(sites_changed("port: 80}}", "port: 80, timeout: 2s}}"),
              ElementsAre(HasSubstr("the timeout of 2s is longer than the interval of 1s")));
  EXPECT_THAT(sites_changed("port: 80}}", "port: 80, via: path}}"),
              ElementsAre(HasSubstr("\"via: path\" applies only to services")));
  EXPECT_THAT(sites_changed("port: 80}}", "port: 80, down_interval: 500ms}}"),
              ElementsAre(HasSubstr("the down_interval of 500ms is shorter than the interval of 1s")));
  EXPECT_THAT(sites_changed("[web]", "[web], health: {type: tcp, port: 80}"),
              ElementsAre(HasSubstr("\"health\" applies only with addresses")));
}

TEST(config_dns, a_name_is_chosen_or_written_and_stands_once) {
  EXPECT_THAT(sites_changed("        app:", "        www:"),
              ElementsAre(HasSubstr("www.example.org has addresses, and is a name with sites")));
  EXPECT_THAT(mistakes_in(kSites + "        App: {sites: {here: {services: [web]}}}\n"),
              ElementsAre(HasSubstr("\"App\" stands twice")));
  EXPECT_THAT(sites_changed("policy: weighted", "ttl: {min: 2m}"),
              ElementsAre(HasSubstr("the ttl of name \"app\" is at least 2m and at most 1m")));
  EXPECT_THAT(sites_changed("policy: weighted", "when_down: fallback"), ElementsAre(HasSubstr("\"fallback\"")));
  EXPECT_THAT(sites_changed("policy: weighted", "fallback: [192.0.2.99]"),
              ElementsAre(HasSubstr("\"fallback\" applies only with when_down: fallback")));
}

/// The same by nearness; the map's first line is line 10.
const std::string kNear =
    replaced(replaced(kSites, "policy: weighted", "policy: nearest\n          map: world"), "  zones:", R"(  maps:
    world:
      networks: /etc/astil/networks
      regions:
        europe: {near: [here, there]}
      elsewhere: [here there]
  zones:)");

std::vector<std::string> near_changed(std::string_view from, std::string_view to) {
  return mistakes_in(replaced(kNear, from, to));
}

TEST(config_dns, a_map_is_read) {
  const auto model = load(kNear, "astil.yaml");
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->dns->zones.front().names.front().map, "world");
  const DnsMap& map = model->dns->maps.front();
  using Tiers = std::vector<std::vector<std::string>>;
  EXPECT_EQ(sites_by_nearness(map.regions.front().near), (Tiers{{"here"}, {"there"}}));
  EXPECT_EQ(sites_by_nearness(map.elsewhere), (Tiers{{"here", "there"}}));
}

TEST(config_dns, a_map_is_there_and_leads_to_sites) {
  EXPECT_THAT(near_changed("map: world", "map: word"),
              ElementsAre(HasSubstr("there is no map \"word\" [did you mean \"world\"?]")));
  EXPECT_THAT(near_changed("          map: world\n", ""), ElementsAre(HasSubstr("lacks the required key \"map\"")));
  EXPECT_THAT(near_changed("policy: nearest", "policy: hash"),
              ElementsAre(HasSubstr("\"map\" applies only with policy: nearest")));
  EXPECT_THAT(near_changed("near: [here,", "near: [hree,"),
              ElementsAre(HasSubstr("14:25: no name has a site \"hree\" [did you mean \"here\"?]")));
  EXPECT_THAT(near_changed("[here, there]", "[here, there here]"),
              ElementsAre(HasSubstr("site \"here\" is near twice")));
  EXPECT_THAT(near_changed("[here there]", "[here nowhere]"), ElementsAre(HasSubstr("no name has a site \"nowhere\"")));
  EXPECT_THAT(near_changed("      networks: /etc/astil/networks\n", ""),
              ElementsAre(HasSubstr("11:5: map \"world\" has neither networks nor databases")));
}

/// The same by load; the site elsewhere stands in line 11.
const std::string kLoaded =
    replaced(replaced(replaced(kSites, "policy: weighted", "policy: load"), "  zones:", R"(  sites:
    there: {servers: ["lb1.example.org:9443", "[2001:db8::5]:9443"], token_file: /etc/astil/token}
  zones:)"),
             "    port: 80\n", "    port: 80\n    capacity: 1000\n");

std::vector<std::string> loaded_changed(std::string_view from, std::string_view to) {
  return mistakes_in(replaced(kLoaded, from, to));
}

TEST(config_dns, a_site_that_tells_of_itself_is_read) {
  const auto model = load(kLoaded, "astil.yaml");
  ASSERT_TRUE(model.has_value());
  const DnsReport& report = model->dns->sites.front();
  EXPECT_THAT(report.servers, ElementsAre("lb1.example.org:9443", "[2001:db8::5]:9443"));
  EXPECT_EQ(report.stale_after, std::chrono::seconds(20));
  EXPECT_EQ(model->services.front().capacity, 1000U);
  EXPECT_TRUE(goes_by_load(model->dns->zones.front().names.front()));
}

TEST(config_dns, a_site_that_tells_of_itself_is_elsewhere_and_known) {
  EXPECT_THAT(loaded_changed("    there: {servers", "    theer: {servers"),
              ElementsAre(HasSubstr("no name has a site \"theer\" with addresses [did you mean \"there\"?]"),
                          HasSubstr("nothing tells the load of site \"there\" [add it to dns.sites")));
  EXPECT_THAT(loaded_changed("lb1.example.org:9443", "lb1.example.org"),
              ElementsAre(HasSubstr("each of servers must be a host and a port such as lb1.example.org:9443")));
  EXPECT_THAT(loaded_changed("/token}", "/token, interval: 10s, stale_after: 9s}"),
              ElementsAre(HasSubstr("the stale_after of 9s is shorter than the interval of 10s")));
}

TEST(config_dns, by_load_needs_capacities) {
  EXPECT_THAT(loaded_changed("    capacity: 1000\n", ""),
              ElementsAre(HasSubstr("the load of site \"here\" is not known: service \"web\" has no capacity")));
}

}  // namespace
}  // namespace astil::config::test
