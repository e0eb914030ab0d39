// Loading whole configurations: the model of a sound one, and all mistakes of an unsound one at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(config_load, the_smallest_configuration_has_all_defaults) {
  const Model model = load(kSmallest, "astil.yaml").value();
  EXPECT_EQ(model.instance, "main");
  EXPECT_EQ(model.socket, "/run/astil/main.sock");
  EXPECT_EQ(model.addresses, AddressOwner::daemon);
  EXPECT_EQ(model.address_interface, "eth0");
  EXPECT_EQ(model.metrics, std::nullopt);
  EXPECT_TRUE(model.tables == TableSizes{});
  ASSERT_EQ(model.services.size(), 1U);
  const Service& web = model.services[0];
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.forwarding, Forwarding::nat);
  EXPECT_EQ(web.scheduler, Scheduler::maglev);
  EXPECT_FALSE(web.affinity.has_value());
  EXPECT_FALSE(web.health.has_value());
  EXPECT_EQ(web.tunnel, (Tunnel{Encapsulation::ipip, Port{6080}, std::nullopt}));
  ASSERT_EQ(web.backends.size(), 1U);
  EXPECT_EQ(web.backends[0].name, "a");
  EXPECT_EQ(web.backends[0].port, Port{80});
  EXPECT_EQ(web.backends[0].weight, Weight{1});
}

