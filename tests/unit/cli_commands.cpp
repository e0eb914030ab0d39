// Every command against a daemon on a real socket: what it prints, and its exit code.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/read_until.hpp>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/unit/cli_commands.hpp"

namespace astil::cli {
namespace {

using test::Commands;
using test::FakeDaemon;
using test::ip_of;
using test::Outcome;
using test::RunningServer;
using test::TemporaryFolder;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(Commands, status_is_one_screen_with_problems_first) {
  const auto outcome = ask({"status"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(outcome.out, R"(1 problem
  service web: backend b2 is down: connect: Connection refused
    next: look at nginx on 10.0.0.3

astil main  version 1.2.3, engine kernel, running for 3 h 12 min
configuration /etc/astil/astil.yaml, applied 3 h 12 min ago

  INTERFACE  STATE  HOOK        MAC                WHY
  eth0       up     xdp native  02:00:00:00:00:01  the driver supports it

  TABLE      USED  CAPACITY    FILL
  flows     900 k    1.05 M  85.8 %
  services      1      1024   0.1 %

web  192.0.2.1:80 tcp, nat, maglev, 503 ring slots
  BACKEND  ADDRESS      STATE        FOR  WEIGHT    RING  FLOWS  CONNECTIONS  PACKETS    BYTES  NEXT HOP                LAST ERROR
  b1       10.0.0.2:80  up     3 h 2 min       1  50.0 %      7          100     2000  3.00 MB  eth1 02:00:00:00:00:0a
  b2       10.0.0.3:80  down   3 h 2 min       1   0.0 %      7          100     2000  3.00 MB  no answer to ARP        connect: Connection refused
  all                                                        14          200     4000  6.00 MB
)");
}

TEST_F(Commands, status_shows_whom_a_service_lets_in) {
  daemon.status_view.services[0].sources = api::SourcesView{
      .allowed_prefixes = 0, .denied_prefixes = 3, .new_flows_per_second = 100, .burst = 200, .source_prefix = 32};
  EXPECT_THAT(ask({"status"}).out,
              HasSubstr("503 ring slots\n  sources: 3 prefixes denied; 100 new flows a second, 200 at once, from each "
                        "/32\n  BACKEND"));
  daemon.status_view.services[0].sources = api::SourcesView{.allowed_prefixes = 1};
  EXPECT_THAT(ask({"status"}).out, HasSubstr("  sources: 1 prefix allowed\n"));
}

TEST_F(Commands, status_says_that_all_is_well) {
  daemon.status_view.problems.clear();
  EXPECT_THAT(ask({"status"}).out, StartsWith("No problems.\n"));
}

TEST_F(Commands, a_backend_that_gets_no_new_flows_is_shown_so) {
  daemon.status_view.services[0].backends[0].in_rotation = false;
  EXPECT_THAT(ask({"status"}).out, HasSubstr("up, no new flows"));
  daemon.status_view.services[0].backends[0].draining = true;
  EXPECT_THAT(ask({"status"}).out, HasSubstr("up, draining"));
}

TEST_F(Commands, status_shows_services_of_ipv6_and_on_any_port) {
  auto& service = daemon.status_view.services[0];
  service.address = ip_of("2001:db8::1");
  service.port = 0;
  service.backends[0].address = ip_of("2001:db8:1::2");
  service.backends[0].port = 0;
  const auto text = ask({"status"}).out;
  EXPECT_THAT(text, HasSubstr("\nweb  [2001:db8::1]:any tcp, nat, maglev"));
  EXPECT_THAT(text, HasSubstr("\n  b1       [2001:db8:1::2]:any  up "));
}

TEST_F(Commands, json_is_the_daemons_own) {
  const auto outcome = ask({"status", "-o", "json"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_THAT(outcome.out, StartsWith(R"({"problems":[{"what":"service web: backend b2 is down)"));
  EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 1);
}

TEST_F(Commands, flows_lists_and_tells_that_there_are_more) {
  daemon.flows_view = api::FlowsView{
      12,
      {{"web", {ip_of("198.51.100.7"), 40000}, {ip_of("192.0.2.1"), 80}, "b1", api::FlowState::established, 32},
       {"web", {ip_of("198.51.100.8"), 400}, {ip_of("192.0.2.1"), 80}, "b2", api::FlowState::half_open, 0}}};
  const auto outcome = ask({"flows", "--service", "web", "--client", "198.51.100.7", "--limit", "2"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.out,
            "SERVICE  CLIENT              DESTINATION   BACKEND  STATE        IDLE\n"
            "web      198.51.100.7:40000  192.0.2.1:80  b1       established  32 s\n"
            "web      198.51.100.8:400    192.0.2.1:80  b2       half-open     0 s\n"
            "\n2 of 12 flows; see more with --limit\n");
  EXPECT_EQ(daemon.flow_filter.service, "web");
  EXPECT_EQ(daemon.flow_filter.client, ip_of("198.51.100.7"));
}

TEST_F(Commands, flows_lists_clients_of_affinity_by_their_prefix) {
  api::FlowView client{
      "web", {ip_of("198.51.100.0"), 0}, {ip_of("192.0.2.1"), 80}, "b1", api::FlowState::affinity, 16, "tcp", 24};
  daemon.flows_view = api::FlowsView{1, {client}};
  EXPECT_EQ(ask({"flows"}).out,
            "SERVICE  CLIENT           DESTINATION   BACKEND  STATE     IDLE\n"
            "web      198.51.100.0/24  192.0.2.1:80  b1       affinity  16 s\n");
}

TEST_F(Commands, flows_of_ipv6_have_their_addresses_in_brackets) {
  daemon.flows_view = api::FlowsView{
      1, {{"web", {ip_of("2001:db8::9"), 40000}, {ip_of("2001:db8::1"), 80}, "b1", api::FlowState::established, 32}}};
  const auto outcome = ask({"flows", "--client", "2001:db8:0::9"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.out,
            "SERVICE  CLIENT               DESTINATION       BACKEND  STATE        IDLE\n"
            "web      [2001:db8::9]:40000  [2001:db8::1]:80  b1       established  32 s\n");
  EXPECT_EQ(daemon.flow_filter.client, ip_of("2001:db8::9"));
}

TEST_F(Commands, flows_with_a_value_that_can_not_be_meant_is_wrong_usage) {
  const auto refusal = [this](const std::vector<std::string>& words) {
    const auto outcome = ask_nobody(words);
    EXPECT_EQ(outcome.code, kInvalid) << words.back();
    EXPECT_EQ(outcome.out, "") << words.back();
    return outcome.err;
  };
  for (const char* limit : {"0", "-1", "many", "1k", "", "99999999999999999999"}) {
    EXPECT_EQ(refusal({"flows", std::string("--limit=") + limit}),
              std::string("astil: --limit: '") + limit + "' is not a number from 1 on; see astil help flows\n");
  }
  for (const char* client : {"web1", "192.0.2.0/24", "192.0.2.1:80", "[2001:db8::1]", "fe80::1%lo", ""}) {
    EXPECT_EQ(refusal({"flows", std::string("--client=") + client}),
              std::string("astil: --client: '") + client + "' is not an IP address; write 192.0.2.1 or 2001:db8::1\n");
  }
  EXPECT_EQ(refusal({"flows", "--client", "::ffff:192.0.2.1"}),
            "astil: --client: '::ffff:192.0.2.1' is an IPv4-mapped address, which no packet has; write 192.0.2.1\n");
  EXPECT_EQ(refusal({"flows", "--service="}), "astil: --service needs a name; see astil help flows\n");
  EXPECT_EQ(refusal({"flows", "--limit", "x", "-o", "json"}),
            "astil: --limit: 'x' is not a number from 1 on; see astil help flows\n");
}

TEST_F(Commands, a_limit_beyond_the_daemons_own_is_wrong_usage) {
  const auto outcome = ask({"flows", "--limit", "100001"});
  EXPECT_EQ(outcome.code, kInvalid);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "astil: limit: '100001' is not a number from 1 to 100000; see astil help flows\n");
  EXPECT_EQ(ask({"flows", "--limit", "100000"}).code, kDone);
}

TEST_F(Commands, flows_says_when_there_are_none) { EXPECT_EQ(ask({"flows"}).out, "No flows.\n"); }

TEST_F(Commands, a_refusal_is_one_line_and_exit_code_1) {
  daemon.flows_view = Error{"there is no service 'wbe'", "did you mean \"web\"?"};
  const auto outcome = ask({"flows", "--service", "wbe"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "astil: there is no service 'wbe'; did you mean \"web\"?\n");
}

TEST_F(Commands, a_refusal_as_json_is_an_object_on_the_standard_output) {
  daemon.flows_view = Error{"there is no service 'wbe'", ""};
  const auto outcome = ask({"flows", "--service", "wbe", "-o", "json"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_EQ(outcome.out, "{\"error\":\"there is no service 'wbe'\",\"remedy\":\"\",\"diagnostics\":[]}\n");
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Commands, drops_come_with_the_most_frequent_first) {
  EXPECT_EQ(ask({"drops"}).out,
            R"(REASON        PACKETS  SERVICES  MEANING
ttl_expired        12            the time to live ran out
no_backend          5  web 4     no backend of the service is in rotation
bad_checksum        0            a checksum was wrong
)");
}

TEST_F(Commands, drops_name_the_services_with_the_most) {
  daemon.drops_view.drops[0].services = {{"a", 1}, {"b", 20}, {"c", 3}, {"d", 4}, {"e", 2}};
  EXPECT_THAT(ask({"drops"}).out, HasSubstr(" b 20, d 4, c 3, 2 more  no backend"));
}

TEST_F(Commands, drops_are_asked_for_by_service_and_reason) {
  EXPECT_EQ(ask({"drops", "--service", "web", "--reason=no_backend"}).code, kDone);
  EXPECT_EQ(daemon.drop_filter.service, "web");
  EXPECT_EQ(daemon.drop_filter.reason, "no_backend");
  EXPECT_EQ(ask({"drops", "--service", ""}).code, kInvalid);
}

/// An output that has seen enough after so many flushed lines, as a pipe whose reader has gone.
class Enough : public std::stringbuf {
 public:
  explicit Enough(int lines) : lines_(lines) {}

 protected:
  int sync() override { return --lines_ > 0 ? 0 : -1; }

 private:
  int lines_;
};

TEST_F(Commands, drops_are_followed_until_nobody_reads_them) {
  auto lost = test::sample_drop();
  lost.lost = 3;
  lost.service.clear();
  lost.source = {ip_of("2001:db8::9"), 0};
  lost.destination = {ip_of("2001:db8::1"), 0};
  lost.protocol = "ipv6-icmp";
  daemon.drop_events->first = {test::sample_drop(), lost};
  RunningServer server(daemon);
  const auto follow = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--socket", server.socket()});
    std::istringstream in;
    std::ostringstream err;
    Enough enough(2);
    std::ostream out(&enough);
    const int code = run(words, {.in = in, .out = out, .err = err});
    return Outcome{code, enough.str(), err.str()};
  };
  const auto text = follow({"drops", "--follow", "--service", "web"});
  EXPECT_EQ(text.code, kDone);
  EXPECT_EQ(text.err, "");
  EXPECT_EQ(text.out,
            "2026-01-31T12:00:00.123456Z  no_backend        web           tcp 203.0.113.7:40000 > 192.0.2.1:80  60 B  "
            "eth0\n"
            "3 drops not shown: they came faster than they were read\n"
            "2026-01-31T12:00:00.123456Z  no_backend        -             ipv6-icmp 2001:db8::9 > 2001:db8::1  60 B  "
            "eth0\n");
  EXPECT_EQ(daemon.drop_filter.service, "web");
  const auto json = follow({"drops", "--follow", "-o", "json"});
  EXPECT_EQ(std::ranges::count(json.out, '\n'), 2);
  EXPECT_THAT(json.out, StartsWith(R"({"time":"2026-01-31T12:00:00.123456Z","reason":"no_backend")"));
}

TEST_F(Commands, following_drops_ends_with_the_daemon) {
  RunningServer server(daemon);
  Outcome outcome{};
  std::thread following([&] { outcome = run_words({"drops", "--follow"}, server.socket()); });
  while (true) {
    bool follows = false;
    server.on_loop([&] { follows = !daemon.drop_events->followers.empty(); });
    if (follows) break;
  }
  server.stop();
  following.join();
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.err, HasSubstr(" has ended\n"));
}

TEST_F(Commands, following_drops_ends_cleanly_on_a_signal) {
  RunningServer server(daemon);
  Outcome outcome{};
  std::thread following([&] { outcome = run_words({"drops", "--follow"}, server.socket()); });
  while (true) {
    bool follows = false;
    server.on_loop([&] { follows = !daemon.drop_events->followers.empty(); });
    if (follows) break;
  }
  ::kill(::getpid(), SIGINT);
  following.join();
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Commands, following_drops_tells_why_the_daemon_refuses) {
  daemon.follow_refusal = Error{"there is no service 'wbe'", "did you mean web"};
  const auto outcome = ask({"drops", "--follow", "--service", "wbe"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.err, HasSubstr("there is no service 'wbe'"));
  EXPECT_EQ(ask_nobody({"drops", "--follow"}).code, kRefused);
}

TEST_F(Commands, trace_tells_each_stage_and_the_verdict) {
  api::TraceView trace;
  trace.steps = {{"parse", "IPv4 TCP, 54 bytes", {{"ttl", "64"}, {"flags", "SYN"}}},
                 {"service", "192.0.2.1:80 is service web", {}}};
  trace.verdict = api::Verdict::redirect;
  trace.service = "web";
  trace.backend = "b1";
  trace.ring_slot = 17;
  trace.interface = "eth1";
  trace.mac = "02:00:00:00:00:0a";
  daemon.trace_view = trace;
  const auto outcome = ask({"trace", "--from", "198.51.100.7:40000", "--to", "192.0.2.1:80"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(
      outcome.out,
      "tcp from 198.51.100.7:40000 to 192.0.2.1:80\n"
      "\n"
      "  parse    IPv4 TCP, 54 bytes\n"
      "           ttl=64  flags=SYN\n"
      "  service  192.0.2.1:80 is service web\n"
      "\n"
      "redirect: to backend b1 of service web, out of eth1 to 02:00:00:00:00:0a; no flow yet, ring slot 17 decided\n");
}

TEST_F(Commands, trace_names_why_a_packet_is_dropped_or_passed) {
  api::TraceView trace;
  trace.verdict = api::Verdict::drop;
  trace.reason = "no_backend";
  daemon.trace_view = trace;
  const std::vector<std::string> words{"trace", "--from", "[2001:db8::9]:4000", "--to", "[2001:db8::1]:80"};
  EXPECT_THAT(ask(words).out, HasSubstr("\ndrop: dropped: no_backend\n"));
  EXPECT_EQ(daemon.trace_query.from.address, ip_of("2001:db8::9"));
  trace.verdict = api::Verdict::pass;
  trace.reason = "no service has this address";
  daemon.trace_view = trace;
  EXPECT_THAT(ask(words).out, HasSubstr("\npass: passed to the kernel: no service has this address\n"));
}

TEST_F(Commands, trace_of_what_is_no_packet_is_wrong_usage) {
  const auto outcome = ask_nobody({"trace", "--from", "198.51.100.7", "--to", "192.0.2.1:80"});
  EXPECT_EQ(outcome.code, kInvalid);
  EXPECT_THAT(outcome.err, StartsWith("astil: --from: '198.51.100.7' is not an address with a port"));
  EXPECT_EQ(ask_nobody({"trace", "--from", "1.2.3.4:5", "--to", "1.2.3.4:5", "--protocol", "x"}).code, kInvalid);
}

TEST_F(Commands, trace_says_how_an_address_with_a_port_is_written) {
  const auto refusal = [this](const std::string& from, const std::string& to = "[2001:db8::1]:443") {
    const auto outcome = ask_nobody({"trace", "--from", from, "--to", to});
    EXPECT_EQ(outcome.code, kInvalid) << from;
    return outcome.err;
  };
  const std::string general = "' is not an address with a port; write 192.0.2.1:80 or [2001:db8::1]:80\n";
  for (const char* from : {"[2001:db8::9]", "2001:db8::g:80", "[2001:db8::9]:0", "[2001:db8::9]:any", "[fe80::9%lo]:80",
                           "[192.0.2.1]:80", "web:80"}) {
    EXPECT_EQ(refusal(from), std::string("astil: --from: '") + from + general);
  }
  EXPECT_EQ(refusal("2001:db8::9:4000"),
            "astil: --from: '2001:db8::9:4000' is not an address with a port; write an IPv6 address in brackets: "
            "[2001:db8::9]:4000\n");
  EXPECT_EQ(refusal("[::ffff:192.0.2.1]:80"),
            "astil: --from: '[::ffff:192.0.2.1]:80' is an IPv4-mapped address, which no packet has; write "
            "192.0.2.1:80\n");
  EXPECT_EQ(refusal("192.0.2.1:4000"),
            "astil: --from and --to are of different IP versions; give both as IPv4 or both as IPv6 addresses\n");
}

TEST_F(Commands, trace_of_ipv6_is_asked_and_told_with_brackets) {
  daemon.trace_view = api::TraceView{};
  const auto outcome = ask({"trace", "--from", "[2001:db8:0::9]:4000", "--to", "[2001:db8::1]:443"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_THAT(outcome.out, StartsWith("tcp from [2001:db8::9]:4000 to [2001:db8::1]:443\n"));
  EXPECT_EQ(daemon.trace_query.to.address, ip_of("2001:db8::1"));
  EXPECT_EQ(daemon.trace_query.to.port, 443);
}

TEST_F(Commands, a_file_that_can_not_be_read_exits_with_2) {
  EXPECT_EQ(ask_nobody({"check", folder / "none.yaml"}).code, kInvalid);
  EXPECT_THAT(ask_nobody({"apply", folder / "none.yaml"}).err, HasSubstr("No such file"));
  const auto folder_itself = ask_nobody({"apply", folder / ""});
  EXPECT_EQ(folder_itself.code, kInvalid);
  EXPECT_THAT(folder_itself.err, HasSubstr("Is a directory"));
}

TEST_F(Commands, check_needs_no_daemon_and_prints_every_mistake) {
  const auto outcome = ask_nobody({"check", write("a.yaml", "instanc: main\nservices: 1\n")});
  EXPECT_EQ(outcome.code, kInvalid);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("a.yaml:1:1: error:"));
  EXPECT_THAT(outcome.err, HasSubstr("did you mean \"instance\"?"));
  EXPECT_THAT(outcome.err, HasSubstr("a.yaml:2:11: error:"));
}

TEST_F(Commands, check_gives_mistakes_as_json) {
  const auto outcome = ask_nobody({"check", write("a.yaml", "instanc: main\n"), "-o", "json"});
  EXPECT_EQ(outcome.code, kInvalid);
  EXPECT_THAT(outcome.out, HasSubstr(R"("line":1,"column":1,"message":"unknown key)"));
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Commands, check_of_a_right_file_counts_what_it_holds) {
  input = R"(interfaces: [eth0]
services:
  web:
    address: 192.0.2.1
    port: 80
    backends:
      b1: {address: 10.0.0.2}
)";
  const auto outcome = ask_nobody({"check", "-"});
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(outcome.out, "(standard input) is right: 1 service, 1 backend\n");
  EXPECT_EQ(outcome.code, kDone);
}

TEST_F(Commands, without_a_daemon_one_line_says_how_to_start_it) {
  for (const auto* verb : {"status", "flows", "drops"}) {
    const auto outcome = ask_nobody({verb});
    EXPECT_EQ(outcome.code, kRefused);
    EXPECT_EQ(outcome.err,
              "astil: no daemon answers at " + (folder / "none.sock") + "; start it with: systemctl start astild\n");
  }
}

TEST_F(Commands, detach_asks_the_daemon) {
  const auto outcome = ask({"detach"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(daemon.detaches, 1);
  EXPECT_EQ(outcome.out, "instance main is out of the kernel; the daemon removed it and ended\n");
}

TEST_F(Commands, detach_without_a_daemon_does_it_itself) {
  std::string detached;
  detach_offline = [&](const std::string& instance) {
    detached = instance;
    return Result<>();
  };
  const auto outcome = ask_nobody({"detach", "--instance", "edge"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(detached, "edge");
  EXPECT_EQ(outcome.out, "instance edge is out of the kernel; no daemon was running\n");
}

TEST_F(Commands, detach_that_fails_is_told) {
  detach_offline = [](const std::string&) -> Result<> {
    return Error{"unpin: Operation not permitted", "run as root"};
  };
  const auto offline = ask_nobody({"detach", "--instance", "main"});
  EXPECT_EQ(offline.code, kRefused);
  EXPECT_EQ(offline.err, "astil: unpin: Operation not permitted; run as root\n");
  daemon.detach_result = Error{"unpin: Operation not permitted", ""};
  EXPECT_EQ(ask({"detach"}).code, kRefused);
}

TEST_F(Commands, detach_at_a_socket_that_nobody_answers_asks_whose_it_was) {
  detach_offline = [](const std::string&) -> Result<> { throw std::logic_error("of the wrong instance"); };
  const auto outcome = ask_nobody({"detach"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.err, HasSubstr("name it: --instance NAME"));
}

TEST_F(Commands, a_daemon_is_asked_where_it_listens) {
  RunningServer server(daemon);
  std::string asked;
  find_socket = [&](const std::string& instance) {
    asked = instance;
    return std::optional(server.socket());
  };
  EXPECT_EQ(run_words({"detach", "--instance", "edge"}, "").code, kDone);
  EXPECT_EQ(asked, "edge");
  EXPECT_EQ(daemon.detaches, 1);
}

TEST_F(Commands, version_tells_both_versions) {
  const auto outcome = ask({"version"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.out, "astil " ASTIL_VERSION "\ndaemon 1.2.3, layout 4\n");
  EXPECT_EQ(ask({"version", "-o", "json"}).out,
            "{\"version\":\"" ASTIL_VERSION "\",\"daemon\":{\"version\":\"1.2.3\",\"layout_version\":4}}\n");
  EXPECT_EQ(ask_nobody({"version"}).code, kDone);
}

TEST_F(Commands, help_goes_to_the_standard_output) {
  EXPECT_THAT(ask_nobody({"help"}).out, HasSubstr("Usage: astil COMMAND"));
  EXPECT_THAT(ask_nobody({"trace", "--help"}).out, HasSubstr("--from IP:PORT"));
  EXPECT_EQ(ask_nobody({"help", "trcae"}).code, kInvalid);
}

TEST_F(Commands, no_command_at_all_is_wrong_usage_and_gets_the_help) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run({}, {.in = in, .out = out, .err = err}), kInvalid);
  EXPECT_THAT(err.str(), HasSubstr("Usage: astil COMMAND"));
}

// A daemon of another make, or something else altogether, at the socket.
TEST_F(Commands, an_answer_that_is_no_view_is_a_refusal) {
  boost::asio::io_context loop;
  const auto path = folder / "odd.sock";
  boost::asio::local::stream_protocol::acceptor odd(loop, path);
  std::thread answerer([&] {
    auto peer = odd.accept();
    std::string request;
    boost::asio::read_until(peer, boost::asio::dynamic_buffer(request), "\r\n\r\n");
    boost::asio::write(peer, boost::asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")));
  });
  const auto outcome = run_words({"status"}, path);
  answerer.join();
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.err, StartsWith("astil: the daemon's answer is not JSON"));
}

}  // namespace
}  // namespace astil::cli
