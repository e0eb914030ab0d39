// What no key shows alone: contradictions within a service, between services, and with the tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> with_line(std::string_view line) { return mistakes_in(kSmallest + std::string(line) + '\n'); }

TEST(config_checks, a_timeout_is_not_longer_than_the_interval) {
  EXPECT_THAT(with_line("    health: {type: tcp, interval: 1s, timeout: 1s}"), IsEmpty());
  EXPECT_THAT(with_line("    health: {type: tcp, interval: 1s, timeout: 2s}"),
              ElementsAre("8:48: the timeout of 2s is longer than the interval of 1s [a probe must end before the next "
                          "begins]"));
  EXPECT_THAT(
      with_line("    health: {type: tcp, interval: 100ms}"),
      ElementsAre("8:35: the timeout of 500ms (the default) is longer than the interval of 100ms [a probe must end "
                  "before the next begins]"));
}

TEST(config_checks, authorities_are_of_no_use_without_verification) {
  EXPECT_THAT(with_line("    health: {type: https, verify: true, ca: /ca.pem}"), IsEmpty());
  EXPECT_THAT(with_line("    health: {type: https, verify: false}"), IsEmpty());
  EXPECT_THAT(with_line("    health: {type: https, verify: false, ca: /ca.pem}"),
              ElementsAre("8:42: \"ca\" applies only with verify: true [leave one of them out]"));
}

TEST(config_checks, what_is_down_is_not_probed_more_often) {
  EXPECT_THAT(with_line("    health: {type: tcp, down_interval: 10s}"), IsEmpty());
  EXPECT_THAT(with_line("    health: {type: tcp, interval: 2s, down_interval: 1s}"),
              ElementsAre("8:54: the down_interval of 1s is shorter than the interval of 2s [a backend that is down is "
                          "probed more seldom, or leave it out]"));
}

TEST(config_checks, probes_take_the_path_where_the_service_address_is_on_the_backends) {
  const auto with = [](const std::string& forwarding, const std::string& type) {
    return with_line("    forwarding: " + forwarding + "\n    health: {type: " + type + ", via: path}");
  };
  EXPECT_THAT(with("tunnel", "tcp"), IsEmpty());
  EXPECT_THAT(with("direct", "http"), IsEmpty());
  EXPECT_THAT(with("nat", "tcp"),
              ElementsAre("9:25: \"via: path\" applies only with forwarding tunnel and direct [leave it out: with nat "
                          "backends are probed at their own addresses]"));
  EXPECT_THAT(with("direct", "icmp"),
              ElementsAre("9:26: \"via: path\" does not apply to type icmp [use another type, or "
                          "via: address]"));
}

TEST(config_checks, fallbacks_are_used_and_are_not_all) {
  const auto with = [](const std::string& when_down, const std::string& second) {
    return with_line("      c: {address: 10.0.0.9, " + second + "}\n    when_down: " + when_down);
  };
  EXPECT_THAT(with("fallback", "fallback: true"), IsEmpty());
  EXPECT_THAT(with("fallback", "weight: 2"),
              ElementsAre("9:16: service \"web\" has no fallback backend with a weight [set fallback: true of one that "
                          "shall be used then]"));
  EXPECT_EQ(with("fallback", "weight: 0, fallback: true").size(), 1U);
  EXPECT_THAT(
      with("fail-open", "fallback: true"),
      ElementsAre("8:40: backend \"c\" would never be used: it is a fallback, and service \"web\" has when_down "
                  "fail-open [set when_down: fallback, or leave it out]"));
}

TEST(config_checks, a_minimum_of_backends_can_be_met) {
  EXPECT_THAT(with_line("      c: {address: 10.0.0.9}\n    minimum_up: 2"), IsEmpty());
  EXPECT_THAT(
      with_line("      c: {address: 10.0.0.9, weight: 0}\n    minimum_up: 2"),
      ElementsAre("9:17: service \"web\" can not have 2 backends in rotation: it has 1 with a weight [write 1 at "
                  "most]"));
}

TEST(config_checks, only_an_address_that_the_daemon_has_added_can_be_withdrawn) {
  EXPECT_THAT(with_line("    when_down: withdraw"), IsEmpty());
  EXPECT_THAT(
      mistakes_in("addresses: {owner: none}\n" + kSmallest + "    when_down: withdraw\n"),
      ElementsAre("9:16: withdraw takes an address away that astild has added, and addresses.owner is none [set "
                  "addresses.owner to daemon, or choose another way]"));
}

