// The API's document: that it is the server's, and holds what the server does.
#include "control/api/openapi.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <sstream>

#include "control/api/json.hpp"
#include "control/api/routes.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::api {
namespace {

namespace json = boost::json;

TEST(ApiDocument, the_committed_one_is_the_servers) {
  std::ostringstream committed;
  committed << std::ifstream(ASTIL_SOURCE_DIR "/docs/openapi.json").rdbuf();
  // To renew it: build/PRESET/bin/astil_api_reference > docs/openapi.json
  EXPECT_EQ(committed.str(), openapi_document());
}

TEST(ApiDocument, each_route_of_the_server_is_in_it_and_no_other) {
  const json::value document = json::parse(openapi_document());
  const json::object& paths = document.at("paths").as_object();
  EXPECT_EQ(paths.size(), route_descriptions().size());
  test::FakeDaemon daemon;
  for (const auto& [path, operations] : paths) {
    for (const char* method : {"GET", "POST"}) {
      const Answer told = answer(daemon, {.method = method, .target = path, .access = Access::everything});
      EXPECT_NE(told.status, 404U) << path;
      const bool documented = operations.as_object().contains(method == std::string("GET") ? "get" : "post");
      EXPECT_EQ(told.status != 405, documented) << method << " " << path;
    }
  }
}

TEST(ApiDocument, a_member_has_the_schema_of_its_type) {
  const json::value document = json::parse(openapi_document());
  const json::object& event = document.at("components").at("schemas").at("EventView").at("properties").as_object();
  EXPECT_EQ(event.at("number"), json::parse(R"({"type":"integer","minimum":0})"));
  EXPECT_EQ(event.at("kind").at("enum").as_array().front(), "health");
  const json::object& change = document.at("components").at("schemas").at("ConfigView").at("properties").as_object();
  EXPECT_EQ(change.at("confirm_by"),
            json::parse(R"({"anyOf":[{"type":"string","format":"date-time"},{"type":"null"}]})"));
  EXPECT_EQ(document.at("paths").at("/v1/why").at("get").at("parameters").at(1).at("required"), true);
}

}  // namespace
}  // namespace astil::api
