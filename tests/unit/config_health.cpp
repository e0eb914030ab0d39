// Several checks of a backend, commands, flapping, and where backends are found: what is read, and what contradicts
// itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config_support.hpp"

namespace astil::config {
namespace {

using test::mistakes_in;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// One service with these keys, each line of which is indented already.
std::string with(const std::string& keys, const std::string& backends = "{b1: {address: 10.0.0.1}}") {
  return "interfaces: [eth0]\nservices:\n  web:\n    address: 192.0.2.1\n    port: 80\n" + keys +
         "    backends: " + backends + "\n";
}

Service read(const std::string& text) {
  const auto model = load(text, "astil.yaml");
  EXPECT_TRUE(model) << (model ? "" : model.error().front().message);
  return model ? model->services.at(0) : Service{};
}

TEST(ConfigHealth, has_further_checks_by_name_each_with_its_defaults) {
  const Service service =
      read(with("    health: {type: tcp}\n    healthy_when: any\n    further_checks:\n"
                "      page: {type: http, path: /ready}\n      peer: {type: icmp, interval: 5s}\n"));
  EXPECT_EQ(service.healthy_when, HealthRule::any);
  ASSERT_EQ(service.further_checks.size(), 2U);
  EXPECT_EQ(service.further_checks[0].name, "page");
  EXPECT_EQ(std::get<HttpCheck>(service.further_checks[0].check.probe).path, "/ready");
  EXPECT_EQ(service.further_checks[0].check.via, ProbeVia::address);
  EXPECT_EQ(service.further_checks[1].check.interval, Milliseconds(5000));
}

TEST(ConfigHealth, finds_the_same_mistakes_in_further_checks_as_in_the_first) {
  EXPECT_THAT(mistakes_in(with("    health: {type: tcp}\n    further_checks:\n      a: {type: tcp, timeout: 2s}\n")),
              ElementsAre(HasSubstr("the timeout of 2s is longer than the interval")));
  EXPECT_THAT(
      mistakes_in(
          "interfaces: [eth0]\nservices:\n  web:\n    address: 192.0.2.1\n    port: any\n    health: {type: icmp}\n"
          "    further_checks: {a: {type: tcp}}\n    backends: {b1: {address: 10.0.0.1}}\n"),
      ElementsAre(HasSubstr("services.web.further_checks.a lacks the key \"port\"")));
}

TEST(ConfigHealth, has_neither_further_checks_nor_flapping_without_a_first_check) {
  EXPECT_THAT(mistakes_in(with("    further_checks: {a: {type: tcp}}\n    flapping: {downs: 3}\n")),
              ElementsAre(HasSubstr("\"further_checks\" applies only with health"),
                          HasSubstr("\"flapping\" applies only with health")));
}

TEST(ConfigHealth, reads_what_makes_a_backend_suspect_where_replies_are_seen) {
  const Service service = read(with("    health: {type: tcp}\n    passive: {refused: 7, unanswered: 0}\n"));
  EXPECT_EQ(service.passive, (Passive{.refused = 7, .unanswered = 0}));
  EXPECT_EQ(read(with("    health: {type: tcp}\n")).passive, (Passive{.refused = 5, .unanswered = 20}));
  EXPECT_THAT(mistakes_in(with("    passive: {refused: 7}\n")),
              ElementsAre(HasSubstr("\"passive\" applies only with health")));
  EXPECT_THAT(mistakes_in(with("    forwarding: direct\n    health: {type: tcp}\n    passive: {refused: 7}\n")),
              ElementsAre(HasSubstr("\"passive\" does not apply to forwarding direct")));
}

TEST(ConfigHealth, reads_what_flapping_is) {
  const Service service = read(with("    health: {type: tcp}\n    flapping: {downs: 5, within: 2m, hold: 30s}\n"));
  EXPECT_EQ(service.flapping, (Flapping{.downs = 5, .within = Milliseconds(120'000), .hold = Milliseconds(30'000)}));
  EXPECT_EQ(read(with("    health: {type: tcp}\n    flapping: {}\n")).flapping, Flapping{});
}

TEST(ConfigHealth, has_commands_whose_words_may_be_the_same) {
  const Service service = read(with("    health: {type: exec, command: [/bin/check, -H, \"{address}\", -H, \"\"]}\n"));
  EXPECT_THAT(std::get<ExecCheck>(service.health->probe).command,
              ElementsAre("/bin/check", "-H", "{address}", "-H", ""));
  EXPECT_EQ(service.health->via, ProbeVia::address);
}

TEST(ConfigHealth, takes_a_command_by_its_whole_path_only) {
  EXPECT_THAT(mistakes_in(with("    health: {type: exec, command: [check]}\n")),
              ElementsAre(HasSubstr("the command \"check\" is no absolute path")));
  EXPECT_THAT(mistakes_in(with("    health: {type: exec}\n")),
              ElementsAre(HasSubstr("lacks the required key \"command\"")));
  EXPECT_THAT(mistakes_in(with("    health: {type: tcp, command: [/bin/true]}\n")),
              ElementsAre(HasSubstr("\"command\" applies only with type: exec")));
}

TEST(ConfigDiscovery, is_of_a_file_or_of_a_name) {
  const Service file = read(with("    discovery: {from: file, path: /etc/web.json, at_least: 0}\n", "{}"));
  ASSERT_TRUE(file.discovery);
  EXPECT_EQ(file.discovery->path, "/etc/web.json");
  EXPECT_EQ(file.discovery->at_least, 0U);
  EXPECT_THAT(file.backends, IsEmpty());
  const Service name =
      read(with("    discovery: {from: dns, name: _http._tcp.example.org, record: SRV, server: 192.0.2.53:53}\n"));
  EXPECT_EQ(name.discovery->dns.record, DiscoveryRecord::srv);
  EXPECT_EQ(name.discovery->at_least, 1U);
  EXPECT_EQ(name.backends.size(), 1U);
}

TEST(ConfigDiscovery, is_what_a_service_without_backends_needs) {
  EXPECT_THAT(mistakes_in(with("", "{}")), ElementsAre(HasSubstr("services.web.backends is empty")));
}

TEST(ConfigDiscovery, counts_for_the_least_number_of_backends) {
  EXPECT_THAT(mistakes_in(with("    minimum_up: 3\n    discovery: {from: file, path: /etc/web.json}\n")), IsEmpty());
}

TEST(ConfigDiscovery, keeps_the_port_where_the_forwarding_does) {
  EXPECT_THAT(mistakes_in(with("    forwarding: direct\n    discovery: {from: dns, name: a.example, port: 81}\n")),
              ElementsAre(HasSubstr("the port of what is found can not be another")));
  EXPECT_THAT(mistakes_in(with("    discovery: {from: dns, name: a.example, shortest: 1h, longest: 1m}\n")),
              ElementsAre(HasSubstr("shortest is longer than longest")));
}

}  // namespace
}  // namespace astil::config