TEST(config_checks, prefixes_of_sources_stand_once_and_say_something) {
  const auto with = [](const std::string& sources) { return with_line("    sources: {" + sources + "}"); };
  EXPECT_THAT(with("allow: [10.0.0.0/8, 10.1.2.0/24], deny: [10.1.0.0/16]"), IsEmpty()) << "one between two";
  EXPECT_THAT(
      with("deny: [10.0.0.0/8, 10.0.0.0/8]"),
      ElementsAre("8:34: 10.0.0.0/8 stands twice in the sources of service \"web\" [deny has (line 8) already]"));
  EXPECT_THAT(with("deny: [10.0.0.0/8], allow: [10.0.0.0/8]"),
              ElementsAre("8:22: 10.0.0.0/8 stands twice in the sources of service \"web\" [allow has (line 8) too: it "
                          "can not be both]"));
  EXPECT_THAT(with("deny: [10.3.0.0/16, 192.0.2.0/24, 10.0.0.0/8]"),
              ElementsAre("8:22: 10.3.0.0/16 is within 10.0.0.0/8, which deny has (line 8) already [leave it out]"));
  EXPECT_THAT(
      with("deny: [2001:db8::/32]"),
      ElementsAre("8:22: 2001:db8::/32 is of IPv6, and service \"web\" has the IPv4 address 192.0.2.10 (line 4) "
                  "[clients are of the service's version: leave it out]"));
  EXPECT_THAT(with("ipv4_prefix: 24").size(), 2U) << "applies only with a limit, and nothing is said";
  EXPECT_THAT(with("deny: [10.0.0.0/8], burst: 7"),
              ElementsAre("8:35: \"burst\" applies only with new_flows_per_second"));
}

TEST(config_checks, a_limit_of_sources_can_be_kept) {
  const auto with = [](const std::string& sources) { return with_line("    sources: {" + sources + "}"); };
  EXPECT_THAT(with("new_flows_per_second: 1, burst: 3600"), IsEmpty());
  EXPECT_THAT(
      with("new_flows_per_second: 1, burst: 3601"),
      ElementsAre("8:47: a source would need more than an hour to earn this burst [at 1 new flows a second write "
                  "3600 at most]"));
  EXPECT_THAT(with("new_flows_per_second: 1000, burst: 10"), IsEmpty());
  EXPECT_THAT(
      with("new_flows_per_second: 1000, burst: 9"),
      ElementsAre("8:50: with this burst a source could not have its new_flows_per_second [the clock goes on in "
                  "steps of up to 10 ms: write 10 or more]"));
}

TEST(config_checks, prefixes_of_sources_fit_into_the_table) {
  EXPECT_THAT(mistakes_in("dataplane: {tables: {source_prefixes: 1}}\n" + kSmallest +
                          "    sources: {deny: [10.0.0.0/8, 192.0.2.0/24]}\n"),
              ElementsAre("1:39: 2 prefixes of sources do not fit: dataplane.tables.source_prefixes is 1 [set "
                          "dataplane.tables.source_prefixes to 2 or more]"));
}

TEST(config_checks, full_nat_has_a_source_address_of_the_services_version) {
  const std::string full_nat = kSmallest + "    forwarding: full-nat\n";
  EXPECT_THAT(mistakes_in("full_nat: {sources: [10.0.0.200]}\n" + full_nat), IsEmpty());
  EXPECT_THAT(mistakes_in(full_nat),
              ElementsAre("8:17: service \"web\" is under full-nat, and full_nat.sources has no IPv4 address [name one "
                          "there that this balancer shall have towards the backends]"));
  EXPECT_EQ(mistakes_in("full_nat: {sources: [2001:db8::200]}\n" + full_nat).size(), 1U);
}

