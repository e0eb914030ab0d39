// What Prometheus scrapes: the text itself, the rules of its naming guide, and the page that describes it.
#include "control/api/metrics.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/api_fake.hpp"

namespace astil::api {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string sample_text() { return metrics_text({test::sample_status(), test::FakeDaemon().drops_view}); }

TEST(Metrics, of_a_backend_carry_its_service_and_name) {
  const auto text = sample_text();
  for (const auto* line : {
           "astil_build_info{version=\"1.2.3\",engine=\"kernel\",layout=\"4\"} 1\n",
           "astil_start_time_seconds 1000000000\n",
           "astil_config_applies_total{result=\"refused\"} 1\n",
           "astil_service_connections_total{service=\"web\"} 200\n",
           "astil_service_backends_in_rotation{service=\"web\"} 1\n",
           "astil_backend_bytes_total{service=\"web\",backend=\"b1\"} 3000000\n",
           "astil_backend_up{service=\"web\",backend=\"b1\"} 1\n",
           "astil_backend_up{service=\"web\",backend=\"b2\"} 0\n",
           "astil_backend_checks_total{service=\"web\",backend=\"b2\",result=\"failed\"} 3\n",
           "astil_backend_checks_total{service=\"web\",backend=\"b2\",result=\"not_made\"} 2\n",
           "astil_backend_check_duration_seconds{service=\"web\",backend=\"b1\"} 0.0025",
           "astil_table_capacity{table=\"flows\"} 1048576\n",
           "astil_drops_total{service=\"\",reason=\"bad_checksum\"} 0\n",
           "astil_drops_total{service=\"web\",reason=\"no_backend\"} 4\n",
           "astil_drops_total{service=\"web\",reason=\"ttl_expired\"} 0\n",
           "astil_drops_total{service=\"\",reason=\"no_backend\"} 1\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, a_family_is_help_type_and_samples) {
  EXPECT_THAT(sample_text(), HasSubstr("# HELP astil_backend_weight The backend's configured weight.\n"
                                       "# TYPE astil_backend_weight gauge\n"
                                       "astil_backend_weight{service=\"web\",backend=\"b1\"} 1\n"
                                       "astil_backend_weight{service=\"web\",backend=\"b2\"} 1\n"));
}

TEST(Metrics, what_is_not_known_is_left_out) {
  const auto text = sample_text();
  EXPECT_THAT(text, Not(HasSubstr("astil_config_last_refusal_timestamp_seconds")));
  EXPECT_THAT(text, Not(HasSubstr("astil_backend_check_duration_seconds{service=\"web\",backend=\"b2\"}")));
}

TEST(Metrics, counters_are_exact_up_to_two_to_the_53) {
  auto status = test::sample_status();
  status.services[0].traffic.bytes = (std::uint64_t{1} << 53U) - 1;
  EXPECT_THAT(metrics_text({status, {}}), HasSubstr("astil_service_bytes_total{service=\"web\"} 9007199254740991\n"));
}

TEST(Metrics, label_values_are_escaped) {
  auto status = test::sample_status();
  status.services[0].name = "a\"b\\c\nd";
  EXPECT_THAT(metrics_text({status, {}}), HasSubstr(R"(astil_service_packets_total{service="a\"b\\c\nd"} 4000)"));
}

TEST(Metrics, of_a_backend_that_was_removed_are_what_it_carries_alone) {
  auto status = test::sample_status();
  auto removed = test::sample_backend("10.0.0.9:80", "10.0.0.9");
  removed.retired = true;
  removed.draining = true;
  removed.in_rotation = false;
  status.services[0].backends.push_back(removed);
  const auto text = metrics_text({status, {}});
  EXPECT_THAT(text, HasSubstr("astil_service_backends{service=\"web\"} 2\n"));
  for (const auto* name : {"packets_total", "bytes_total", "connections_total", "active_flows", "draining"}) {
    EXPECT_THAT(text, HasSubstr(std::string("astil_backend_") + name + "{service=\"web\",backend=\"10.0.0.9:80\"}"));
  }
  for (const auto* name : {"up", "weight", "in_rotation", "next_hop_resolved", "ring_ratio", "check_duration_seconds",
                           "state_change_timestamp_seconds"}) {
    EXPECT_THAT(text, Not(HasSubstr(std::string("astil_backend_") + name + "{service=\"web\",backend=\"10.0.0.9:80\"")))
        << name;
  }
  EXPECT_THAT(text, Not(HasSubstr("backend=\"10.0.0.9:80\",result")));
}

// What `promtool check metrics` checks, of every line.
TEST(Metrics, follow_the_naming_guide) {
  const std::regex help("# HELP (astil_[a-z0-9_]+) [A-Z0-9`].*\\.");
  const std::regex type("# TYPE (\\S+) (counter|gauge)");
  const std::regex sample(R"re((\w+)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+)re");
  std::istringstream lines(sample_text());
  std::set<std::string> families;
  std::set<std::string> series;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      family = match[1];
      EXPECT_TRUE(families.insert(family).second) << line;
    } else if (std::regex_match(line, match, type)) {
      EXPECT_EQ(match[1], family);
      EXPECT_EQ(family.ends_with("_total"), match[2] == "counter") << line;
    } else {
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_EQ(match[1], family);
      EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << line;
    }
  }
  EXPECT_GT(families.size(), 25U);
  for (const auto& name : families) {
    EXPECT_FALSE(std::regex_search(name, std::regex("milli|micro|nano|_kb|gauge|counter|_count$|_sum$|_bucket$")))
        << name;
  }
}

TEST(Metrics, are_described_in_the_documentation) {
  std::ifstream file(ASTIL_SOURCE_DIR "/docs/metrics.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  // To renew the page: build/PRESET/bin/astil_metrics_reference > docs/metrics.md
  EXPECT_EQ(page, metrics_reference());
}

}  // namespace
}  // namespace astil::api
