// What each kind of value accepts, and what it answers to what it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/keys.hpp"
#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

TEST(config_values, prefixes_of_clients_are_of_any_length_and_have_no_bits_behind_it) {
  const auto mistakes = [](const std::string& prefix) {
    return mistakes_in(kSmallest + "    sources: {deny: [" + prefix + "]}\n");
  };
  EXPECT_TRUE(mistakes("0.0.0.0/0").empty());
  EXPECT_TRUE(mistakes("127.0.0.1/32").empty());
  const std::string kWords = "8:22: each of deny must be a prefix such as 203.0.113.0/24 or 2001:db8::/32, not ";
  EXPECT_EQ(mistakes("10.0.0.1").at(0), kWords + "\"10.0.0.1\" [write its length too: 10.0.0.1/32]");
  EXPECT_EQ(mistakes("10.0.0.0/33").at(0), kWords + "\"10.0.0.0/33\"");
  EXPECT_EQ(mistakes("lan").at(0), kWords + "\"lan\"");
  EXPECT_EQ(mistakes("10.0.0.1/8").at(0), "8:22: 10.0.0.1/8 has bits behind its length [write 10.0.0.0/8]");
  EXPECT_EQ(mistakes("\"::ffff:10.0.0.0/104\"").at(0),
            "8:22: ::ffff:10.0.0.0/104 is of IPv4-mapped addresses, which no packet has [write an IPv4 prefix]");
  EXPECT_EQ(mistakes_in(kSmallest + "    sources: {deny: []}\n").at(0), "8:21: deny is empty [at least one is needed]");
  EXPECT_EQ(mistakes_in(kSmallest + "    sources: {deny: 10.0.0.0/8}\n").at(0),
            "8:21: deny must be a list, not \"10.0.0.0/8\" [write \"deny: [10.0.0.0/8]\"]");
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> with_port(std::string_view value) {
  return mistakes_in(replaced(kSmallest, "port: 80", "port: " + std::string(value)));
}

std::vector<std::string> with_address(std::string_view value) {
  return mistakes_in(replaced(kSmallest, "192.0.2.10", value));
}

std::vector<std::string> with_line(std::string_view line) { return mistakes_in(kSmallest + std::string(line) + '\n'); }

std::vector<std::string> with_health(std::string_view keys) {
  return with_line("    health: {type: http, " + std::string(keys) + '}');
}

TEST(config_values, numbers_are_plain_decimal_digits) {
  const std::string must = "5:11: port must be a number from 1 to 65535, or any, not ";
  EXPECT_THAT(with_port("65535"), IsEmpty());
  EXPECT_THAT(with_port("65536"), ElementsAre(must + "65536"));
  EXPECT_THAT(with_port("99999999999999999999999"), ElementsAre(must + "99999999999999999999999"));
  EXPECT_THAT(with_port("0x50"), ElementsAre(must + "\"0x50\""));
  EXPECT_THAT(with_port("+80"), ElementsAre(must + "\"+80\""));
  EXPECT_THAT(with_port("80.0"), ElementsAre(must + "\"80.0\""));
  EXPECT_THAT(with_port("yes"), ElementsAre(must + "\"yes\""));
  EXPECT_THAT(with_port("[80]"), ElementsAre(must + "a list"));
  EXPECT_THAT(with_port("080"), ElementsAre(must + "080 [write 80, without a leading zero]"));
  EXPECT_THAT(with_port("\"80\""), ElementsAre(must + "\"80\" [write it without quotes]"));
  EXPECT_THAT(with_port(""), ElementsAre("5:5: port must be a number from 1 to 65535, or any, not nothing"));
}

TEST(config_values, flow_slots_are_a_power_of_two) {
  EXPECT_THAT(with_line("dataplane: {tables: {flow_slots: 2048}}"), IsEmpty());
  EXPECT_THAT(with_line("dataplane: {tables: {flow_slots: 2000}}"),
              ElementsAre("8:34: flow_slots must be a power of two from 1024 to 268435456, not 2000"));
}

TEST(config_values, durations_have_a_unit) {
  EXPECT_THAT(with_health("interval: 2m, timeout: 900ms"), IsEmpty());
  EXPECT_THAT(with_health("interval: 1h"), IsEmpty());
  EXPECT_THAT(with_health("interval: 5"), ElementsAre("8:36: interval must be a duration from 50ms to 1h, not 5 "
                                                      "[write the unit: 5s or 5ms]"));
  EXPECT_THAT(with_health("interval: 2h"),
              ElementsAre("8:36: interval must be a duration from 50ms to 1h, not \"2h\""));
  EXPECT_THAT(with_health("interval: 10ms"),
              ElementsAre("8:36: interval must be a duration from 50ms to 1h, not \"10ms\""));
  EXPECT_THAT(with_health("interval: 1.5s"),
              ElementsAre("8:36: interval must be a duration from 50ms to 1h, not \"1.5s\""));
  EXPECT_THAT(with_health("interval: 99999999999999999999s"),
              ElementsAre("8:36: interval must be a duration from 50ms to 1h, not \"99999999999999999999s\""));
}

TEST(config_values, a_duration_is_shown_in_the_largest_unit_that_fits) {
  EXPECT_EQ(Duration{}.show(Milliseconds{1500}), "1500ms");
  EXPECT_EQ(Duration{}.show(Milliseconds{90'000}), "90s");
  EXPECT_EQ(Duration{}.show(Milliseconds{120'000}), "2m");
}

TEST(config_values, a_misspelt_choice_gets_a_suggestion) {
  EXPECT_THAT(
      with_line("    scheduler: maglve"),
      ElementsAre("8:16: scheduler must be maglev, round-robin, least-connections, source-hash or two-choices, not "
                  "\"maglve\" [did you mean \"maglev\"?]"));
  EXPECT_THAT(with_line("    forwarding: proxy"),
              ElementsAre("8:17: forwarding must be nat, full-nat, tunnel or direct, not \"proxy\""));
}

TEST(config_values, a_service_on_all_ports_says_any) {
  const std::string must = "5:11: port must be a number from 1 to 65535, or any, not ";
  EXPECT_THAT(with_port("any"), IsEmpty());
  EXPECT_THAT(with_port("0"), ElementsAre(must + "0 [write any for all ports]"));
  EXPECT_THAT(with_port("\"*\""), ElementsAre(must + "\"*\" [write any for all ports]"));
  EXPECT_THAT(with_port("all"), ElementsAre(must + "\"all\" [write any for all ports]"));
  EXPECT_THAT(with_port("ayn"), ElementsAre(must + "\"ayn\" [did you mean \"any\"?]"));
  EXPECT_THAT(with_port("Any"), ElementsAre(must + "\"Any\" [did you mean \"any\"?]"));
  EXPECT_THAT(mistakes_in(replaced(kSmallest, "198.51.100.1}", "198.51.100.1, port: any}")),
              ElementsAre("7:40: port must be a number from 1 to 65535, not \"any\""))
      << "only a service has it";
}

TEST(config_values, truth_values_are_true_and_false_alone) {
  const auto with = [](std::string_view value) {
    return with_line("dataplane: {tables: {ipv6: " + std::string(value) + "}}");
  };
  const std::string must = "8:28: ipv6 must be true or false, not ";
  EXPECT_THAT(with("true"), IsEmpty());
  EXPECT_THAT(with("false"), IsEmpty());
  EXPECT_THAT(with("yes"), ElementsAre(must + "\"yes\" [write true]"));
  EXPECT_THAT(with("OFF"), ElementsAre(must + "\"OFF\" [write false]"));
  EXPECT_THAT(with("True"), ElementsAre(must + "\"True\" [write true]"));
  EXPECT_THAT(with("\"true\""), ElementsAre(must + "\"true\" [write it without quotes]"));
  EXPECT_THAT(with("1"), ElementsAre(must + "1"));
  EXPECT_THAT(with("maybe"), ElementsAre(must + "\"maybe\""));
  EXPECT_THAT(with("[true]"), ElementsAre(must + "a list"));
}

TEST(config_values, addresses_are_those_of_hosts) {
  const std::string must = "4:14: address must be an IPv4 or IPv6 address, not ";
  const std::string reachable = " [write an address that other hosts can reach]";
  EXPECT_THAT(with_address("192.0.2.10/32"),
              ElementsAre(must + "\"192.0.2.10/32\" [write the address without a prefix length]"));
  EXPECT_THAT(with_address("www.example.com"),
              ElementsAre(must + "\"www.example.com\" [names are not resolved: write the address]"));
  EXPECT_THAT(with_address("192.0.2"), ElementsAre(must + "\"192.0.2\""));
  EXPECT_THAT(with_address("\"192.0.2.1\\0\""), testing::SizeIs(1)) << "with a NUL behind it";
  EXPECT_THAT(with_address("192.0.2.010"), ElementsAre(must + "\"192.0.2.010\""));
  EXPECT_THAT(with_address("192.0.2.10:80"),
              ElementsAre(must + "\"192.0.2.10:80\" [write the port with the key port]"));
  EXPECT_THAT(with_address("0.0.0.0"),
              ElementsAre("4:14: 0.0.0.0 is not an address of a host (0.0.0.0/8)" + reachable));
  EXPECT_THAT(with_address("127.1.2.3"),
              ElementsAre("4:14: 127.1.2.3 is a loopback address, which does not leave this host" + reachable));
  EXPECT_THAT(with_address("169.254.1.1"),
              ElementsAre("4:14: 169.254.1.1 is a link-local address (169.254.0.0/16)" + reachable));
  EXPECT_THAT(with_address("224.0.0.18"),
              ElementsAre("4:14: 224.0.0.18 is a multicast address [write a unicast address]"));
  EXPECT_THAT(with_address("255.255.255.255"),
              ElementsAre("4:14: 255.255.255.255 is a reserved address (240.0.0.0/4) [write a unicast address]"));
}

/// A service with the IPv6 address that is given, and a backend of its version.
std::vector<std::string> with_ipv6_address(std::string_view value) {
  return mistakes_in(replaced(replaced(kSmallest, "192.0.2.10", value), "198.51.100.1", "2001:db8::99"));
}

TEST(config_values, ipv6_addresses_are_those_of_hosts) {
  const std::string must = "4:14: address must be an IPv4 or IPv6 address, not ";
  const std::string reachable = " [write an address that other hosts can reach]";
  EXPECT_THAT(with_ipv6_address("2001:db8::1"), IsEmpty());
  EXPECT_THAT(with_ipv6_address("FD00::A"), IsEmpty());
  EXPECT_THAT(with_ipv6_address("64:ff9b::192.0.2.1"), IsEmpty());
  EXPECT_THAT(with_ipv6_address("2001:db8::g"), ElementsAre(must + "\"2001:db8::g\""));
  EXPECT_THAT(with_ipv6_address("2001:db8::1/128"),
              ElementsAre(must + "\"2001:db8::1/128\" [write the address without a prefix length]"));
  EXPECT_THAT(with_ipv6_address("\"[2001:db8::1]\""),
              ElementsAre(must + "\"[2001:db8::1]\" [write the address without brackets]"));
  EXPECT_THAT(with_ipv6_address("\"::\""), ElementsAre("4:14: :: is the unspecified address" + reachable));
  EXPECT_THAT(with_ipv6_address("\"::1\""),
              ElementsAre("4:14: ::1 is a loopback address, which does not leave this host" + reachable));
  EXPECT_THAT(with_ipv6_address("ff02::1"),
              ElementsAre("4:14: ff02::1 is a multicast address [write a unicast address]"));
  EXPECT_THAT(
      with_ipv6_address("fe80::1"),
      ElementsAre("4:14: fe80::1 is a link-local address (fe80::/10) [write a global or a unique local address]"));
  EXPECT_THAT(with_ipv6_address("fe80::1%eth0"),
              ElementsAre("4:14: fe80::1%eth0 has a zone [write an address that is known beyond one link, without "
                          "%eth0]"));
  EXPECT_THAT(with_ipv6_address("2001:db8::1%2").size(), 1U);
  EXPECT_THAT(with_ipv6_address("\"::ffff:192.0.2.1\""),
              ElementsAre("4:14: ::ffff:192.0.2.1 is an IPv4-mapped address, which no packet has [write 192.0.2.1]"));
}

TEST(config_values, a_source_is_a_prefix_without_bits_behind_its_length) {
  const auto with = [](std::string_view value) {
    return with_line("    forwarding: tunnel\n    tunnel: {source: " + std::string(value) + '}');
  };
  const std::string must =
      "9:22: source must be a prefix such as 10.200.0.0/16 or 2001:db8:1::/96, of IPv4 from /8 to /31, of IPv6 from "
      "/64 to /127, not ";
  const std::string yours = " [write a network of unicast addresses that are yours]";
  EXPECT_THAT(with("10.0.0.0/8"), IsEmpty());
  EXPECT_THAT(with("10.0.0.2/31"), IsEmpty());
  EXPECT_THAT(with("10.0.0.0"), ElementsAre(must + "\"10.0.0.0\" [write its length too, such as 10.0.0.0/16]"));
  EXPECT_THAT(with("2001:db8::1"),
              ElementsAre(must + "\"2001:db8::1\" [write its length too, such as 2001:db8::1/96]"));
  for (const char* wrong : {"10.0.0.0/7", "10.0.0.0/32", "10.0.0.0/016", "10.0.0.0/", "10.0.0/8", "2001:db8::/63",
                            "2001:db8::/128", "backbone/16", "/16", "10.0.0.0/8/8", "fe80::%1/64"}) {
    EXPECT_THAT(with(wrong), ElementsAre(must + '"' + wrong + '"'));
  }
  EXPECT_THAT(with("10.200.0.1/16"),
              ElementsAre("9:22: 10.200.0.1/16 has bits behind its length [write 10.200.0.0/16]"));
  EXPECT_THAT(with("2001:db8::1:0:0/64"),
              ElementsAre("9:22: 2001:db8::1:0:0/64 has bits behind its length [write 2001:db8::/64]"));
  EXPECT_THAT(with("224.0.0.0/24"), ElementsAre("9:22: 224.0.0.0/24 holds what is a multicast address" + yours));
  EXPECT_THAT(with("169.254.7.0/24"),
              ElementsAre("9:22: 169.254.7.0/24 holds what is a link-local address (169.254.0.0/16)" + yours));
  EXPECT_THAT(with("169.0.0.0/8"),
              ElementsAre("9:22: 169.0.0.0/8 holds what is a link-local address (169.254.0.0/16)" + yours));
  EXPECT_THAT(with("\"::ffff:10.0.0.0/104\"").size(), 1U);
  EXPECT_THAT(with("fe80::/64").size(), 1U);
}

TEST(config_values, a_prefix_holds_the_addresses_that_begin_as_it_does) {
  const auto address_of = [](const char* text) { return boost::asio::ip::make_address(text); };
  EXPECT_TRUE(holds({address_of("10.200.0.0"), 16}, address_of("10.200.255.255")));
  EXPECT_FALSE(holds({address_of("10.200.0.0"), 16}, address_of("10.201.0.0")));
  EXPECT_TRUE(holds({address_of("2001:db8::"), 96}, address_of("2001:db8::ffff:ffff")));
  EXPECT_FALSE(holds({address_of("2001:db8::"), 96}, address_of("2001:db8::1:0:0")));
  EXPECT_FALSE(holds({address_of("10.200.0.0"), 16}, address_of("::ffff:10.200.0.1")));
}

TEST(config_values, clients_are_one_by_a_prefix_of_their_version) {
  const std::string hash = "    scheduler: source-hash\n    source_hash: ";
  EXPECT_THAT(with_line(hash + "{ipv4_prefix: 24, ipv6_prefix: 128}"), IsEmpty());
  EXPECT_THAT(with_line(hash + "{ipv4_prefix: 0}"),
              ElementsAre("9:32: ipv4_prefix must be a number from 1 to 32, not 0"));
  EXPECT_THAT(with_line("    affinity: {ipv6_prefix: 129, timeout: 3h}"),
              ElementsAre("8:29: ipv6_prefix must be a number from 1 to 128, not 129",
                          "8:43: timeout must be a duration from 1s to 136m, not \"3h\""));
  EXPECT_THAT(with_line("    source_hash: {ipv4_prefix: 24}"),
              ElementsAre("8:5: \"source_hash\" applies only with scheduler: source-hash"));
}

TEST(config_values, keys_of_the_tunnel_belong_to_the_tunnel_alone) {
  EXPECT_THAT(with_line("    tunnel: {encapsulation: ipip}"),
              ElementsAre("8:5: \"tunnel\" applies only with forwarding: tunnel"));
  EXPECT_THAT(with_line("    forwarding: direct\n    tunnel: {}"),
              ElementsAre("9:5: \"tunnel\" applies only with forwarding: tunnel"));
  const std::string tunnel = "    forwarding: tunnel\n    tunnel: ";
  EXPECT_THAT(with_line(tunnel + "{encapsulation: gue, gue_port: 6081}"), IsEmpty());
  EXPECT_THAT(with_line(tunnel + "{gue_port: 6081}"),
              ElementsAre("9:14: \"gue_port\" applies only with encapsulation: gue"));
  EXPECT_THAT(with_line(tunnel + "{encapsulation: geu}"),
              ElementsAre("9:29: encapsulation must be ipip or gue, not \"geu\" [did you mean \"gue\"?]"));
  EXPECT_THAT(with_line(tunnel + "{sorce: 10.0.0.0/8}"),
              ElementsAre("9:14: unknown key \"sorce\" in services.web.tunnel [did you mean \"source\"?]"));
  EXPECT_THAT(with_line("    gue_port: 6080"),
              ElementsAre("8:5: unknown key \"gue_port\" in services.web [it belongs in services.NAME.tunnel]"));
}

TEST(config_values, interfaces_are_a_list_of_names_each_once) {
  const auto with = [](std::string_view list) { return mistakes_in(replaced(kSmallest, "[eth0]", list)); };
  EXPECT_THAT(with("[a, b.100, \"en@3\"]"), IsEmpty());
  EXPECT_THAT(with("eth0"),
              ElementsAre("1:13: interfaces must be a list, not \"eth0\" [write \"interfaces: [eth0]\"]"));
  EXPECT_THAT(with("[]"), ElementsAre("1:13: interfaces is empty [at least one is needed]"));
  std::string many = "[a";
  for (int i = 0; i < 64; ++i) many += ", a";
  EXPECT_THAT(with(many + ']'), ElementsAre("1:13: interfaces has 65 items [at most 64 are supported]"));
  EXPECT_THAT(with("[a, a]"), ElementsAre("1:17: \"a\" stands twice in interfaces"));
  EXPECT_THAT(with("[sixteen-letters-, \"a b\", a/b, \"\"]"),
              ElementsAre("1:14: each of interfaces must be an interface name, at most 15 characters, not "
                          "\"sixteen-letters-\"",
                          "1:32: each of interfaces must be an interface name, at most 15 characters, not \"a b\"",
                          "1:39: each of interfaces must be an interface name, at most 15 characters, not \"a/b\"",
                          "1:44: each of interfaces must be an interface name, at most 15 characters, not \"\""));
}

TEST(config_values, text_that_yaml_could_read_as_something_else_needs_quotes) {
  const std::string must = "8:11: instance must be a name of a-z, 0-9 and minus, at most 32 characters, not ";
  EXPECT_THAT(with_line("instance: \"42\""), IsEmpty());
  EXPECT_THAT(with_line("instance: 42"), ElementsAre(must + "42 [put it in quotes: \"42\"]"));
  EXPECT_THAT(with_line("instance: on"), ElementsAre(must + "\"on\" [put it in quotes: \"on\"]"));
  EXPECT_THAT(with_line("instance: 1e3"), ElementsAre(must + "\"1e3\" [put it in quotes: \"1e3\"]"));
  EXPECT_THAT(with_line("instance: 1e999"), ElementsAre(must + "\"1e999\" [put it in quotes: \"1e999\"]"));
  EXPECT_THAT(with_line("instance: 3a"), IsEmpty());
  EXPECT_THAT(with_line("instance: A"), ElementsAre(must + "\"A\""));
}

TEST(config_values, names_of_services_and_backends_are_checked) {
  EXPECT_THAT(mistakes_in(replaced(kSmallest, "  web:", "  \"we b\":")),
              ElementsAre("3:3: \"we b\" is not a name of letters, digits, dot, minus and underscore, at most 63 "
                          "characters"));
}

TEST(config_values, a_socket_path_fits_in_the_kernels_structure) {
  EXPECT_THAT(with_line("api: {socket: /" + std::string(106, 'a') + '}'), IsEmpty());
  EXPECT_EQ(with_line("api: {socket: /" + std::string(107, 'a') + '}').size(), 1U);
  EXPECT_THAT(with_line("api: {socket: a.sock}"),
              ElementsAre("8:15: socket must be an absolute path, at most 107 characters, not \"a.sock\""));
}

TEST(config_values, an_endpoint_is_an_address_and_a_port) {
  const auto with = [](std::string_view value) { return with_line("api: {metrics: \"" + std::string(value) + "\"}"); };
  const std::string must =
      "8:16: metrics must be an address and a port such as \"127.0.0.1:9105\" or \"[2001:db8::1]:9105\", not ";
  EXPECT_THAT(with("0.0.0.0:9105"), IsEmpty());
  EXPECT_THAT(with("[2001:db8::1]:9105"), IsEmpty());
  EXPECT_THAT(with("[::]:9105"), IsEmpty());
  EXPECT_THAT(with("[::1]:9105"), IsEmpty());
  EXPECT_THAT(with("9105"), ElementsAre(must + "\"9105\" [write the address too: \"127.0.0.1:9105\"]"));
  EXPECT_THAT(with("localhost:9105"), ElementsAre(must + "\"localhost:9105\""));
  EXPECT_THAT(with("127.0.0.1:0"), ElementsAre(must + "\"127.0.0.1:0\""));
  EXPECT_THAT(with("127.0.0.1:any"), ElementsAre(must + "\"127.0.0.1:any\""));
  EXPECT_THAT(with("2001:db8::1:9105"), ElementsAre(must + "\"2001:db8::1:9105\" [write an IPv6 address in brackets]"));
  EXPECT_THAT(with("[127.0.0.1]:9105"), ElementsAre(must + "\"[127.0.0.1]:9105\""));
  EXPECT_THAT(with("[2001:db8::1]"), ElementsAre(must + "\"[2001:db8::1]\""));
  EXPECT_THAT(with("224.0.0.1:9105"), ElementsAre("8:16: 224.0.0.1 is a multicast address [write a unicast address]"));
  EXPECT_THAT(with("[ff02::1]:9105"), ElementsAre("8:16: ff02::1 is a multicast address [write a unicast address]"));
  EXPECT_THAT(with("[fe80::1%lo]:9105"),
              ElementsAre("8:16: fe80::1%lo has a zone [write an address that is known beyond one link, without %lo]"));
  EXPECT_THAT(with("[::ffff:127.0.0.1]:9105"),
              ElementsAre("8:16: ::ffff:127.0.0.1 is an IPv4-mapped address, which no packet has [write 127.0.0.1]"));
}

TEST(config_values, status_codes_are_one_or_a_range) {
  const std::string must = "8:34: status must be a status code from 100 to 599, or a range such as 200-399, not ";
  EXPECT_THAT(with_health("status: 200"), IsEmpty());
  EXPECT_THAT(with_health("status: 200-204"), IsEmpty());
  EXPECT_THAT(with_health("status: 99"), ElementsAre(must + "99"));
  EXPECT_THAT(with_health("status: 300-200"), ElementsAre(must + "\"300-200\""));
  EXPECT_THAT(with_health("status: 200-"), ElementsAre(must + "\"200-\""));
}

TEST(config_values, a_request_can_not_be_smuggled_into_a_probe) {
  EXPECT_EQ(with_health("path: \"/ HTTP/1.1\\r\\nX: y\"").size(), 1U);
  EXPECT_EQ(with_health("host: \"a\\r\\nX: y\"").size(), 1U);
  EXPECT_THAT(with_health("path: healthz"),
              ElementsAre("8:32: path must be a path that begins with a slash, without blanks, not \"healthz\""));
}

TEST(config_values, keys_of_http_belong_to_http_alone) {
  EXPECT_THAT(with_line("    health: {type: tcp, path: /}"),
              ElementsAre("8:25: \"path\" applies only with type: http or https"));
  EXPECT_THAT(with_line("    health: {type: http, server_name: a.example}"),
              ElementsAre("8:26: \"server_name\" applies only with type: https"));
  EXPECT_THAT(with_line("    health: {path: /}"),
              ElementsAre("8:5: services.web.health lacks the required key \"type\""))
      << "which keys apply is not known then";
  EXPECT_THAT(
      with_line("    health: {type: htp, path: /}"),
      ElementsAre(
          "8:20: type must be tcp, http, https, dns, udp, icmp, grpc or exec, not \"htp\" [did you mean \"http\"?]"));
}

std::vector<std::string> with_dns(std::string_view keys) {
  return with_line("    health: {type: dns, " + std::string(keys) + '}');
}

TEST(config_values, a_dns_check_needs_a_name_and_no_other_check_does) {
  EXPECT_THAT(with_dns("record: AAAA, rcode: NXDOMAIN"),
              ElementsAre("8:5: services.web.health lacks the required key \"name\""));
  EXPECT_THAT(with_line("    health: {type: tcp, name: a.example}"),
              ElementsAre("8:25: \"name\" applies only with type: dns"));
  EXPECT_THAT(with_line("    health: {type: tcp}"), IsEmpty());
}

TEST(config_values, names_of_the_dns_are_made_of_labels) {
  const std::string label(63, 'a');
  for (const std::string& name :
       {std::string("a.example"), std::string("example.org."), std::string("."), std::string("_x._udp.a-1.example"),
        label + ".a", label + '.' + label + '.' + label + '.' + label.substr(2) + '.'}) {
    EXPECT_THAT(with_dns("name: " + name), IsEmpty()) << name;
  }
  const std::string must = "8:31: name must be a domain name such as www.example.org, not ";
  for (const std::string name : {"a..b", ".a", "a..", "a/b", "a b"})
    EXPECT_THAT(with_dns("name: " + name), ElementsAre(must + '"' + name + '"'));
  for (const std::string& name : {label + "a.b", label + '.' + label + '.' + label + '.' + label})
    EXPECT_THAT(with_dns("name: " + name), ElementsAre(StartsWith(must)));
  EXPECT_THAT(with_dns("name: \"\"").size(), 1U);
  EXPECT_THAT(with_dns("name: on"), ElementsAre(must + "\"on\" [put it in quotes: \"on\"]"));
}

TEST(config_values, records_and_response_codes_are_those_of_the_registry) {
  EXPECT_THAT(with_dns("name: a, record: aaaa"), ElementsAre("8:42: record must be A or AAAA, not \"aaaa\""));
  EXPECT_THAT(with_dns("name: a, rcode: NXDOMIAN"),
              ElementsAre("8:41: rcode must be NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP or REFUSED, not "
                          "\"NXDOMIAN\" [did you mean \"NXDOMAIN\"?]"));
}

TEST(config_values, a_datagram_of_a_check_has_any_text) {
  const auto with_udp = [](const std::string& keys) { return with_line("    health: {type: udp, " + keys + '}'); };
  EXPECT_THAT(with_udp("send: \"\", expect: \"\\0\\x01é\\r\\n\""), IsEmpty());
  EXPECT_THAT(with_udp("send: " + std::string(512, 'x')), IsEmpty());
  EXPECT_THAT(with_udp("send: " + std::string(513, 'x')).size(), 1U);
  EXPECT_THAT(with_udp("send: 42"),
              ElementsAre("8:31: send must be text of at most 512 bytes, not 42 [put it in quotes: \"42\"]"));
  EXPECT_THAT(with_udp("expect: [a]"), ElementsAre("8:33: expect must be text of at most 512 bytes, not a list"));
  EXPECT_THAT(with_line("    health: {type: dns, name: a, send: x}"),
              ElementsAre("8:34: \"send\" applies only with type: udp"));
}

TEST(config_values, an_echo_has_no_port) {
  EXPECT_THAT(with_line("    health: {type: icmp, interval: 2s}"), IsEmpty());
  EXPECT_THAT(with_line("    health: {type: icmp, port: 80}"),
              ElementsAre("8:26: \"port\" applies only with type: tcp, http, https, dns, udp, grpc or exec"));
}

TEST(config_values, an_interface_for_addresses_needs_their_owner) {
  EXPECT_THAT(with_line("addresses: {owner: none, interface: eth0}"),
              ElementsAre("8:26: \"interface\" applies only with owner: daemon"));
  EXPECT_THAT(with_line("addresses: {interface: eth0}"), IsEmpty());
}

}  // namespace
}  // namespace astil::config::test
