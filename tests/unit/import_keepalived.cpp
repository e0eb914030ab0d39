// keepalived's configurations as they are found, what becomes of them, and what is told of the rest.
#include <gmock/gmock.h>

#include <map>

#include "control/config/load.hpp"
#include "control/import/import.hpp"

namespace astil::import {
namespace {

using config::Forwarding;
using config::Milliseconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kFile = "/etc/keepalived/keepalived.conf";

Imported imported(std::string_view text, const std::map<std::string, std::string>& included = {}) {
  const Files files{
      [&](const std::string& path) { return Result<std::string>(boost::system::in_place_value, included.at(path)); },
      [&](const std::string& pattern) {
        std::vector<std::string> paths;
        const auto star = pattern.find('*');
        for (const auto& [path, content] : included) {
          if (star == std::string::npos ? path == pattern : path.starts_with(pattern.substr(0, star)))
            paths.push_back(path);
        }
        return paths;
      }};
  return import_keepalived(text, kFile, files);
}

/// What `astil check` reads in the result.
config::Model model_of(const Imported& result) {
  auto model = config::load(result.yaml, "imported.yaml");
  EXPECT_TRUE(model.has_value()) << result.yaml << (model ? "" : config::render(model.error()));
  return model ? *model : config::Model{};
}

config::Service only_service(const Imported& result) {
  const auto model = model_of(result);
  EXPECT_EQ(model.services.size(), 1U) << result.yaml;
  return model.services.empty() ? config::Service{} : model.services.front();
}

auto told(std::uint32_t line, const std::string& what, const std::string& why) {
  return AllOf(Field(&Finding::line, line), Field(&Finding::what, HasSubstr(what)),
               Field(&Finding::why, HasSubstr(why)));
}

/// One virtual server with these lines in it, and one real server with those.
std::string server(const std::string& settings, const std::string& check = "TCP_CHECK {\n}") {
  return "vrrp_instance VI_1 {\n interface eth1\n}\nvirtual_server 192.0.2.10 80 {\n" + settings +
         "\nreal_server 198.51.100.11 8080 {\n" + check + "\n}\n}\n";
}

config::HealthCheck check_of(const std::string& checker) {
  const auto service = only_service(imported(server("", checker)));
  EXPECT_TRUE(service.health.has_value());
  return service.health.value_or(config::HealthCheck{});
}

constexpr const char* kUsual = R"(! A pair of balancers for the shop.
global_defs {
   notification_email {
     ops@example.org
   }
   router_id LVS_1
}

vrrp_instance VI_1 {
    state MASTER
    interface ens3   # to the clients
    virtual_router_id 51
    virtual_ipaddress {
        192.0.2.10/24
    }
}

virtual_server 192.0.2.10 80 {
    delay_loop 6
    lb_algo wrr
    lb_kind NAT
    persistence_timeout 50
    protocol TCP
    virtualhost "www.example.org"
    sorry_server 198.51.100.99 80

    real_server 198.51.100.11 8080 {
        weight 3
        HTTP_GET {
            url {
              path "/healthz?who=lb"
              status_code 200
            }
            connect_timeout 3
            retry 2
            delay_before_retry 3
        }
    }
    real_server 198.51.100.12 8080
    {
        weight 1
        HTTP_GET {
            url {
              path "/healthz?who=lb"
              status_code 200
            }
            connect_timeout 3
            retry 2
            delay_before_retry 3
        }
    }
}
)";

TEST(ImportKeepalived, gives_a_configuration_of_the_same_services) {
  const auto result = imported(kUsual);
  const auto model = model_of(result);
  EXPECT_THAT(model.interfaces, ElementsAre("ens3"));
  const auto service = only_service(result);
  EXPECT_EQ(service.host.to_string(), "192.0.2.10");
  EXPECT_EQ(service.port, config::Port{80});
  EXPECT_EQ(service.forwarding, Forwarding::nat);
  EXPECT_EQ(service.scheduler, config::Scheduler::round_robin);
  ASSERT_TRUE(service.affinity.has_value());
  EXPECT_EQ(service.affinity->timeout, Milliseconds(50'000));
  ASSERT_EQ(service.backends.size(), 3U);
  EXPECT_EQ(service.backends[0].weight, config::Weight{3});
  EXPECT_EQ(service.backends[1].port, config::Port{8080});
  ASSERT_TRUE(service.health.has_value());
  const auto& http = std::get<config::HttpCheck>(service.health->probe);
  EXPECT_EQ(http.path, "/healthz?who=lb");
  EXPECT_EQ(http.host, "www.example.org");
  EXPECT_EQ(http.status_low, 200);
  EXPECT_EQ(http.status_high, 200);
  EXPECT_EQ(service.health->interval, Milliseconds(6000));
  EXPECT_EQ(service.health->timeout, Milliseconds(3000));
  EXPECT_EQ(service.health->fall, 3U);
  EXPECT_EQ(result.services, 1U);
  EXPECT_EQ(result.backends, 3U);
}

TEST(ImportKeepalived, makes_a_fallback_of_the_sorry_server) {
  const auto service = only_service(imported(kUsual));
  EXPECT_EQ(service.when_down, config::WhenDown::fallback);
  ASSERT_EQ(service.backends.size(), 3U);
  EXPECT_FALSE(service.backends[1].is_fallback);
  const auto& sorry = service.backends[2];
  EXPECT_TRUE(sorry.is_fallback);
  EXPECT_EQ(sorry.host.to_string(), "198.51.100.99");
  EXPECT_EQ(sorry.port, config::Port{80});
}

TEST(ImportKeepalived, tells_the_line_of_everything_else_and_why) {
  const auto result = imported(kUsual);
  EXPECT_THAT(result.findings,
              ElementsAre(told(2, "global_defs", "keepalived itself"), told(9, "vrrp_instance VI_1", "no failover"),
                          told(36, "delay_before_retry 3", "same interval"), told(49, "delay_before_retry 3", ""),
                          told(25, "sorry_server 198.51.100.99 80", "checked as the other backends are")));
  for (const auto& finding : result.findings) {
    EXPECT_EQ(finding.file, kFile);
    EXPECT_THAT(result.yaml, HasSubstr("#   " + render(finding) + "\n"));
  }
}

TEST(ImportKeepalived, finds_nothing_to_tell_where_all_is_carried_over) {
  const auto result = imported(
      "virtual_server 2001:db8::10 53 {\n protocol UDP\n lvs_sched wlc\n lvs_method DR\n"
      " real_server 2001:db8:1::1 53 {\n  PING_CHECK {\n }\n }\n}\n");
  EXPECT_THAT(result.findings, ElementsAre(told(1, "interfaces", "eth0")));
  const auto service = only_service(result);
  EXPECT_EQ(service.protocol, config::Protocol::udp);
  EXPECT_EQ(service.forwarding, Forwarding::direct);
  EXPECT_TRUE(std::holds_alternative<config::IcmpCheck>(service.health->probe));
}

TEST(ImportKeepalived, carries_over_every_method) {
  EXPECT_EQ(only_service(imported(server("lb_kind DR"))).forwarding, Forwarding::direct);
  EXPECT_EQ(only_service(imported(server("lb_kind TUN"))).tunnel.encapsulation, config::Encapsulation::ipip);
  const auto gue = only_service(imported(server("lvs_method TUN type gue port 5555 nocsum")));
  EXPECT_EQ(gue.forwarding, Forwarding::tunnel);
  EXPECT_EQ(gue.tunnel.gue_port, config::Port{5555});
  const auto gre = imported(server("lvs_method TUN type gre"));
  EXPECT_EQ(gre.services, 0U);
  EXPECT_THAT(gre.findings, Contains(told(4, "virtual_server 192.0.2.10 80", "left out")));
}

TEST(ImportKeepalived, carries_over_every_scheduler_that_there_is) {
  const std::map<std::string, config::Scheduler> schedulers{
      {"rr", config::Scheduler::round_robin},       {"wrr", config::Scheduler::round_robin},
      {"lc", config::Scheduler::least_connections}, {"wlc", config::Scheduler::least_connections},
      {"sh", config::Scheduler::source_hash},       {"mh", config::Scheduler::maglev},
      {"twos", config::Scheduler::two_choices}};
  for (const auto& [name, scheduler] : schedulers)
    EXPECT_EQ(only_service(imported(server("lb_algo " + name))).scheduler, scheduler) << name;
  EXPECT_THAT(imported(server("lb_algo lblcr")).findings, Contains(told(5, "lb_algo lblcr", "no such scheduler")));
}

TEST(ImportKeepalived, does_not_let_weights_work_that_did_not) {
  const auto result = imported(
      "virtual_server 192.0.2.10 80 {\n lb_algo rr\n real_server 198.51.100.1 80 {\n weight 9\n"
      " }\n real_server 198.51.100.2 80 {\n weight 0\n }\n}\n");
  const auto service = only_service(result);
  EXPECT_EQ(service.backends.at(0).weight, config::Weight{1});
  EXPECT_EQ(service.backends.at(1).weight, config::Weight{0});
  EXPECT_THAT(result.findings, Contains(told(1, "virtual_server", "does not go by weights")));
}

TEST(ImportKeepalived, makes_a_service_of_each_address_of_a_group) {
  const auto result = imported(R"(virtual_server_group VIPS {
  192.0.2.10 80
  192.0.2.20-21 80
  192.0.2.32/30 443
  fwmark 7
}
virtual_server group VIPS {
  lb_kind DR
  real_server 198.51.100.11 {
    TCP_CHECK {
    }
  }
}
)");
  std::vector<std::string> addresses;
  for (const auto& service : model_of(result).services) addresses.push_back(service.host.to_string());
  EXPECT_THAT(addresses, ElementsAre("192.0.2.10", "192.0.2.20", "192.0.2.21", "192.0.2.32", "192.0.2.33", "192.0.2.34",
                                     "192.0.2.35"));
  EXPECT_THAT(result.findings, Contains(told(5, "fwmark 7", "marks")));
}

TEST(ImportKeepalived, leaves_services_by_mark_out_and_says_so) {
  const auto result = imported("virtual_server fwmark 3 {\n real_server 198.51.100.1 80 {\n }\n}\n");
  EXPECT_EQ(result.services, 0U);
  EXPECT_THAT(result.findings, Contains(told(1, "virtual_server fwmark 3", "left out")));
  EXPECT_THAT(model_of(result).services, IsEmpty());
}

TEST(ImportKeepalived, leaves_out_what_the_configuration_would_be_refused_for) {
  const auto result = imported(R"(virtual_server 192.0.2.10 80 {
 real_server 198.51.100.1 8080 {
 }
}
virtual_server 192.0.2.11 80 {
 real_server 198.51.100.1 8080 {
 }
}
)");
  EXPECT_EQ(only_service(result).host.to_string(), "192.0.2.10");
  EXPECT_THAT(result.findings, Contains(told(5, "virtual_server 192.0.2.11 80", "would be refused")));
}

TEST(ImportKeepalived, carries_over_checks_by_tls_with_the_trust_that_they_had) {
  const auto check = check_of(
      "SSL_GET {\n enable_sni\n connect_port 443\n url {\n path /\n virtualhost shop.example.org\n"
      " status_code 200-299 301\n regex \"all well\"\n }\n}");
  const auto& https = std::get<config::HttpsCheck>(check.probe);
  EXPECT_EQ(https.server_name, "shop.example.org");
  EXPECT_FALSE(https.trust.verify);
  EXPECT_EQ(https.http.body, "all well");
  EXPECT_EQ(https.http.status_low, 200);
  EXPECT_EQ(https.http.status_high, 301);
  EXPECT_EQ(check.port, config::Port{443});
}

TEST(ImportKeepalived, does_not_turn_a_text_that_must_not_be_there_into_one_that_must) {
  const auto result =
      imported(server("", "HTTP_GET {\n url {\n path /\n regex broken\n regex_no_match\n digest 9b3a\n }\n}"));
  EXPECT_EQ(std::get<config::HttpCheck>(only_service(result).health->probe).body, "");
  EXPECT_THAT(result.findings, Contains(told(11, "regex_no_match", "must be there")));
  EXPECT_THAT(result.findings, Contains(told(12, "digest 9b3a", "no digest")));
}

TEST(ImportKeepalived, carries_over_checks_of_other_kinds) {
  const auto dns = check_of("DNS_CHECK {\n type AAAA\n name www.example.org\n}");
  EXPECT_EQ(std::get<config::DnsCheck>(dns.probe).record, config::DnsRecord::aaaa);
  EXPECT_EQ(dns.fall, 4U);
  const auto udp = check_of("UDP_CHECK {\n payload 70 69 6e 67\n require_reply 706f\n}");
  EXPECT_EQ(std::get<config::UdpCheck>(udp.probe).send, "ping");
  EXPECT_EQ(std::get<config::UdpCheck>(udp.probe).expect, "po");
  EXPECT_TRUE(std::holds_alternative<config::TcpCheck>(check_of("SMTP_CHECK {\n}").probe));
}

TEST(ImportKeepalived, tells_of_checks_that_run_programs) {
  const auto result = imported(server("", "MISC_CHECK {\n misc_path \"/usr/local/bin/check.sh --port 80\"\n}"));
  EXPECT_FALSE(only_service(result).health.has_value());
  EXPECT_THAT(result.findings, Contains(told(7, "MISC_CHECK", "runs a program")));
  EXPECT_THAT(result.findings, Contains(told(4, "virtual_server", "count as up")));
}

TEST(ImportKeepalived, reads_what_is_included_and_tells_its_own_lines) {
  const auto result =
      imported("include conf.d/*.conf\ninclude nowhere.conf\n",
               {{"/etc/keepalived/conf.d/a.conf", "virtual_server 192.0.2.1 80 {\n alpha\n include ../servers\n}\n"},
                {"/etc/keepalived/conf.d/../servers", "real_server 198.51.100.1 80 {\n}\n"}});
  EXPECT_EQ(only_service(result).backends.size(), 1U);
  EXPECT_THAT(result.findings, Contains(Finding{"/etc/keepalived/conf.d/a.conf", 2, "alpha",
                                                "backends are up until their checks have failed"}));
  EXPECT_THAT(result.findings, Contains(told(2, "include nowhere.conf", "no such file")));
}

TEST(ImportKeepalived, ends_where_files_include_each_other) {
  const auto result = imported("include a\n", {{"/etc/keepalived/a", "include a\ninclude a\n"}});
  EXPECT_THAT(result.findings, Contains(Field(&Finding::why, HasSubstr("too many includes"))));
}

TEST(ImportKeepalived, puts_parameters_in_their_places) {
  const auto service =
      only_service(imported("$NET=192.0.2\n$VIP=${NET}.10\n$PORT=80\nvirtual_server ${VIP} $PORT {\n"
                            " real_server 198.51.100.1 $PORT {\n }\n}\n"));
  EXPECT_EQ(service.host.to_string(), "192.0.2.10");
  EXPECT_EQ(service.port, config::Port{80});
}

TEST(ImportKeepalived, tells_of_the_language_that_it_does_not_speak) {
  const auto result =
      imported("@main router_id a\n$VS= \\\n virtual_server 192.0.2.1 80 { \\\n }\n~SEQ(N, 1, 3) $VS\n");
  EXPECT_THAT(result.findings, Contains(told(1, "@main router_id a", "conditions")));
  EXPECT_THAT(result.findings, Contains(told(2, "$VS=", "several lines")));
  EXPECT_THAT(result.findings, Contains(told(5, "~SEQ(N, 1, 3) $VS", "sequences")));
  EXPECT_EQ(result.findings.size(), 4U) << "and the interfaces";
}

TEST(ImportKeepalived, tells_of_braces_and_quotes_that_have_no_other) {
  const auto result = imported("}\nvirtual_server 192.0.2.1 80 {\n virtualhost \"a.example.org\n");
  EXPECT_THAT(result.findings, Contains(told(1, "}", "closes no block")));
  EXPECT_THAT(result.findings, Contains(told(3, "virtualhost", "not closed")));
  EXPECT_THAT(result.findings, Contains(told(2, "virtual_server 192.0.2.1 80", "not closed")));
}

TEST(ImportKeepalived, takes_nothing_behind_a_comment_and_everything_in_quotes) {
  const auto check = check_of("HTTP_GET { ! as it was\n url { # one\n path \"/a!b#c\" # path /no\n }\n}");
  EXPECT_EQ(std::get<config::HttpCheck>(check.probe).path, "/a!b#c");
}

TEST(ImportKeepalived, lets_no_control_character_out) {
  const auto result = imported("global\x1b[31m_defs {\n}\n");
  EXPECT_THAT(result.findings, Contains(told(1, "global?[31m_defs", "not known")));
}

TEST(ImportKeepalived, of_a_service_on_every_port_asks_for_the_port_of_its_check) {
  const auto without = imported(
      "virtual_server 192.0.2.1 {\n persistence_timeout 60\n real_server 198.51.100.1 {\n"
      "  TCP_CHECK {\n }\n }\n}\n");
  EXPECT_EQ(only_service(without).port, config::Port{});
  EXPECT_FALSE(only_service(without).health.has_value());
  EXPECT_THAT(without.findings, Contains(told(1, "virtual_server 192.0.2.1", "connect_port")));
}

}  // namespace
}  // namespace astil::import
