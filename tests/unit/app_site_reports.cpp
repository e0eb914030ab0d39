// Sites elsewhere that tell of themselves: asked by TLS as their daemons are, heard, and no longer believed once they
// are silent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "control/app/site_reports.hpp"
#include "tests/unit/api_fake.hpp"
#include "tests/unit/tls_identity.hpp"

namespace astil::app {
namespace {

using ::testing::HasSubstr;

const config::address kService = test::ip_of("192.0.2.1");  // of the daemon that is faked
const config::address kOther = test::ip_of("192.0.2.9");

struct Reported : ::testing::Test {
  Reported() {
    write("token", kToken + "\n");
    write("tokens", "names read-only " + kToken + "\n");
    ::chmod((folder / "tokens").c_str(), 0600);
    ::chmod(identity.private_key().c_str(), 0600);
  }

  void write(const char* name, const std::string& text) const { std::ofstream(folder / name) << text; }

  std::unique_ptr<test::RunningServer> start_server() {
    api::ServerOptions options;
    options.remote = api::RemoteOptions{
        .endpoint = {test::ip_of("127.0.0.1"), port},
        .files = {.certificate = identity.certificate(), .key = identity.private_key(), .tokens = folder / "tokens"}};
    auto server = std::make_unique<test::RunningServer>(daemon, options);
    port = server->remote().port;
    return server;
  }

  config::DnsReport wanted(std::vector<std::string> servers) const {
    return {.name = "nyc",
            .servers = std::move(servers),
            .token_file = folder / "token",
            .ca_file = identity.certificate(),
            .interval = std::chrono::milliseconds(20),
            .stale_after = std::chrono::seconds(30)};
  }
  [[nodiscard]] std::string server_name() const { return "127.0.0.1:" + std::to_string(port); }

  /// Until that is so.
  void run_until(const std::function<bool()>& holds) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds() && std::chrono::steady_clock::now() < limit) loop.run_one_for(std::chrono::milliseconds(100));
    ASSERT_TRUE(holds());
  }
  [[nodiscard]] api::DnsReportView view() const { return reports.view(std::chrono::steady_clock::now()).front(); }

  const std::string kToken = "reader-0123456789abcdef0123456789";
  test::TemporaryFolder folder;
  test::TlsIdentity identity{"IP:127.0.0.1"};
  test::FakeDaemon daemon;
  std::uint16_t port = 0;
  boost::asio::io_context loop;
  unsigned news = 0;
  SiteReports reports{loop, [this] { ++news; }};
};

TEST_F(Reported, what_a_site_says_of_its_services_holds_for_their_addresses) {
  const auto server = start_server();
  const auto begun = std::chrono::steady_clock::now();
  reports.follow({wanted({server_name()})});
  EXPECT_EQ(reports.fact("nyc", kService, begun)->why, "not known yet");
  EXPECT_TRUE(reports.fact("nyc", kService, begun)->is_up);
  run_until([&] { return news > 0; });
  const auto now = std::chrono::steady_clock::now();
  EXPECT_TRUE(reports.fact("nyc", kService, now)->is_up);
  EXPECT_FALSE(reports.fact("nyc", kOther, now)->is_up);
  EXPECT_EQ(reports.fact("nyc", kOther, now)->why, "no service there has it");
  EXPECT_EQ(reports.load("nyc", {kService}, now), (dns::SiteLoad{.connections = 7, .capacity = 100}));
  EXPECT_EQ(reports.load("nyc", {kOther}, now), std::nullopt);
  EXPECT_EQ(view().server, server_name());
  EXPECT_EQ(view().failure, "");
}

TEST_F(Reported, an_answer_holds_no_longer_than_it_counts) {
  const auto server = start_server();
  reports.follow({wanted({server_name()})});
  run_until([&] { return news > 0; });
  const auto now = std::chrono::steady_clock::now();
  EXPECT_LE(reports.fact("nyc", kService, now)->steady, 30U);
  EXPECT_LE(reports.fact("nyc", kService, now + std::chrono::seconds(20))->steady, 10U);
}

TEST_F(Reported, the_next_server_is_heard_where_one_is_silent) {
  const auto server = start_server();
  reports.follow({wanted({"127.0.0.1:1", server_name()})});
  run_until([&] { return news > 0; });
  EXPECT_EQ(view().server, server_name());
}

TEST_F(Reported, a_site_that_is_silent_counts_by_the_rule_once_its_answer_is_old) {
  auto server = start_server();
  config::DnsReport report = wanted({server_name()});
  reports.follow({report});
  run_until([&] { return news > 0; });
  server.reset();
  run_until([&] { return view().failures > 0; });
  EXPECT_THAT(view().failure, HasSubstr("no daemon answers at " + server_name()));
  EXPECT_FALSE(view().stale);
  const auto later = std::chrono::steady_clock::now() + std::chrono::seconds(31);
  EXPECT_EQ(reports.fact("nyc", kService, later), std::nullopt);
  EXPECT_EQ(reports.load("nyc", {kService}, later), std::nullopt);
  EXPECT_FALSE(reports.stale_fact("nyc", kService, later).is_up);
  EXPECT_TRUE(reports.view(later).front().stale);
  server = start_server();
  const unsigned before = news;
  run_until([&] { return news > before; });
  EXPECT_EQ(view().failure, "");
  report.when_stale = config::DnsWhenStale::up;
  reports.follow({report});
  EXPECT_TRUE(reports.stale_fact("nyc", kOther, later).is_up);
  report.when_stale = config::DnsWhenStale::last;
  reports.follow({report});
  EXPECT_FALSE(reports.stale_fact("nyc", kOther, later).is_up)
      << "what it said is known though it is asked in another way";
  EXPECT_TRUE(reports.stale_fact("nyc", kService, later).is_up);
}

TEST_F(Reported, why_a_site_is_not_heard_is_said) {
  const auto server = start_server();
  const auto failure = [&](const config::DnsReport& report) {
    const auto before = reports.has("nyc") ? view().failures : 0;
    reports.follow({report});
    run_until([&] { return view().failures > before; });
    return view().failure;
  };
  write("token", "another-0123456789abcdef012345678\n");
  EXPECT_THAT(failure(wanted({server_name()})), HasSubstr("the token is refused; compare the token_file"));
  write("token", "two words\n");
  config::DnsReport report = wanted({server_name()});
  report.interval = std::chrono::milliseconds(21);  // another one
  EXPECT_THAT(failure(report), HasSubstr("does not hold a token and nothing else"));
  write("token", kToken);
  const test::TlsIdentity stranger("IP:127.0.0.1");
  report.ca_file = stranger.certificate();
  EXPECT_THAT(failure(report), HasSubstr("is not to be trusted"));
  report.ca_file = folder / "none";
  EXPECT_THAT(failure(report), HasSubstr("name a file of certificates in PEM"));
}

TEST_F(Reported, sites_that_are_asked_as_before_keep_what_they_said) {
  const auto server = start_server();
  reports.follow({wanted({server_name()})});
  run_until([&] { return news > 0; });
  const auto answers = view().answers;
  reports.follow({wanted({server_name()})});
  EXPECT_GE(view().answers, answers);
  reports.follow({});
  EXPECT_FALSE(reports.has("nyc"));
}

}  // namespace
}  // namespace astil::app