TEST(config_checks, source_addresses_of_full_nat_are_nobody_elses) {
  const auto with = [](const std::string& sources) {
    return mistakes_in("full_nat: {sources: [" + sources + "]}\n" + kSmallest);
  };
  EXPECT_THAT(with("10.0.0.200, 192.0.2.10"),
              ElementsAre("1:34: 192.0.2.10 is the address of service \"web\" (line 4) already [connections need an "
                          "address that only they come from]"));
  EXPECT_THAT(with("198.51.100.1"),
              ElementsAre("1:22: 198.51.100.1 is the address of backend \"a\" (line 8) already [connections need an "
                          "address that only they come from]"));
  EXPECT_THAT(with("10.0.0.200, 10.0.0.200"), ElementsAre("1:34: \"10.0.0.200\" stands twice in sources"));
  EXPECT_THAT(mistakes_in("addresses: {owner: none}\nfull_nat: {sources: [10.0.0.200], interface: eth1}\n" + kSmallest),
              ElementsAre("2:35: \"interface\" applies only with addresses.owner: daemon"));
  EXPECT_THAT(mistakes_in("full_nat: {}\n" + kSmallest),
              ElementsAre("1:1: full_nat lacks the required key \"sources\""));
}

TEST(config_checks, a_value_with_a_mistake_is_not_compared) {
  EXPECT_EQ(with_line("    health: {type: tcp, interval: fast, timeout: 2s}").size(), 1U);
  EXPECT_EQ(with_line("  b: {address: 192.0.2.10, port: eighty, backends: {b: {address: 198.51.100.2}}}").size(), 1U);
  EXPECT_EQ(
      with_line("  b: {address: 192.0.2.11, port: 80, forwarding: x, backends: {b: {address: 198.51.100.1}}}").size(),
      1U);
}

TEST(config_checks, some_weight_is_not_zero) {
  EXPECT_THAT(
      mistakes_in(replaced(kSmallest, "198.51.100.1}", "198.51.100.1, weight: 0}")),
      ElementsAre("6:5: all backends of service \"web\" have weight 0 [give one a weight, so that new flows have a "
                  "place to go]"));
}

TEST(config_checks, tunnel_and_direct_keep_the_port) {
  const std::string service =
      "  b: {address: 192.0.2.11, port: 80, forwarding: tunnel, backends: {b: {address: 198.51.100.1";
  EXPECT_THAT(with_line(service + "}}}"), IsEmpty());
  EXPECT_THAT(with_line(service + ", port: 80}}}"), IsEmpty());
  EXPECT_THAT(with_line(service + ", port: 81}}}"),
              ElementsAre("8:102: port 81 is not the service's port 80 [only forwarding nat and full-nat can change "
                          "the port; with tunnel "
                          "leave it out]"));
}

TEST(config_checks, a_backend_stands_in_a_service_once) {
  EXPECT_THAT(
      mistakes_in(kSmallest + "      b: {address: 198.51.100.1, port: 80}\n"),
      ElementsAre("8:20: backend 198.51.100.1:80 stands twice in service \"web\" [it is \"a\" (line 7) already]"));
  EXPECT_THAT(mistakes_in(kSmallest + "      b: {address: 198.51.100.1, port: 81}\n"), IsEmpty());
}

TEST(config_checks, services_have_an_address_and_port_of_their_own) {
  EXPECT_THAT(
      with_line("  b: {address: 192.0.2.10, port: 80, backends: {b: {address: 198.51.100.2}}}"),
      ElementsAre("8:16: 192.0.2.10:80 (tcp) belongs to service \"web\" already [each service needs an address and "
                  "port of its own; the other stands in line 3]"));
  EXPECT_THAT(with_line("  b: {address: 192.0.2.10, port: 81, backends: {b: {address: 198.51.100.2}}}"), IsEmpty());
}

TEST(config_checks, under_nat_a_backend_and_port_serve_one_service) {
  const std::string service =
      "  b: {address: 192.0.2.11, port: 80, backends: {b: {address: 198.51.100.1}}, forwarding: ";
  EXPECT_THAT(
      with_line(service + "nat}"),
      ElementsAre("8:62: backend 198.51.100.1:80 serves service \"web\" already (line 7); under nat its replies could "
                  "not be told apart [let the server listen on another port for service \"b\", or use forwarding "
                  "tunnel or direct]"));
  EXPECT_THAT(with_line(service + "direct}"), IsEmpty());
}

/// The smallest service on any port, and what else it needs.
std::string on_any_port(std::string_view more = "") {
  return replaced(kSmallest, "port: 80", "port: any") + std::string(more);
}

