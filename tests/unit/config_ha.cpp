// ha: its keys, and what contradicts itself there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/load.hpp"
#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kGroup = "virtual_router_id: 51, addresses: [192.0.2.10]";

std::string with_ha(const std::string& section) { return kSmallest + "ha:\n  node: lb1\n" + section; }

/// The group `web` of the smallest configuration's address, with these keys too.
std::vector<std::string> with_group(const std::string& keys) {
  return mistakes_in(with_ha("  groups: {web: {" + kGroup + (keys.empty() ? "" : ", ") + keys + "}}\n"));
}

std::vector<std::string> with_groups(const std::string& groups) {
  return mistakes_in(with_ha("  groups: {" + groups + "}\n"));
}

std::vector<std::string> with_keys(const std::string& keys) {
  return mistakes_in(with_ha(keys + "  groups: {web: {" + kGroup + "}}\n"));
}

TEST(config_ha, a_group_needs_a_number_and_addresses) {
  const auto model = load(with_ha("  groups: {web: {" + kGroup + "}}\n"), "f");
  ASSERT_TRUE(model.has_value());
  const VrrpGroup& group = model->ha->groups.at(0);
  EXPECT_EQ(group.interface, "eth0");
  EXPECT_EQ(group.priority, 100);
  EXPECT_EQ(group.advert_interval, Milliseconds(1000));
  EXPECT_TRUE(group.preempt);
  EXPECT_FALSE(model->ha->heartbeat.has_value());
  EXPECT_THAT(with_groups("web: {}"),
              ElementsAre(HasSubstr("key \"addresses\""), HasSubstr("key \"virtual_router_id\"")));
  EXPECT_THAT(with_groups(""), ElementsAre(HasSubstr("ha.groups is empty")));
}

TEST(config_ha, a_link_local_address_is_one_and_of_a_group_of_ipv6) {
  const std::string six =
      "web: {virtual_router_id: 51, addresses: [192.0.2.10]}, six: {virtual_router_id: 52, addresses: "
      "[\"2001:db8::10\"], link_local: ";
  EXPECT_THAT(with_groups(six + "\"fe80::1\"}"), IsEmpty());
  EXPECT_THAT(with_groups(six + "\"2001:db8::1\"}"), ElementsAre(HasSubstr("2001:db8::1 is not a link-local address")));
  EXPECT_THAT(with_groups(six + "\"fe80::1%eth0\"}"), ElementsAre(HasSubstr("fe80::1%eth0 has a zone")));
  EXPECT_THAT(with_group("link_local: \"fe80::1\""), ElementsAre(HasSubstr("link_local is of IPv6")));
}

TEST(config_ha, an_unknown_key_is_pointed_at) {
  EXPECT_THAT(with_group("priorty: 3"), ElementsAre(HasSubstr("did you mean \"priority\"")));
}

TEST(config_ha, intervals_are_in_steps_of_ten_milliseconds) {
  EXPECT_THAT(with_group("advert_interval: 10ms"), IsEmpty());
  EXPECT_THAT(with_group("advert_interval: 40950ms"), IsEmpty());
  EXPECT_THAT(with_group("advert_interval: 15ms"), ElementsAre(HasSubstr("in steps of 10ms [write 10ms]")));
  EXPECT_THAT(with_group("advert_interval: 5ms"), ElementsAre(HasSubstr("a duration from 10ms")));
  EXPECT_THAT(with_group("advert_interval: 41s"), ElementsAre(HasSubstr("to 40950ms")));
}

TEST(config_ha, a_group_has_one_ip_version) {
  EXPECT_THAT(with_groups("web: {virtual_router_id: 1, addresses: [192.0.2.10, 2001:db8::1]}"),
              ElementsAre(HasSubstr("2001:db8::1 is IPv6, and group \"web\" has 192.0.2.10")));
  EXPECT_THAT(with_group("adverts: unicast, peers: [2001:db8::2]"), ElementsAre(HasSubstr("2001:db8::2 is IPv6")));
}

TEST(config_ha, peers_belong_to_unicast) {
  EXPECT_THAT(with_group("adverts: unicast"), ElementsAre(HasSubstr("lacks the required key \"peers\"")));
  EXPECT_THAT(with_group("peers: [192.0.2.2]"), ElementsAre(HasSubstr("applies only with adverts: unicast")));
  EXPECT_THAT(with_group("adverts: unicast, peers: [192.0.2.2]"), IsEmpty());
}