TEST(config_load, every_key_arrives_in_the_model) {
  const Model model = load(R"(
instance: edge-1
interfaces: [eth0, eth1]
dataplane:
  engine: kernel
  tables: {flow_slots: 4096, services: 4, backends: 8, ring_slots: 65536, ipv6: true}
  new_flows_per_second: 5000
addresses: {owner: daemon, interface: lo}
api: {socket: /run/a.sock, metrics: "[::1]:9105"}
services:
  web:
    address: 192.0.2.10
    port: 80
    protocol: tcp
    forwarding: tunnel
    scheduler: source-hash
    source_hash: {ipv4_prefix: 24, ipv6_prefix: 56}
    affinity: {timeout: 10m, ipv4_prefix: 16, ipv6_prefix: 48}
    sources: {allow: [10.0.0.0/8, 192.0.2.7/32], deny: [10.1.0.0/16], new_flows_per_second: 50, burst: 70, ipv4_prefix: 24}
    ring: {slots_per_weight: 50}
    when_backend_down: re-steer
    removal_limit: 1h
    slow_start: 30s
    when_down: fail-open
    minimum_up: 1
    health: {type: http, path: /x, host: a.example, status: 204, port: 81, interval: 2s, timeout: 1500ms, rise: 4, fall: 5}
    backends:
      b: {address: 198.51.100.2, port: 80, weight: 7}
      a: {address: 198.51.100.1, weight: 0}
    tunnel: {encapsulation: gue, gue_port: 6081, source: 10.200.0.0/16}
  all:
    address: 2001:db8::10
    port: any
    forwarding: direct
    scheduler: two-choices
    affinity: {}
    sources: {new_flows_per_second: 9}
    backends:
      a: {address: 2001:db8:0::1}
)",
                           "astil.yaml")
                          .value();
  EXPECT_EQ(model.instance, "edge-1");
  EXPECT_THAT(model.interfaces, ElementsAre("eth0", "eth1"));
  EXPECT_TRUE((model.tables == TableSizes{4096, 4, 8, 65536, true}));
  EXPECT_EQ(model.new_flows_per_second, 5000U);
  EXPECT_EQ(model.address_interface, "lo");
  EXPECT_EQ(model.socket, "/run/a.sock");
  EXPECT_EQ(model.metrics->host.to_string(), "::1");
  EXPECT_EQ(model.metrics->port, Port{9105});
  const Service& web = model.services.at(0);
  EXPECT_EQ(web.host.to_string(), "192.0.2.10");
  EXPECT_EQ(web.port, Port{80});
  EXPECT_EQ(web.forwarding, Forwarding::tunnel);
  EXPECT_EQ(web.tunnel,
            (Tunnel{Encapsulation::gue, Port{6081}, Prefix{boost::asio::ip::make_address("10.200.0.0"), 16}}));
  EXPECT_EQ(web.scheduler, Scheduler::source_hash);
  EXPECT_EQ(web.source_hash, (ClientPrefixes{.ipv4 = 24, .ipv6 = 56}));
  EXPECT_EQ(web.affinity, (Affinity{.timeout = Milliseconds{600'000}, .prefixes = {.ipv4 = 16, .ipv6 = 48}}));
  const auto prefix = [](const char* network, unsigned length) {
    return Prefix{boost::asio::ip::make_address(network), length};
  };
  EXPECT_EQ(web.sources, (Sources{.allow = {prefix("10.0.0.0", 8), prefix("192.0.2.7", 32)},
                                  .deny = {prefix("10.1.0.0", 16)},
                                  .new_flows_per_second = 50,
                                  .burst = 70,
                                  .prefixes = {.ipv4 = 24, .ipv6 = 64}}));
  EXPECT_EQ(web.ring_slots_per_weight, 50U);
  EXPECT_EQ(web.when_backend_down, DownFlows::re_steer);
  EXPECT_EQ(web.removal_limit, Milliseconds{3'600'000});
  EXPECT_EQ(web.slow_start, Milliseconds{30'000});
  EXPECT_EQ(web.when_down, WhenDown::fail_open);
  EXPECT_EQ(web.health->port, Port{81});
  EXPECT_EQ(web.health->interval, Milliseconds{2000});
  EXPECT_EQ(web.health->timeout, Milliseconds{1500});
  EXPECT_EQ(web.health->rise, 4U);
  EXPECT_EQ(web.health->fall, 5U);
  EXPECT_TRUE((std::get<HttpCheck>(web.health->probe) == HttpCheck{"/x", "a.example", 204, 204}));
  EXPECT_EQ(web.backends.at(0).name, "b");
  EXPECT_EQ(web.backends.at(0).weight, Weight{7});
  EXPECT_EQ(web.backends.at(1).host.to_string(), "198.51.100.1");
  EXPECT_EQ(web.backends.at(1).weight, Weight{0});
  const Service& all = model.services.at(1);
  EXPECT_EQ(all.host.to_string(), "2001:db8::10");
  EXPECT_EQ(all.port, Port{0});
  EXPECT_EQ(all.tunnel, Tunnel{});
  EXPECT_EQ(all.scheduler, Scheduler::two_choices);
  EXPECT_EQ(all.affinity, Affinity{}) << "with its defaults";
  EXPECT_EQ(all.sources, (Sources{.new_flows_per_second = 9, .burst = 9})) << "the burst follows";
  EXPECT_EQ(all.backends.at(0).host.to_string(), "2001:db8::1");
  EXPECT_EQ(all.backends.at(0).port, Port{0});
}

TEST(config_load, flows_of_a_backend_that_is_down_stay_under_tcp_and_leave_under_udp_unless_told_otherwise) {
  const auto of = [](const std::string& keys) {
    return load(kSmallest + keys, "astil.yaml").value().services.at(0).when_backend_down;
  };
  EXPECT_EQ(of(""), DownFlows::keep);
  EXPECT_EQ(of("    protocol: udp\n"), DownFlows::re_steer);
  EXPECT_EQ(of("    protocol: udp\n    when_backend_down: keep\n"), DownFlows::keep);
  EXPECT_EQ(of("    when_backend_down: reset\n"), DownFlows::reset);
}

TEST(config_load, a_service_that_has_nobody_can_refuse) {
  EXPECT_EQ(load(kSmallest + "    when_down: reject\n", "astil.yaml").value().services.at(0).when_down,
            WhenDown::reject);
}

HealthCheck health_of(const std::string& keys) {
  const LoadResult result = load(kSmallest + "    health: {" + keys + "}\n", "astil.yaml");
  return result ? result->services.at(0).health.value() : HealthCheck{};
}

TEST(config_load, every_key_of_a_dns_check_arrives_in_the_model) {
  EXPECT_EQ(std::get<DnsCheck>(health_of("type: dns, name: a.example, record: AAAA, rcode: REFUSED").probe),
            (DnsCheck{"a.example", DnsRecord::aaaa, DnsResponseCode::refused}));
  EXPECT_EQ(std::get<DnsCheck>(health_of("type: dns, name: a.example").probe),
            (DnsCheck{"a.example", DnsRecord::a, DnsResponseCode::no_error}));
}

TEST(config_load, every_key_of_a_udp_check_arrives_in_the_model) {
  EXPECT_EQ(std::get<UdpCheck>(health_of("type: udp, send: \"a\\0b\\n\", expect: c").probe),
            (UdpCheck{std::string("a\0b\n", 4), "c"}));
  EXPECT_EQ(std::get<UdpCheck>(health_of("type: udp").probe), UdpCheck{});
}

TEST(config_load, every_key_of_an_https_check_arrives_in_the_model) {
  const HealthCheck health =
      health_of("type: https, path: /x, host: a.example, status: 204, body: ok, server_name: b.example, ca: /ca.pem");
  EXPECT_EQ(std::get<HttpsCheck>(health.probe),
            (HttpsCheck{{"/x", "a.example", 204, 204, "ok"}, "b.example", {.verify = true, .ca = "/ca.pem"}}));
  EXPECT_EQ(std::get<HttpsCheck>(health_of("type: https, verify: false").probe),
            (HttpsCheck{.trust = {.verify = false}}));
  EXPECT_EQ(std::get<HttpCheck>(health_of("type: http, body: ok").probe), HttpCheck{.body = "ok"});
}

TEST(config_load, six_mistakes_of_six_kinds_are_reported_at_once_and_in_order) {
  const std::string text = R"(interfaces: [eth0]
services:
  web:
    address: 192.0.2.10
    port: 80
    forwading: nat
    backends:
      web1: {address: 198.51.100.11, weight: heavy}
      web2: {address: 198.51.100.12}
      web3: {address: 198.51.100.12}
  other:
    address: 192.0.2.10
    port: 80
    scheduler: maglev
    scheduler: round-robin
    backends:
      web4: {address: 198.51.100.14, port: 70000}
)";
  EXPECT_THAT(
      mistakes_in(text),
      ElementsAre("6:5: unknown key \"forwading\" in services.web [did you mean \"forwarding\"?]",
                  "8:46: weight must be a number from 0 to 1000, not \"heavy\"",
                  "10:23: backend 198.51.100.12:80 stands twice in service \"web\" [it is \"web2\" (line 9) already]",
                  "12:14: 192.0.2.10:80 (tcp) belongs to service \"web\" already [each service needs an address and "
                  "port of its "
                  "own; the other stands in line 3]",
                  "15:5: duplicate key \"scheduler\" [first given in line 14]",
                  "17:44: port must be a number from 1 to 65535, not 70000"));
}

TEST(config_load, mistakes_inside_of_a_repeated_service_are_found_too) {
  const std::string text =
      kSmallest + "  web: {address: 192.0.2.11, port: 0, backends: {b: {address: 198.51.100.2}}}\n";
  EXPECT_THAT(mistakes_in(text),
              ElementsAre("8:3: duplicate key \"web\" [first given in line 3]",
                          "8:36: port must be a number from 1 to 65535, or any, not 0 [write any for all "
                          "ports]"));
}

TEST(config_load, a_misspelt_required_key_is_not_reported_as_missing_too) {
  EXPECT_THAT(mistakes_in(replaced(kSmallest, "address: 192", "adress: 192")),
              ElementsAre("4:5: unknown key \"adress\" in services.web [did you mean \"address\"?]"));
}

TEST(config_load, missing_keys_are_reported_where_they_belong) {
  EXPECT_THAT(mistakes_in("services: {web: {}}"),
              ElementsAre("1:1: the configuration lacks the required key \"interfaces\"",
                          "1:12: services.web lacks the required key \"address\"",
                          "1:12: services.web lacks the required key \"backends\"",
                          "1:12: services.web lacks the required key \"port\""));
}

TEST(config_load, a_key_in_the_wrong_section_is_shown_the_way) {
  EXPECT_THAT(mistakes_in(kSmallest + "    timeout: 1s\nflow_slots: 1024\n"),
              ElementsAre("8:5: unknown key \"timeout\" in services.web [it belongs in services.NAME.health]",
                          "9:1: unknown key \"flow_slots\" [it belongs in dataplane.tables]"));
}

TEST(config_load, no_services_must_be_said) {
  EXPECT_THAT(mistakes_in("interfaces: [eth0]\nservices: {}\n"), IsEmpty());
  EXPECT_THAT(mistakes_in("interfaces: [eth0]\nservices:\n"),
              ElementsAre("2:1: services must be a mapping of keys, not nothing"));
}

TEST(config_load, a_service_needs_a_backend) {
  EXPECT_THAT(mistakes_in(replaced(kSmallest, "backends:\n      a: {address: 198.51.100.1}", "backends: {}")),
              ElementsAre("6:15: services.web.backends is empty [at least one is needed, or discovery]"));
}

TEST(config_load, a_file_that_can_not_be_read_is_a_diagnostic_without_a_line) {
  const LoadResult result = load_file("/nonexistent/astil.yaml");
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(render(result.error()), "/nonexistent/astil.yaml: error: No such file or directory\n");
  EXPECT_EQ(render(load_file("/tmp").error()), "/tmp: error: Is a directory\n");
}

TEST(config_load, a_file_without_an_end_is_refused) {
  EXPECT_EQ(render(load_file("/dev/zero").error()),
            "/dev/zero: error: the file is larger than 8 MiB\nis it a configuration of astild?\n");
}

TEST(config_load, every_example_is_sound) {
  std::size_t examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ASTIL_SOURCE_DIR "/config/examples")) {
    if (entry.path().extension() != ".yaml") continue;
    const LoadResult result = load_file(entry.path().string());
    EXPECT_TRUE(result.has_value()) << render(result.error());
    ++examples;
  }
  EXPECT_GE(examples, 8U);
}

}  // namespace
}  // namespace astil::config::test