TEST(config_checks, a_port_with_a_mistake_is_not_taken_for_any) {
  EXPECT_EQ(mistakes_in(on_any_port("  b: {address: 192.0.2.11, port: ayn, backends: {b: {address: 198.51.100.1}}}\n"))
                .size(),
            1U);
  EXPECT_EQ(mistakes_in(on_any_port("  b: {address: 192.0.2.10, backends: {b: {address: 198.51.100.1}}}\n")).size(),
            1U);
  EXPECT_EQ(mistakes_in(replaced(kSmallest, "port: 80", "port: ayn") + "    health: {type: tcp}\n").size(), 1U);
}

TEST(config_checks, backends_of_a_service_on_any_port_have_no_port) {
  EXPECT_THAT(mistakes_in(on_any_port()), IsEmpty());
  EXPECT_THAT(mistakes_in(replaced(on_any_port(), "198.51.100.1}", "198.51.100.1, port: 80}")),
              ElementsAre("7:40: backend \"a\" has a port, and service \"web\" has port any (line 5) [leave it out: "
                          "packets keep the port that clients connect to]"));
  EXPECT_THAT(
      mistakes_in(replaced(on_any_port("    forwarding: direct\n"), "198.51.100.1}", "198.51.100.1, port: 80}")),
      testing::SizeIs(1));
}

TEST(config_checks, the_health_check_of_a_service_on_any_port_names_the_port) {
  EXPECT_THAT(mistakes_in(on_any_port("    health: {type: tcp, port: 22}\n")), IsEmpty());
  EXPECT_THAT(mistakes_in(on_any_port("    health: {type: icmp}\n")), IsEmpty());
  EXPECT_THAT(mistakes_in(on_any_port("    health: {type: tcp}\n")),
              ElementsAre("8:5: services.web.health lacks the key \"port\", which it needs where the service has port "
                          "any [name the port that a probe opens]"));
  EXPECT_THAT(with_line("    health: {type: tcp}"), IsEmpty());
}

TEST(config_checks, a_service_on_any_port_stands_beside_those_on_one) {
  const auto with = [](std::string_view port, std::string_view protocol = "tcp") {
    return mistakes_in(on_any_port("    forwarding: direct\n  b: {address: 192.0.2.10, port: " + std::string(port) +
                                   ", protocol: " + std::string(protocol) +
                                   ", forwarding: direct, backends: {b: {address: 198.51.100.1}}}\n"));
  };
  EXPECT_THAT(with("80"), IsEmpty());
  EXPECT_THAT(with("any", "udp"), IsEmpty());
  EXPECT_THAT(with("any"), ElementsAre("9:16: 192.0.2.10:any (tcp) belongs to service \"web\" already [each service "
                                       "needs an address and port of its own; the other stands in line 3]"));
}

TEST(config_checks, under_nat_replies_of_a_service_on_any_port_are_told_apart) {
  const auto with = [](std::string_view service, std::string_view backend_port) {
    return mistakes_in(on_any_port("  b: {" + std::string(service) + ", backends: {b: {address: 198.51.100.1" +
                                   std::string(backend_port) + "}}}\n"));
  };
  EXPECT_THAT(with("address: 192.0.2.10, port: 80", ""), IsEmpty()) << "the port is this service's and no other's";
  EXPECT_THAT(with("address: 192.0.2.10, port: 80, protocol: udp", ", port: 81"), IsEmpty());
  const std::string remedy =
      "use forwarding tunnel or direct, or give both services one address and let the backend keep the port";
  EXPECT_THAT(
      with("address: 192.0.2.10, port: 80", ", port: 81"),
      ElementsAre("8:62: backend 198.51.100.1:81 serves service \"web\" on any port already (line 7); under nat "
                  "its replies could not be told apart [" +
                  remedy + ']'));
  EXPECT_THAT(
      with("address: 192.0.2.11, port: 80", ""),
      ElementsAre("8:62: backend 198.51.100.1:80 serves service \"web\" on any port already (line 7); under nat "
                  "its replies could not be told apart [" +
                  remedy + ']'));
  EXPECT_THAT(
      with("address: 192.0.2.11, port: any", ""),
      ElementsAre("8:63: backend 198.51.100.1:any serves service \"web\" already (line 7); under nat its replies "
                  "could not be told apart [let the server listen on another port for service \"b\", or use "
                  "forwarding tunnel or direct]"));
}

