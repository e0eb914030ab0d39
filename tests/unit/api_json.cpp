// The views as JSON and back: names are an interface, and versions may differ.
#include "control/api/json.hpp"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/unit/api_fake.hpp"

namespace astil::api {
namespace {

using testing::HasSubstr;

std::string text_of(const auto& view) { return boost::json::serialize(to_json(view)); }

TEST(ApiJson, of_a_backend_has_stable_names) {
  StatusView status = test::sample_status();
  status.services[0].backends.resize(1);
  EXPECT_THAT(
      text_of(status),
      HasSubstr(
          R"("backends":[{"name":"b1","address":"10.0.0.2","port":80,"weight":1,"in_rotation":true,)"
          R"("draining":false,"ring_share":5E-1,"health":{"state":"up","since":"2001-09-09T01:56:40Z",)"
          R"("last_error":"","last_check_seconds":2.5E-3,"checks_ok":600,"checks_failed":0,"checks_not_made":0,)"
          R"("held_seconds":null,"holds":0,"checks":[],"suspect":""},)"
          R"("next_hop":{"interface":"eth1","mac":"02:00:00:00:00:0a","unresolved":""},)"
          R"("traffic":{"packets":2000,"bytes":3000000,"new_connections":100,"active_flows":7,"refused_connections":0},"retired":false,)"
          R"("admin":"active","admin_since":null,"empty_in_seconds":null,"weight_share":1E0,"fallback":false,)"
          R"("found":false}])"));
}

TEST(ApiJson, reads_back_what_it_wrote) {
  const auto status = test::sample_status();
  const auto back = from_json<StatusView>(to_json(status));
  ASSERT_TRUE(back);
  EXPECT_EQ(text_of(*back), text_of(status));
}

TEST(ApiJson, spells_states_with_hyphens_both_ways) {
  FlowsView flows{1, {FlowView{}}};
  EXPECT_THAT(text_of(flows), HasSubstr(R"("state":"half-open")"));
  EXPECT_EQ(from_json<FlowsView>(to_json(flows))->flows[0].state, FlowState::half_open);
}

TEST(ApiJson, of_another_version_is_read_as_far_as_it_is_known) {
  const auto version = from_json<VersionView>(boost::json::parse(R"({"version":"9.0","colour":"red"})"));
  ASSERT_TRUE(version);
  EXPECT_EQ(version->version, "9.0");
  EXPECT_EQ(version->layout_version, 0U);
}

TEST(ApiJson, of_a_wrong_type_is_an_error_that_names_the_member) {
  const auto wrong = [](const char* text) {
    const auto view = from_json<StatusView>(boost::json::parse(text));
    return view ? std::string("no error") : view.error().what;
  };
  EXPECT_EQ(wrong(R"([])"), "expected an object");
  EXPECT_EQ(wrong(R"({"instance":1})"), "instance: expected a string");
  EXPECT_EQ(wrong(R"({"services":{}})"), "services: expected an array");
  EXPECT_EQ(wrong(R"({"services":[{"port":70000}]})"), "services: port: expected a number in range");
  EXPECT_EQ(wrong(R"({"services":[{"address":"web"}]})"), "services: address: expected an IP address");
  EXPECT_EQ(wrong(R"({"adopted":1})"), "adopted: expected true or false");
  EXPECT_EQ(wrong(R"({"started_at":"yesterday"})"), "started_at: 'yesterday' is not a time like 2026-01-31T12:00:00Z");
}

TEST(ApiJson, times_are_rfc_3339_in_utc) {
  const TimePoint time(std::chrono::seconds(1'000'000'000));
  EXPECT_EQ(to_rfc3339(time), "2001-09-09T01:46:40Z");
  EXPECT_EQ(from_rfc3339("2001-09-09T01:46:40Z").value(), time);
  EXPECT_FALSE(from_rfc3339("2001-09-09T01:46:40Zulu"));
}

}  // namespace
}  // namespace astil::api