TEST(config_ha, groups_differ_in_number_and_addresses) {
  EXPECT_THAT(with_groups("web: {" + kGroup + "}, too: {virtual_router_id: 51, addresses: [192.0.2.11]}"),
              ElementsAre(HasSubstr("virtual router 51 on eth0 is group \"web\"")));
  EXPECT_THAT(with_groups("web: {" + kGroup + "}, too: {virtual_router_id: 52, addresses: [192.0.2.10]}"),
              ElementsAre(HasSubstr("192.0.2.10 is an address of group \"web\" already")));
  EXPECT_THAT(with_groups("web: {" + kGroup + "}, six: {virtual_router_id: 51, addresses: [2001:db8::1]}"), IsEmpty());
}

TEST(config_ha, a_service_address_that_no_group_has_is_named) {
  EXPECT_THAT(with_groups("web: {virtual_router_id: 51, addresses: [192.0.2.99]}"),
              ElementsAre(HasSubstr("192.0.2.10 is in none of ha.groups, so both nodes would have it")));
}

TEST(config_ha, an_advert_has_room_for_its_addresses_and_their_code) {
  const auto of = [](std::size_t count, const std::string& more) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i)
      list += (i == 0 ? "\"2001:db8::" : ", \"2001:db8::") + std::to_string(i) + "\"";
    return with_groups("web: {" + kGroup + "}, six: {virtual_router_id: 52, addresses: [" + list + "]" + more + "}");
  };
  EXPECT_THAT(of(90, ""), IsEmpty());
  const auto of_one = [&](std::size_t count, const std::string& more) {
    std::vector<std::string> found = of(count, more + ", authenticate: true");
    std::erase_if(found, [](const std::string& each) { return each.find("secret of the pair") != std::string::npos; });
    return found;
  };
  EXPECT_THAT(of_one(88, ""), IsEmpty());
  EXPECT_THAT(of_one(89, ""), ElementsAre(HasSubstr("holds 88 addresses")));
  EXPECT_THAT(of_one(88, ", link_local: \"fe80::1\""), ElementsAre(HasSubstr("holds 87 addresses")));
}

TEST(config_ha, what_leads_to_the_other_node_is_not_what_moves) {
  EXPECT_THAT(with_group("adverts: unicast, peers: [192.0.2.10]"), ElementsAre(HasSubstr("is an address of group")));
  EXPECT_THAT(with_keys("  paths: {a: {local: 10.0.0.1, peer: 10.0.0.2}, b: {local: 10.0.0.1, peer: 10.0.0.3}}\n"),
              ElementsAre(HasSubstr("10.0.0.1 is where path \"a\" leaves from")));
  EXPECT_THAT(with_keys("  previous_key_file: /etc/old.key\n"), ElementsAre(HasSubstr("there is none")));
}

TEST(config_ha, nobody_listens_where_packets_are_not_accepted) {
  const auto with_metrics = [](const std::string& host, const std::string& mode) {
    return mistakes_in(with_ha("  groups: {web: {" + kGroup + ", accept_mode: " + mode + "}}\napi: {metrics: \"" +
                               host + ":9100\"}\n"));
  };
  EXPECT_THAT(with_metrics("192.0.2.10", "false"), ElementsAre(HasSubstr("192.0.2.10 is listened at (api.metrics)")));
  EXPECT_THAT(with_metrics("192.0.2.10", "true"), IsEmpty());
  EXPECT_THAT(with_metrics("192.0.2.11", "false"), IsEmpty());
}

TEST(config_ha, an_owner_is_always_first) {
  EXPECT_THAT(with_group("priority: 255"), IsEmpty());
  EXPECT_THAT(with_group("priority: 255, preempt: false"), ElementsAre(HasSubstr("takes them always")));
  EXPECT_THAT(with_group("priority: 255, accept_mode: false"), ElementsAre(HasSubstr("takes packets to them always")));
  EXPECT_THAT(with_group("priority: 255, track: {a: {type: file, file: /run/a}}"),
              ElementsAre(HasSubstr("is not changed by what is tracked")));
}

TEST(config_ha, what_is_tracked_has_the_keys_of_its_type) {
  EXPECT_THAT(with_group("track: {a: {type: interface, interface: eth1, subtract: 50}}"), IsEmpty());
  EXPECT_THAT(with_group("track: {a: {type: interface}}"),
              ElementsAre(HasSubstr("lacks the required key \"interface\"")));
  EXPECT_THAT(with_group("track: {a: {type: file, file: /run/a, interface: eth1}}"),
              ElementsAre(HasSubstr("applies only with type: interface")));
}