TEST(config_checks, backends_are_of_the_services_ip_version_but_in_a_tunnel) {
  const std::string mixed = replaced(kSmallest, "198.51.100.1", "2001:db8::1");
  EXPECT_THAT(mistakes_in(mixed),
              ElementsAre("7:20: backend 2001:db8::1 is IPv6, and the address of service \"web\" is IPv4: 192.0.2.10 "
                          "(line 4) [with forwarding nat write the server's IPv4 address; only tunnel carries one "
                          "version in the other]"));
  EXPECT_THAT(mistakes_in(mixed + "    forwarding: direct\n"), testing::SizeIs(1));
  EXPECT_THAT(mistakes_in(mixed + "    forwarding: tunnel\n"), IsEmpty());
  EXPECT_THAT(mistakes_in(mixed + "    forwarding: tunnle\n"), testing::SizeIs(1))
      << "what it may be is not known then";
  EXPECT_THAT(mistakes_in(replaced(mixed, "192.0.2.10", "2001:db8::10")), IsEmpty());
}

TEST(config_checks, backends_are_of_the_tunnel_sources_ip_version) {
  const std::string tunnel = kSmallest + "      b: {address: 2001:db8::2}\n    forwarding: tunnel\n    tunnel: ";
  EXPECT_THAT(mistakes_in(tunnel + "{}\n"), IsEmpty());
  EXPECT_THAT(
      mistakes_in(tunnel + "{source: 10.200.0.0/16}\n"),
      ElementsAre("8:20: backend 2001:db8::2 is IPv6, and the tunnel's source is IPv4: 10.200.0.0 (line 10) [the "
                  "outer header has one version: leave source out, or let all backends be of its version]"));
  EXPECT_THAT(
      mistakes_in(tunnel + "{source: \"2001:db8:1::/96\"}\n"),
      ElementsAre("7:20: backend 198.51.100.1 is IPv4, and the tunnel's source is IPv6: 2001:db8:1:: (line 10) "
                  "[the outer header has one version: leave source out, or let all backends be of its version]"));
}

TEST(config_checks, no_host_has_an_address_that_a_tunnel_makes_up) {
  const std::string tunnel = kSmallest + "    forwarding: tunnel\n    tunnel: ";
  EXPECT_THAT(mistakes_in(tunnel + "{source: 198.51.100.0/25}\n"),
              ElementsAre("9:22: 198.51.100.0/25 holds 198.51.100.1, the address of backend \"a\" (line 7) [choose a "
                          "prefix that holds no host's address]"));
  EXPECT_THAT(mistakes_in(tunnel + "{source: 198.51.100.2/31}\n"), IsEmpty());
  EXPECT_THAT(
      mistakes_in(tunnel + "{source: 192.0.2.0/24}\n"),
      ElementsAre("9:22: 192.0.2.0/24 holds 192.0.2.10, the address of service \"web\" (line 3) [choose a prefix "
                  "that holds no host's address]"));
}

TEST(config_checks, an_ipv6_service_needs_room_for_its_flows) {
  const std::string off = "dataplane: {tables: {ipv6: false}}\n";
  EXPECT_THAT(mistakes_in(kSmallest + off), IsEmpty());
  const std::string ipv6 = replaced(replaced(kSmallest, "192.0.2.10", "2001:db8::10"), "198.51.100.1", "2001:db8::1");
  EXPECT_THAT(mistakes_in(ipv6 + off),
              ElementsAre("8:28: dataplane.tables.ipv6 is false, and service \"web\" has an IPv6 address (line 4) [set "
                          "dataplane.tables.ipv6 to true, or leave it out]"));
  EXPECT_THAT(mistakes_in(replaced(kSmallest, "198.51.100.1", "2001:db8::1") + "    forwarding: tunnel\n" + off),
              IsEmpty())
      << "the flows are IPv4, whatever carries them";
}

TEST(config_checks, one_ipv6_address_is_one_however_it_is_written) {
  const std::string ipv6 = replaced(replaced(kSmallest, "192.0.2.10", "2001:db8::10"), "198.51.100.1", "2001:db8::1");
  EXPECT_THAT(
      mistakes_in(ipv6 + "      b: {address: 2001:DB8:0:0::1}\n"),
      ElementsAre("8:20: backend [2001:db8::1]:80 stands twice in service \"web\" [it is \"a\" (line 7) already]"));
  EXPECT_THAT(mistakes_in(ipv6 + "  b: {address: 2001:db8:0::10, port: 80, backends: {b: {address: 2001:db8::2}}}\n"),
              ElementsAre("8:16: [2001:db8::10]:80 (tcp) belongs to service \"web\" already [each service needs an "
                          "address and port of its own; the other stands in line 3]"));
}

