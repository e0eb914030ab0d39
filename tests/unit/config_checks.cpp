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
  EXPECT_THAT(
      with_line(service + ", port: 81}}}"),
      ElementsAre("8:102: port 81 is not the service's port 80 [only forwarding nat can change the port; with tunnel "
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