TEST(config_ha, gateways_and_commands_are_probed_as_checks_are) {
  const auto model =
      load(with_ha("  groups: {web: {" + kGroup +
                   ", track: {gw: {type: gateway, address: \"fe80::1\", interval: 200ms, timeout: 100ms}, "
                   "s: {type: exec, command: [/bin/true, -v], rise: 1, fall: 1, subtract: 20}}}}\n"),
           "f");
  ASSERT_TRUE(model.has_value());
  const VrrpGroup& group = model->ha->groups.at(0);
  EXPECT_EQ(group.track.at(0).interval, Milliseconds(200));
  EXPECT_EQ(group.track.at(0).fall, 3U);
  EXPECT_THAT(group.track.at(1).command, ElementsAre("/bin/true", "-v"));
  EXPECT_THAT(with_group("track: {a: {type: gateway}}"), ElementsAre(HasSubstr("lacks the required key \"address\"")));
  EXPECT_THAT(with_group("track: {a: {type: file, file: /run/a, fall: 2}}"),
              ElementsAre(HasSubstr("applies only with type: gateway or exec")));
  EXPECT_THAT(with_group("track: {a: {type: gateway, address: 192.0.2.1, interval: 100ms}}"),
              ElementsAre(HasSubstr("the timeout of 500ms (the default) is longer than the interval of 100ms")));
  EXPECT_THAT(with_group("track: {a: {type: exec, command: [check]}}"),
              ElementsAre(HasSubstr("the command \"check\" is no absolute path")));
  EXPECT_THAT(with_group("track: {a: {type: gateway, address: 192.0.2.10}}"),
              ElementsAre(HasSubstr("192.0.2.10 is an address of group \"web\" itself")));
}

TEST(config_ha, groups_of_a_sync_group_have_one_priority) {
  EXPECT_THAT(
      with_groups("web: {" + kGroup +
                  ", sync_group: s}, six: {virtual_router_id: 51, addresses: [2001:db8::1], "
                  "sync_group: s, priority: 120}"),
      ElementsAre(HasSubstr("group \"six\" has priority 120, and group \"web\" of the same sync_group has 100")));
}

TEST(config_ha, authentication_needs_the_key) {
  EXPECT_THAT(with_group("authenticate: true"), ElementsAre(HasSubstr("authenticate needs the secret of the pair")));
  EXPECT_THAT(with_keys("  heartbeat: {}\n  paths: {a: {local: 10.0.0.1, peer: 10.0.0.2}}\n"),
              ElementsAre(HasSubstr("there is no ha.key_file")));
}

TEST(config_ha, heartbeats_need_a_path) {
  EXPECT_THAT(with_keys("  key_file: /etc/astil/pair.key\n  heartbeat: {interval: 10ms}\n"),
              ElementsAre(HasSubstr("need a path")));
}

TEST(config_ha, a_path_has_two_ends_of_one_version_that_stay) {
  EXPECT_THAT(with_keys("  paths: {a: {local: 10.0.0.1, peer: 2001:db8::1}}\n"),
              ElementsAre(HasSubstr("is no way from")));
  EXPECT_THAT(with_keys("  paths: {a: {local: 10.0.0.1, peer: 10.0.0.1}}\n"), ElementsAre(HasSubstr("is no way from")));
  EXPECT_THAT(with_keys("  paths: {a: {local: 192.0.2.10, peer: 10.0.0.1}}\n"),
              ElementsAre(HasSubstr("192.0.2.10 moves between the nodes: it is of group \"web\"")));
}

TEST(config_ha, somebody_else_s_addresses_do_not_move) {
  EXPECT_THAT(mistakes_in(with_ha("  groups: {web: {" + kGroup + "}}\naddresses: {owner: none}\n")),
              ElementsAre(HasSubstr("and addresses.owner is none")));
}

TEST(config_ha, flow_sync_needs_the_key_and_a_path_and_a_port_of_its_own) {
  const std::string paths = "  paths: {a: {local: 10.0.0.1, peer: 10.0.0.2}}\n";
  const std::string key = "  key_file: /etc/astil/pair.key\n";
  EXPECT_THAT(with_keys(key + paths + "  sync: {}\n"), IsEmpty());
  EXPECT_THAT(with_keys(paths + "  sync: {}\n"),
              ElementsAre(HasSubstr("flows are sent encrypted, and there is no ha.key_file")));
  EXPECT_THAT(with_keys(key + "  sync: {}\n"), ElementsAre(HasSubstr("flow sync needs a path between the nodes")));
  EXPECT_THAT(with_keys(key + paths + "  heartbeat: {}\n  sync: {port: 5405}\n"),
              ElementsAre(HasSubstr("port 5405 is that of the heartbeats")));
  EXPECT_THAT(with_keys(key + paths + "  sync: {intervall: 1s}\n"),
              ElementsAre(HasSubstr("did you mean \"interval\"")));
}

}  // namespace
}  // namespace astil::config::test