TEST(config_checks, a_backend_is_not_the_balancer) {
  EXPECT_THAT(
      mistakes_in(replaced(kSmallest, "198.51.100.1", "192.0.2.10")),
      ElementsAre("7:20: 192.0.2.10 is the address of service \"web\" (line 3), so it can not be a backend's [write "
                  "the server's own address]"));
}

TEST(config_checks, metrics_are_not_asked_for_at_a_service) {
  EXPECT_THAT(
      with_line("api: {metrics: \"192.0.2.10:80\"}"),
      ElementsAre("8:16: 192.0.2.10:80 belongs to service \"web\" (line 3): packets to it never reach the daemon "
                  "[choose another port for the metrics]"));
  EXPECT_THAT(with_line("api: {metrics: \"0.0.0.0:80\"}"), IsEmpty());
  EXPECT_THAT(
      mistakes_in(on_any_port("api: {metrics: \"192.0.2.10:9105\"}\n")),
      ElementsAre("8:16: 192.0.2.10:any belongs to service \"web\" (line 3): packets to it never reach the daemon "
                  "[choose another address for the metrics: the service takes every port]"));
  EXPECT_THAT(with_line("    protocol: udp\napi: {metrics: \"192.0.2.10:80\"}"), IsEmpty());
}

TEST(config_checks, services_and_backends_fit_in_their_tables) {
  const std::string second = "  b: {address: 192.0.2.11, port: 80, backends: {b: {address: 198.51.100.2}}}\n";
  EXPECT_THAT(with_line(second + "dataplane: {tables: {services: 2, backends: 2}}"), IsEmpty());
  EXPECT_THAT(
      with_line(second + "dataplane: {tables: {services: 1, backends: 1}}"),
      ElementsAre("9:32: 2 services do not fit: dataplane.tables.services is 1 [set dataplane.tables.services to 2 or "
                  "more]",
                  "9:45: 2 backends do not fit: dataplane.tables.backends is 1 [set dataplane.tables.backends to 2 or "
                  "more]"));
}

TEST(config_checks, rings_fit_in_their_table) {
  std::string text = kSmallest + "    ring: {slots_per_weight: 10000}\n";
  text = replaced(text, "198.51.100.1}", "198.51.100.1}\n      b: {address: 198.51.100.2, weight: 1000}");
  EXPECT_THAT(
      mistakes_in(text),
      ElementsAre("2:1: rings of 33554432 slots do not fit: dataplane.tables.ring_slots is 4194304 (the default) [set "
                  "dataplane.tables.ring_slots to 33554432 or more]"));
}

TEST(config_checks, the_turns_of_round_robin_have_room_beside_the_rings) {
  // A ring of 8192 slots, and 700 turns in 22 lines of 32 slots; each twice.
  const std::string text = replaced(kSmallest + "    scheduler: round-robin\n    ring: {slots_per_weight: 10}\n",
                                    "198.51.100.1}", "198.51.100.1, weight: 699}\n      b: {address: 198.51.100.2}");
  EXPECT_THAT(mistakes_in(text + "dataplane: {tables: {ring_slots: 17792}}\n"), IsEmpty());
  EXPECT_THAT(mistakes_in(text + "dataplane: {tables: {ring_slots: 17791}}\n"), testing::SizeIs(1));
}

TEST(config_checks, a_service_has_no_more_backends_than_a_ring_can_name) {
  const auto with_backends = [](std::uint32_t count) {
    std::string text =
        "interfaces: [eth0]\ndataplane: {tables: {backends: 100000}}\nservices:\n  web:\n    address: 192.0.2.1\n"
        "    port: 80\n    ring: {slots_per_weight: 10}\n    backends:\n";
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto host = boost::asio::ip::address_v4(0x0a000000U + i).to_string();
      text += "      b" + std::to_string(i) + ": {address: " + host + "}\n";
    }
    return mistakes_in(text);
  };
  EXPECT_THAT(with_backends(65535), IsEmpty());
  EXPECT_THAT(with_backends(65536), testing::SizeIs(1));
}

}  // namespace
}  // namespace astil::config::test
